package api

import (
	"net/http"

	"halledge/cloud/internal/access"
)

func (a *API) postSession(c *call) error {
	var in SignIn
	if err := a.read(c, &in); err != nil {
		return err
	}
	cookie, who, err := a.Desk.SignIn(c.r.Context(), access.Attempt{
		User: in.User, Password: in.Password, Remote: remote(c.r), Cookie: access.Carried(c.r),
	})
	if err != nil {
		return err
	}
	http.SetCookie(c.w, cookie)
	return a.write(c, http.StatusCreated, a.session(who))
}

func (a *API) getSession(c *call) error { return a.write(c, http.StatusOK, a.session(c.who)) }

func (a *API) deleteSession(c *call) error {
	cookie, err := a.Desk.SignOut(c.r.Context(), c.who, remote(c.r))
	if err != nil {
		return err
	}
	http.SetCookie(c.w, cookie)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) session(who access.Who) Session {
	s := Session{User: who.User, Name: who.Name, Role: string(who.Role), By: who.By}
	if !who.Expires.IsZero() {
		s.ExpiresAt = a.when(who.Expires)
	}
	return s
}
