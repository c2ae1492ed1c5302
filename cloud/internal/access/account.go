package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/store"
)

// The codes of a Fault about one's own account.
const (
	CodeSame       problem.Code = "password_same"    // the new one is the old one
	CodeNotBegun   problem.Code = "factor_not_begun" // there is no secret to confirm
	CodeFactorCode problem.Code = "factor_code_wrong"
	CodeNoAccount  problem.Code = "no_account"   // a token is nobody's account
	CodeElsewhere  problem.Code = "account_oidc" // the unified identity platform keeps what he proves himself with
)

// Fault says that something can not be done as it was asked for.
type Fault struct {
	Code problem.Code
	Args map[string]string
}

func (e *Fault) Error() string { return "refused: " + string(e.Code) }

// ChangePassword gives somebody who is in another password. All of his sessions end; the cookie is that of a new one.
func (d *Desk) ChangePassword(ctx context.Context, who Who, a Attempt, password string) (*http.Cookie, Who, error) {
	if err := CheckPassword(who.User, password); err != nil {
		return nil, Who{}, err
	}
	if password == a.Password {
		return nil, Who{}, &Fault{Code: CodeSame}
	}
	u, done, err := d.own(ctx, who, &a, store.ActionPassword)
	if err != nil {
		return nil, Who{}, err
	}
	hash := phc.New([]byte(password)).String()
	done()
	if u.Origin == store.FromConfig {
		return nil, Who{}, &Fault{Code: CodeOfFile, Args: map[string]string{"name": u.Name}}
	}
	var text string
	err = d.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		cur, found, err := tx.User(u.Name)
		if err != nil {
			return err
		}
		if !found || cur.Disabled || cur.Password != u.Password {
			return &Refusal{Code: CodeEnded}
		}
		cur.Password, cur.MustChange = hash, false
		if err := tx.PutUser(cur); err != nil {
			return err
		}
		text, who, err = d.session(tx, cur, ByPassword, a.Remote, bound{who.certificate, who.Expires})
		if err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: d.now(), Actor: u.Name, By: ByPassword, Action: store.ActionPassword, Subject: u.Name, Result: "ok", Remote: a.Remote})
	})
	if err != nil {
		return nil, Who{}, fmt.Errorf("change password: %w", err)
	}
	return d.cookie(text, int(sessionLife.Seconds())), who, nil
}

// ownAccount refuses those whose password and second factor are not ours to change.
func ownAccount(who Who) error {
	switch who.By {
	case ByPassword:
		return nil
	case ByOIDC:
		return &Fault{Code: CodeElsewhere}
	}
	return &Fault{Code: CodeNoAccount}
}

// own checks the password of somebody who is in. done must be called then.
func (d *Desk) own(ctx context.Context, who Who, a *Attempt, action string) (store.User, func(), error) {
	if err := ownAccount(who); err != nil {
		return store.User{}, nil, err
	}
	a.User, a.action = who.User, action
	return d.prove(ctx, *a)
}

// BeginFactor gives somebody who is in a new secret, which counts when he has confirmed it. Who has a second factor needs a code of
// that.
func (d *Desk) BeginFactor(ctx context.Context, who Who, a Attempt) (Enrolment, error) {
	u, done, err := d.own(ctx, who, &a, store.ActionFactor)
	if err != nil {
		return Enrolment{}, err
	}
	defer done()
	if u.SecondFactor && a.Code == "" {
		return Enrolment{}, &Fault{Code: CodeFactorCode}
	}
	e, err := enrol(u.Name)
	if err != nil {
		return Enrolment{}, err
	}
	wrong := false
	err = d.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if u.SecondFactor {
			factor, err := d.takeCode(tx, u.Name, a, d.now())
			if wrong = factor == ""; err != nil || wrong {
				return err
			}
		}
		f, err := d.factorOf(tx, u.Name)
		if err != nil {
			return err
		}
		f.Pending = e.Secret
		return d.putFactor(tx, u.Name, f)
	})
	if err != nil {
		return Enrolment{}, fmt.Errorf("begin second factor: %w", err)
	}
	if wrong {
		return Enrolment{}, d.failed(ctx, u.Name, a, CodeWrongCode, string(CodeWrongCode))
	}
	return e, nil
}

// ConfirmFactor makes the secret that was begun the one of somebody who is in, if the code is of it. It gives his new recovery codes,
// and ends his other sessions.
func (d *Desk) ConfirmFactor(ctx context.Context, who Who, code, remote string) ([]string, error) {
	if err := ownAccount(who); err != nil {
		return nil, err
	}
	if !d.tries.Allow(origin.Network(remote)) {
		return nil, &Refusal{Code: CodeTooOften, RetryAfter: attemptPause}
	}
	codes, hashes := drawRecovery()
	wrong := false
	note := store.Audit{At: d.now(), Actor: who.User, By: ByPassword, Action: store.ActionFactor, Subject: who.User, Result: "ok", Remote: remote}
	err := d.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		f, err := d.factorOf(tx, who.User)
		if err != nil {
			return err
		}
		if f.Pending == "" {
			return &Fault{Code: CodeNotBegun}
		}
		step, good := stepOf(f.Pending, code, d.now(), 0)
		if wrong = !good; wrong {
			note.Result = string(CodeFactorCode)
			return tx.AddAudit(note)
		}
		if err := d.putFactor(tx, who.User, store.SecondFactor{Secret: f.Pending, Step: step}); err != nil {
			return err
		}
		if err := tx.PutRecoveryCodes(who.User, hashes); err != nil {
			return err
		}
		if err := tx.DropOtherSessions(who.User, who.session); err != nil {
			return err
		}
		return tx.AddAudit(note)
	})
	if err != nil {
		return nil, fmt.Errorf("confirm second factor: %w", err)
	}
	if wrong {
		return nil, &Fault{Code: CodeFactorCode}
	}
	return codes, nil
}

// RecoveryLeft counts the recovery codes that somebody who is in has left.
func (d *Desk) RecoveryLeft(ctx context.Context, who Who) (int, error) {
	return d.store.RecoveryCodes(ctx, who.User)
}

// sessionOf gives the id of the session that a cookie's text is of.
func sessionOf(text string) sessionID { return sha256.Sum256([]byte(text)) }
