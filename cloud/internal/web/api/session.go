package api

import (
	"encoding/base64"
	"errors"
	"net/http"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
)

// accountRoutes are what everybody who is signed in may do for himself.
func (a *API) accountRoutes() []route {
	refusals := []int{
		http.StatusBadRequest, http.StatusRequestTimeout, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests, http.StatusServiceUnavailable,
	}
	return []route{
		{method: http.MethodPut, path: "/api/v1/account/password", name: "changePassword", summary: "改自己的密码，别处的登录随之失效", self: true,
			body: NewPassword{}, answer: Session{}, refusals: refusals, handle: a.putPassword},
		{method: http.MethodPost, path: "/api/v1/account/second-factor", name: "beginSecondFactor", summary: "领取动态口令的密钥，确认后才生效", self: true,
			body: FactorRequest{}, answer: Factor{}, status: http.StatusCreated, refusals: refusals, handle: a.postFactor},
		{method: http.MethodPut, path: "/api/v1/account/second-factor", name: "confirmSecondFactor", summary: "用一个动态口令确认，得到恢复码", self: true,
			body: FactorCode{}, answer: RecoveryCodes{}, refusals: refusals, handle: a.putFactor},
	}
}

// unifiedRoutes are the way through the unified identity platform: there, and back with what it has given.
func (a *API) unifiedRoutes() []route {
	refusals := []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests,
		http.StatusServiceUnavailable,
	}
	return []route{
		{method: http.MethodGet, path: "/api/v1/session/ways", name: "signInWays", summary: "有哪些登录方式", public: true, answer: SignInWays{}, handle: a.getWays},
		{method: http.MethodPost, path: "/api/v1/session/journey", name: "leaveForPlatform", summary: "去统一身份认证平台登录：得到要打开的地址", public: true,
			answer: Journey{}, status: http.StatusCreated, refusals: refusals, handle: a.postJourney},
		{method: http.MethodPost, path: "/api/v1/session/oidc", name: "arriveFromPlatform", summary: "从统一身份认证平台回来，登录", public: true,
			body: Arrival{}, answer: Session{}, status: http.StatusCreated, refusals: refusals, handle: a.postArrival},
	}
}

func (a *API) getWays(c *call) error {
	return a.write(c, http.StatusOK, SignInWays{Password: true, OIDC: a.Desk.Unified()})
}

func (a *API) postJourney(c *call) error {
	address, cookie, err := a.Desk.Leave(c.r.Context(), remote(c.r))
	if err != nil {
		return err
	}
	http.SetCookie(c.w, cookie)
	return a.write(c, http.StatusCreated, Journey{URL: address})
}

func (a *API) postArrival(c *call) error {
	var in Arrival
	if err := a.read(c, &in); err != nil {
		return err
	}
	cookies, who, err := a.Desk.Arrive(c.r.Context(), access.Return{
		State: in.State, Code: in.Code, Failure: in.Error, Remote: remote(c.r), Journey: access.JourneyOf(c.r), Cookie: access.Carried(c.r),
	})
	if err != nil {
		return err
	}
	for _, cookie := range cookies {
		http.SetCookie(c.w, cookie)
	}
	return a.session(c, http.StatusCreated, who)
}

func (a *API) postSession(c *call) error {
	var in SignIn
	if err := a.read(c, &in); err != nil {
		return err
	}
	cookie, who, err := a.Desk.SignIn(c.r.Context(), access.Attempt{
		User: in.User, Password: in.Password, Code: in.Code, Remote: remote(c.r), Cookie: access.Carried(c.r),
		Certificate: access.Shown(c.r),
	})
	if err != nil {
		return err
	}
	http.SetCookie(c.w, cookie)
	return a.session(c, http.StatusCreated, who)
}

func (a *API) getSession(c *call) error { return a.session(c, http.StatusOK, c.who) }

func (a *API) deleteSession(c *call) error {
	cookie, err := a.Desk.SignOut(c.r.Context(), c.who, remote(c.r))
	if err != nil {
		return err
	}
	http.SetCookie(c.w, cookie)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) session(c *call, status int, who access.Who) error {
	s := Session{
		User: who.User, Name: who.Name, Roles: who.Roles.Names(), Scope: append([]string{}, who.Scope...), By: who.By, Must: who.Must,
		SecondFactor: who.SecondFactor,
	}
	if !who.Expires.IsZero() {
		s.ExpiresAt = a.when(who.Expires)
	}
	if who.SecondFactor {
		var err error
		if s.RecoveryLeft, err = a.Desk.RecoveryLeft(c.r.Context(), who); err != nil {
			return err
		}
	}
	return a.write(c, status, s)
}

func (a *API) putPassword(c *call) error {
	var in NewPassword
	if err := a.read(c, &in); err != nil {
		return err
	}
	cookie, who, err := a.Desk.ChangePassword(c.r.Context(), c.who, access.Attempt{Password: in.Old, Remote: remote(c.r)}, in.New)
	if err != nil {
		return a.proof(err)
	}
	http.SetCookie(c.w, cookie)
	return a.session(c, http.StatusOK, who)
}

func (a *API) postFactor(c *call) error {
	var in FactorRequest
	if err := a.read(c, &in); err != nil {
		return err
	}
	e, err := a.Desk.BeginFactor(c.r.Context(), c.who, access.Attempt{Password: in.Password, Code: in.Code, Remote: remote(c.r)})
	if err != nil {
		return a.proof(err)
	}
	image := "data:image/png;base64," + base64.StdEncoding.EncodeToString(e.PNG)
	return a.write(c, http.StatusCreated, Factor{Secret: e.Secret, URI: e.URI, Image: image})
}

func (a *API) putFactor(c *call) error {
	var in FactorCode
	if err := a.read(c, &in); err != nil {
		return err
	}
	codes, err := a.Desk.ConfirmFactor(c.r.Context(), c.who, in.Code, remote(c.r))
	if err != nil {
		return err
	}
	return a.write(c, http.StatusOK, RecoveryCodes{Codes: codes})
}

// proof says of somebody who is signed in that what he proves himself with is wrong: 401 would say that he is not.
func (a *API) proof(err error) error {
	var refusal *access.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	codes := map[problem.Code]problem.Code{access.CodeWrong: codePasswordWrong, access.CodeWrongCode: access.CodeFactorCode}
	if code, ours := codes[refusal.Code]; ours {
		return a.problem(http.StatusUnprocessableEntity, code)
	}
	return err
}

// statusOf gives the status that goes with a fault.
func statusOf(code problem.Code) int {
	switch code {
	case access.CodeUserUnknown:
		return http.StatusNotFound
	case access.CodeNoAccount, access.CodeElsewhere:
		return http.StatusForbidden
	case access.CodeWeak, access.CodeCommon, access.CodeSame, access.CodeFactorCode, access.CodeClerkScope:
		return http.StatusUnprocessableEntity
	}
	return http.StatusConflict
}
