package api

import (
	"net/http"
	"time"

	"halledge/cloud/internal/store"
)

var auditActions = []string{
	store.ActionSignIn, store.ActionSignOut, store.ActionWatch, store.ActionUserAdd, store.ActionUserDisable, store.ActionUserEnable,
	store.ActionUserName, store.ActionUserRoles, store.ActionUserScope, store.ActionPassword, store.ActionFactor, store.ActionFactorReset,
	store.ActionRecovery, store.ActionInvite, store.ActionLink, store.ActionUnlink,
}

func (a *API) listAudit(c *call) error {
	q := a.query(c)
	want := store.AuditQuery{
		Actor: q.text("user", nil), Action: q.text("action", auditActions), From: q.moment("from", 0), To: q.moment("to", 1),
	}
	w := q.page()
	if q.bad != nil {
		return q.bad
	}
	want.Limit, want.Offset = w.size, w.offset
	if !c.who.Scope.Whole() {
		users, err := a.Desk.Users(c.r.Context(), c.who.Scope)
		if err != nil {
			return err
		}
		want.Within = &store.AuditScope{Prefixes: c.who.Scope}
		for _, u := range users {
			want.Within.Users = append(want.Within.Users, u.Name)
		}
	}
	rows, total, err := a.Store.Audits(c.r.Context(), want)
	if err != nil {
		return err
	}
	page := Page[AuditLine]{Items: []AuditLine{}, Total: total}
	for _, l := range rows {
		page.Items = append(page.Items, AuditLine{
			ID: l.ID, At: a.local(l.At), User: l.Actor, Name: l.Name, By: l.By, Action: l.Action, Subject: l.Subject, Result: l.Result, Remote: l.Remote,
		})
	}
	return a.write(c, http.StatusOK, page)
}

// moment reads a time, or a date: its beginning in the zone of the answers, so many days later. The zero time means none.
func (q *query) moment(name string, days int) time.Time {
	text := q.text(name, nil)
	if text == "" {
		return time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	day, err := time.ParseInLocation(time.DateOnly, text, q.a.Zone)
	if err != nil {
		q.refuse(name)
	}
	return day.AddDate(0, 0, days)
}
