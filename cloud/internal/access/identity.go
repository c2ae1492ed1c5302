package access

import (
	"slices"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access/oidc"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

// account gives the user that somebody is, or the code of why he is none. What is known of him then is in the user.
func (d *Desk) account(tx *store.Tx, p oidc.Person, remote string, now time.Time) (u store.User, code problem.Code, err error) {
	name, linked, err := tx.Identified(p.Issuer, p.Subject)
	if err == nil && linked {
		u, linked, err = tx.User(name)
	}
	switch {
	case err != nil:
		return u, "", err
	case d.unified.Accounts == config.AccountsClaims:
		return d.claimed(tx, u, linked, p, remote, now)
	case !linked:
		return d.link(tx, p, remote, now)
	case u.Origin == store.FromPlatform: // of a time when the rules counted
		return u, CodeStranger, nil
	}
	return u, "", nil
}

// mayEnter reports whether somebody who is a user may come in now.
func (d *Desk) mayEnter(u store.User, p oidc.Person) bool {
	return !u.Disabled && (!u.Roles.Has(rights.Admin) || d.unified.enough(p))
}

// link gives the account that bears somebody's name, which is his from now on.
func (d *Desk) link(tx *store.Tx, p oidc.Person, remote string, now time.Time) (store.User, problem.Code, error) {
	name := p.Text(d.unified.Name)
	if !config.ValidUserName(name) {
		return store.User{}, CodeStranger, nil
	}
	u, found, err := tx.User(name)
	if err != nil || !found {
		return store.User{}, CodeStranger, err
	}
	i, _, err := tx.Identity(name)
	switch {
	case err != nil:
		return u, "", err
	case i.Subject != "", u.Origin == store.FromPlatform:
		return store.User{}, CodeNameTaken, nil
	case d.unified.Accounts != config.AccountsNamed && !now.Before(i.Invited):
		return store.User{}, CodeStranger, nil
	case !d.mayEnter(u, p): // nobody becomes somebody by being refused
		return u, "", nil
	}
	return u, "", d.tie(tx, name, p, remote, now)
}

// tie makes a user who somebody is at the platform. The line in the audit stands before that of his signing in, at the same time.
func (d *Desk) tie(tx *store.Tx, name string, p oidc.Person, remote string, now time.Time) error {
	if err := tx.PutIdentity(store.Identity{User: name, Issuer: p.Issuer, Subject: p.Subject}); err != nil {
		return err
	}
	return tx.AddAudit(store.Audit{At: now, Actor: name, By: ByOIDC, Action: store.ActionLink, Subject: name, Result: "ok", Remote: remote})
}

// claimed gives the account that is kept for somebody, with the rights that the rules give him now.
func (d *Desk) claimed(tx *store.Tx, u store.User, linked bool, p oidc.Person, remote string, now time.Time) (store.User, problem.Code, error) {
	if linked && u.Origin != store.FromPlatform {
		return u, CodeNameTaken, nil
	}
	at := slices.IndexFunc(d.unified.Rules, func(r Rule) bool { return p.Has(r.Claim, r.Value) })
	if at < 0 {
		if !linked {
			return store.User{}, CodeNoRights, nil
		}
		u.Roles, u.Scope = rights.Roles{}, rights.Scope{} // what he has open ends
		return u, CodeNoRights, tx.PutUser(u)
	}
	if !linked {
		name := p.Text(d.unified.Name)
		if !config.ValidUserName(name) {
			return store.User{}, CodeStranger, nil
		}
		_, taken, err := tx.User(name)
		if err != nil || taken {
			return store.User{}, CodeNameTaken, err
		}
		u = store.User{Name: name, Origin: store.FromPlatform, Created: now}
	}
	u.FullName = p.Text(d.unified.FullName)
	u.Roles, u.Scope = d.unified.Rules[at].Roles, d.unified.Rules[at].Scope
	if err := tx.PutUser(u); err != nil || linked {
		return u, "", err
	}
	return u, "", d.tie(tx, u.Name, p, remote, now)
}

// Invite lets the person whom the platform knows by a user's name become that user, until then.
func (a Acting) Invite(tx *store.Tx, name string, until time.Time) error {
	u, err := a.find(tx, name)
	if err != nil {
		return err
	}
	i, _, err := tx.Identity(name)
	switch {
	case err != nil:
		return err
	case u.Origin == store.FromPlatform:
		return ofPlatform(name)
	case i.Subject != "":
		return &Fault{Code: CodeLinked, Args: map[string]string{"name": name}}
	}
	if err := tx.PutIdentity(store.Identity{User: name, Invited: until}); err != nil {
		return err
	}
	return a.note(tx, store.ActionInvite, name, "ok")
}

// Unlink makes a user nobody at the platform; what he has opened by it ends.
func (a Acting) Unlink(tx *store.Tx, name string) error {
	u, err := a.find(tx, name)
	if err != nil {
		return err
	}
	if u.Origin == store.FromPlatform {
		return ofPlatform(name)
	}
	if err := tx.DropIdentity(name); err != nil {
		return err
	}
	return a.note(tx, store.ActionUnlink, name, "ok")
}

// enough reports whether somebody has shown what administrators must.
func (u *unified) enough(p oidc.Person) bool {
	amr := len(u.AdminAMR) == 0 || slices.ContainsFunc(p.AMR, func(one string) bool { return slices.Contains(u.AdminAMR, one) })
	return amr && (len(u.AdminACR) == 0 || slices.Contains(u.AdminACR, p.ACR))
}
