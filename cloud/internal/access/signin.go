package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"halledge/agent/kit/phc"
	"halledge/cloud/internal/store"
)

// Wrong passwords are counted by name and network together, so that nobody can lock out somebody who signs in from elsewhere.
// Who guesses one name from many networks, or many names from one, is slowed down instead: beyond a ceiling one attempt in
// slowPause is judged. That spares people who come from where they came from before.
const (
	maxFailures = 5                // wrong passwords in a row before a name is locked for a network
	lockFor     = 15 * time.Minute // and the time after which failures are forgotten

	maxByName    = 50 // failures of a name within lockFor before it is slowed
	maxByNetwork = 30 // and those of a network
	slowPause    = 30 * time.Second

	familiarFor = 90 * 24 * time.Hour
)

// resultDisabled stands in the audit where the password was right and the user is disabled; the answer is that of a wrong one.
const resultDisabled = "user_disabled"

// SignIn checks a password. On success it gives the cookie to set; a *Refusal says why not. Whether there is such a user makes no
// difference to how failures are counted. The audit has every password that was judged.
func (d *Desk) SignIn(ctx context.Context, user, password, remote string) (*http.Cookie, Who, error) {
	from := network(remote)
	if !d.attempts.allow(from) {
		return nil, Who{}, &Refusal{Code: CodeTooOften, RetryAfter: attemptPause}
	}
	if len(user) > maxUser || len(password) > maxPassword || user == "" {
		return nil, Who{}, &Refusal{Code: CodeWrong}
	}
	select {
	case d.hashes <- struct{}{}:
		defer func() { <-d.hashes }()
	case <-ctx.Done():
		return nil, Who{}, ctx.Err()
	}
	u, known, err := d.store.User(ctx, user)
	if err != nil {
		return nil, Who{}, fmt.Errorf("sign in: %w", err)
	}
	if !known {
		u.Name = d.mark(user)
	}
	if err := d.mayTry(ctx, u.Name, from); err != nil {
		var refusal *Refusal
		if errors.As(err, &refusal) {
			d.log.Warn("sign-in refused", "code", refusal.Code, "remote", remote)
		}
		return nil, Who{}, err
	}
	hash := d.decoy
	if known {
		if hash, err = phc.Parse(u.Password); err != nil {
			return nil, Who{}, fmt.Errorf("sign in: password of %s: %w", u.Name, err)
		}
	}
	right := hash.Matches([]byte(password))
	if !right || !known || u.Disabled {
		result := string(CodeWrong)
		if right && u.Disabled {
			result = resultDisabled
		}
		return nil, Who{}, d.failed(ctx, u.Name, from, remote, result)
	}
	return d.open(ctx, u, from, remote)
}

// mark stands for a name nobody has, in the audit as in the counts: what was typed may be a password. The same name has the same
// mark for as long as the program runs; afterwards nothing can be found out from it.
func (d *Desk) mark(user string) string {
	mac := hmac.New(sha256.New, d.markKey)
	mac.Write([]byte(user))
	return "?" + hex.EncodeToString(mac.Sum(nil)[:4])
}

// mayTry refuses an attempt whose name is locked for its network, or that comes too soon after too many failures.
func (d *Desk) mayTry(ctx context.Context, name, from string) error {
	now := d.now()
	a, err := d.store.Attempts(ctx, name, from, now.Add(-lockFor), now.Add(-familiarFor))
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	// A clock that was set back must not make a lock longer.
	if wait := a.Failures.Locked.Sub(now); wait > 0 && wait <= lockFor {
		return &Refusal{Code: CodeLocked, RetryAfter: wait}
	}
	if a.Familiar {
		return nil
	}
	last := time.Time{}
	if a.ByName.Failed >= maxByName {
		last = a.ByName.Last
	}
	if a.ByNetwork.Failed >= maxByNetwork && a.ByNetwork.Last.After(last) {
		last = a.ByNetwork.Last
	}
	if wait := last.Add(slowPause).Sub(now); wait > 0 && wait <= slowPause {
		return &Refusal{Code: CodeSlowed, RetryAfter: wait}
	}
	return nil
}

// open begins a session.
func (d *Desk) open(ctx context.Context, u store.User, from, remote string) (*http.Cookie, Who, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	text := base64.RawURLEncoding.EncodeToString(secret)
	now := d.now()
	who := Who{User: u.Name, Name: u.FullName, Role: u.Role, By: ByPassword, Expires: now.Add(sessionLife), session: sha256.Sum256([]byte(text))}
	// What was judged is written down, whether or not the browser still waits.
	err := d.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		// The password took its time to judge: it may have been changed meanwhile.
		cur, found, err := tx.User(u.Name)
		if err != nil {
			return err
		}
		if !found || cur.Disabled || cur.Password != u.Password {
			return &Refusal{Code: CodeWrong}
		}
		if err := tx.SignedIn(u.Name, from, now, now.Add(-familiarFor)); err != nil {
			return err
		}
		s := store.Session{TokenHash: who.session, Name: u.Name, Created: now, Used: now, Expires: who.Expires}
		if err := tx.AddSession(s, now); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: now, Actor: u.Name, By: ByPassword, Action: store.ActionSignIn, Result: "ok", Remote: remote})
	})
	if err != nil {
		return nil, Who{}, fmt.Errorf("sign in: %w", err)
	}
	return d.cookie(text, int(sessionLife.Seconds())), who, nil
}

// failed counts a failure, and locks the name for the network at the last one.
func (d *Desk) failed(ctx context.Context, name, from, remote, result string) error {
	now := d.now()
	refusal := &Refusal{Code: CodeWrong}
	err := d.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		f, err := tx.Failures(name, from)
		if err != nil {
			return err
		}
		if now.Sub(f.Last) > lockFor {
			f = store.Failures{Name: name, Network: from}
		}
		f.Failed, f.Last = f.Failed+1, now
		if f.Failed >= maxFailures {
			f.Locked = now.Add(lockFor)
			refusal = &Refusal{Code: CodeLocked, RetryAfter: lockFor}
			result = string(CodeLocked)
		}
		if err := tx.PutFailures(f, now.Add(-lockFor)); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: now, Actor: name, By: ByPassword, Action: store.ActionSignIn, Result: result, Remote: remote})
	})
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	d.log.Warn("sign-in refused", "code", refusal.Code, "remote", remote)
	return refusal
}

// SignOut ends a session and all that holds on to it, and gives the cookie that takes the browser's away. A token has no session
// to end.
func (d *Desk) SignOut(ctx context.Context, who Who, remote string) (*http.Cookie, error) {
	err := d.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := tx.DropSession(who.session); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: d.now(), Actor: who.User, By: who.By, Action: store.ActionSignOut, Result: "ok", Remote: remote})
	})
	if err != nil {
		return nil, fmt.Errorf("sign out: %w", err)
	}
	if who.By == ByPassword {
		d.end(CodeSignedOut, func(h *hold) bool { return h.session == who.session })
	}
	return d.cookie("", -1), nil
}
