package access

import (
	"context"
	"fmt"
	"slices"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

// The codes of a Fault about users.
const (
	CodeUserUnknown problem.Code = "user_unknown"     // name
	CodeUserExists  problem.Code = "user_exists"      // name
	CodeOfFile      problem.Code = "user_of_file"     // name
	CodeOfPlatform  problem.Code = "user_of_platform" // name
	CodeUserSelf    problem.Code = "user_self"        // nobody changes what he may do himself
	CodeLinked      problem.Code = "user_linked"      // name
	CodeClerkScope  problem.Code = "clerk_scope"      // a clerk is one of halls, not of a region
	CodeBeyond      problem.Code = "scope_beyond"     // more halls than the one who gives them has
)

// Acting changes users on behalf of somebody, within his scope, and writes it into the audit. Users beyond it are as if they were
// not there. Each of its methods fails with *Fault when it must not be.
type Acting struct {
	Actor, By, Remote string
	Scope             rights.Scope
	At                time.Time
}

// As gives the Acting of somebody who is in.
func (d *Desk) As(who Who, remote string) Acting {
	return Acting{Actor: who.User, By: who.By, Remote: remote, Scope: who.Scope, At: d.now()}
}

// find gives a user whom it may change.
func (a Acting) find(tx *store.Tx, name string) (store.User, error) {
	u, found, err := tx.User(name)
	if err != nil {
		return u, err
	}
	if !found || !u.Scope.Within(a.Scope) {
		return u, &Fault{Code: CodeUserUnknown, Args: map[string]string{"name": name}}
	}
	if isPerson(a.By) && name == a.Actor {
		return u, &Fault{Code: CodeUserSelf}
	}
	return u, nil
}

// edit gives a user whom it may change and whom cloud.yaml does not speak of: that would undo the change at the next start.
func (a Acting) edit(tx *store.Tx, name string) (store.User, error) {
	u, err := a.find(tx, name)
	if err == nil && u.Origin == store.FromConfig {
		err = &Fault{Code: CodeOfFile, Args: map[string]string{"name": name}}
	}
	return u, err
}

func (a Acting) note(tx *store.Tx, action, subject, result string) error {
	return tx.AddAudit(store.Audit{At: a.At, Actor: a.Actor, By: a.By, Action: action, Subject: subject, Result: result, Remote: a.Remote})
}

// Add adds a user. His password, a hash, is good for choosing another one.
func (a Acting) Add(tx *store.Tx, u store.User) error {
	_, found, err := tx.User(u.Name)
	switch {
	case err != nil:
		return err
	case found:
		return &Fault{Code: CodeUserExists, Args: map[string]string{"name": u.Name}}
	case !u.Scope.Within(a.Scope):
		return &Fault{Code: CodeBeyond}
	case !u.Roles.Fit(u.Scope):
		return &Fault{Code: CodeClerkScope}
	}
	u.Origin, u.Created, u.MustChange = store.FromCLI, a.At, true
	if err := tx.PutUser(u); err != nil {
		return err
	}
	return a.note(tx, store.ActionUserAdd, u.Name, "ok")
}

// ofPlatform says that the next sign-in through the identity platform would undo a change.
func ofPlatform(name string) error {
	return &Fault{Code: CodeOfPlatform, Args: map[string]string{"name": name}}
}

// Change is what becomes of a user; what is nil stays.
type Change struct {
	FullName *string
	Roles    *rights.Roles
	Scope    *rights.Scope
	Disabled *bool
}

// Change changes a user. The audit has a line for each thing that became another one.
func (a Acting) Change(tx *store.Tx, name string, c Change) error {
	u, err := a.edit(tx, name)
	if err != nil {
		return err
	}
	if u.Origin == store.FromPlatform && (c.FullName != nil || c.Roles != nil || c.Scope != nil) {
		return ofPlatform(name)
	}
	var actions []string
	if c.FullName != nil && *c.FullName != u.FullName {
		u.FullName, actions = *c.FullName, append(actions, store.ActionUserName)
	}
	if c.Roles != nil && !slices.Equal(*c.Roles, u.Roles) {
		u.Roles, actions = *c.Roles, append(actions, store.ActionUserRoles)
	}
	if c.Scope != nil && !slices.Equal(*c.Scope, u.Scope) {
		if !c.Scope.Within(a.Scope) {
			return &Fault{Code: CodeBeyond}
		}
		u.Scope, actions = *c.Scope, append(actions, store.ActionUserScope)
	}
	if !u.Roles.Fit(u.Scope) {
		return &Fault{Code: CodeClerkScope}
	}
	if c.Disabled != nil && *c.Disabled != u.Disabled {
		u.Disabled = *c.Disabled
		action := store.ActionUserEnable
		if u.Disabled {
			action = store.ActionUserDisable
		}
		actions = append(actions, action)
	}
	if actions == nil {
		return nil
	}
	if err := tx.PutUser(u); err != nil {
		return err
	}
	for _, action := range actions {
		if err := a.note(tx, action, name, "ok"); err != nil {
			return err
		}
	}
	return nil
}

// SetPassword gives a user another password, a hash, which is good for choosing one of his own. His failures are forgotten.
func (a Acting) SetPassword(tx *store.Tx, name, hash string) error {
	u, err := a.edit(tx, name)
	if err != nil {
		return err
	}
	if u.Origin == store.FromPlatform {
		return ofPlatform(name)
	}
	u.Password, u.MustChange = hash, true
	if err := tx.PutUser(u); err != nil {
		return err
	}
	if err := tx.ClearFailures(name); err != nil {
		return err
	}
	return a.note(tx, store.ActionPassword, name, "ok")
}

// ResetFactor takes a user's second factor away, as when he has lost his telephone; users of cloud.yaml have theirs here too.
func (a Acting) ResetFactor(tx *store.Tx, name string) error {
	if _, err := a.find(tx, name); err != nil {
		return err
	}
	if err := tx.DropSecondFactor(name); err != nil {
		return err
	}
	return a.note(tx, store.ActionFactorReset, name, "ok")
}

// Certify lets a user prove himself by a certificate that add writes down. What he has open ends: from now on his password is not enough.
func (a Acting) Certify(tx *store.Tx, name string, add func(*store.Tx) error) error {
	u, err := a.find(tx, name)
	if err == nil && u.Origin == store.FromPlatform {
		err = ofPlatform(name)
	}
	if err == nil {
		err = add(tx)
	}
	if err == nil {
		err = tx.DropSessions(name)
	}
	if err != nil {
		return err
	}
	return a.note(tx, store.ActionCertify, name, "ok")
}

// RevokeCertificates revokes a user's certificates. He is as one who never had any then: an administrator without codes has to set up a
// second factor when he signs in.
func (a Acting) RevokeCertificates(tx *store.Tx, name string) error {
	if _, err := a.find(tx, name); err != nil {
		return err
	}
	if err := tx.RevokePersonal(name, "operator", a.At); err != nil {
		return err
	}
	return a.note(tx, store.ActionDecertify, name, "ok")
}

// Users lists the users of a scope: those who may do nothing outside of it.
func (d *Desk) Users(ctx context.Context, scope rights.Scope) ([]store.User, error) {
	all, err := d.store.Users(ctx)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return slices.DeleteFunc(all, func(u store.User) bool { return !u.Scope.Within(scope) }), nil
}

// Hash makes the hash of a password that somebody sets for a user, in its turn.
func (d *Desk) Hash(ctx context.Context, user, password string) (string, error) {
	if err := CheckPassword(user, password); err != nil {
		return "", err
	}
	select {
	case d.hashes <- struct{}{}:
		defer func() { <-d.hashes }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return phc.New([]byte(password)).String(), nil
}

// Write changes users.
func (d *Desk) Write(ctx context.Context, do func(*store.Tx) error) error {
	if err := d.store.Write(context.WithoutCancel(ctx), do); err != nil {
		return fmt.Errorf("change users: %w", err)
	}
	return nil
}
