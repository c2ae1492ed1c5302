package access

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/store"
)

// Wrong passwords are counted by name and network together, so that nobody can lock out somebody who signs in from elsewhere.
// Who guesses one name from many networks, or many names from one, is slowed down instead: beyond a ceiling one attempt in
// slowPause is judged, for a name in each block of addresses and for a network. So a crowd that guesses a name delays only those
// who come from its own blocks. People are spared all that where they came from before.
const (
	maxFailures = 5                // wrong passwords in a row before a name is locked for a network
	lockFor     = 15 * time.Minute // and the time after which failures are forgotten

	maxByName    = 50 // failures of a name within lockFor before it is slowed
	maxByNetwork = 30 // and those of a network
	slowPause    = 30 * time.Second

	familiarFor = 90 * 24 * time.Hour
)

// One network may try to sign in this often: enough for a room of people behind one address, too little to fill the audit or to
// keep the machine hashing.
const (
	attemptPause = 2 * time.Second
	attemptBurst = 30
	maxNetworks  = 4096
)

// resultDisabled stands in the audit where the password was right and the user is disabled; the answer is that of a wrong one.
const resultDisabled = "user_disabled"

// Attempt is one try to sign in.
type Attempt struct {
	User, Password string
	Code           string // of the second factor, or a recovery code; empty while none is asked for
	Remote         string // address of the client
	Cookie         string // of the session the browser has, as Carried gives it: that session ends when a new one begins
	// Certificate is the one that the client has proved to have the key of; nil: none. It does instead of a code.
	Certificate *x509.Certificate
	action      string // what the password is for, as the audit says it; empty: to sign in
}

// SignIn checks a password, and the certificate or the code of who has a second factor. On success it gives the cookie to set; a *Refusal says why not.
// Whether there is such a user makes no difference to how failures are counted, and wrong codes count as wrong passwords do. The audit
// has every password that was judged.
func (d *Desk) SignIn(ctx context.Context, a Attempt) (*http.Cookie, Who, error) {
	u, done, err := d.prove(ctx, a)
	if err != nil {
		return nil, Who{}, err
	}
	defer done()
	return d.open(ctx, u, a)
}

// prove checks a password. It gives the user whose it is; done must be called when nothing that takes long is left to do.
func (d *Desk) prove(ctx context.Context, a Attempt) (u store.User, done func(), err error) {
	if !d.tries.Allow(origin.Network(a.Remote)) {
		return u, nil, &Refusal{Code: CodeTooOften, RetryAfter: attemptPause}
	}
	if len(a.User) > maxUser || len(a.Password) > maxPassword || len(a.Code) > maxUser || a.User == "" {
		return u, nil, &Refusal{Code: CodeWrong}
	}
	u, known, done, err := d.turn(ctx, a)
	if err != nil {
		var refusal *Refusal
		if errors.As(err, &refusal) {
			d.log.Warn("sign-in refused", "code", refusal.Code, "remote", a.Remote)
		}
		return u, nil, err
	}
	hash := d.decoy
	known = known && u.Origin != store.FromPlatform // who has no password
	if known {
		if hash, err = phc.Parse(u.Password); err != nil {
			done()
			return u, nil, fmt.Errorf("sign in: password of %s: %w", u.Name, err)
		}
	}
	right := hash.Matches([]byte(a.Password))
	if !right || !known || u.Disabled {
		result := string(CodeWrong)
		if right && u.Disabled {
			result = resultDisabled
		}
		done()
		return u, nil, d.failed(ctx, u.Name, a, CodeWrong, result)
	}
	return u, done, nil
}

// turn gives the user an attempt is for when it is its turn to be judged; done must be called then. Who may not try does not
// wait, and what changed while somebody waited counts.
func (d *Desk) turn(ctx context.Context, a Attempt) (u store.User, known bool, done func(), err error) {
	_, _, familiar, err := d.mayTry(ctx, a)
	if err != nil {
		return u, false, nil, err
	}
	line := d.strangers
	if familiar {
		line = d.regulars
	}
	select {
	case line <- struct{}{}:
		defer func() { <-line }()
	default:
		return u, false, nil, &Refusal{Code: CodeBusy, RetryAfter: busyPause}
	}
	select {
	case d.hashes <- struct{}{}:
	case <-ctx.Done():
		return u, false, nil, ctx.Err()
	}
	done = func() { <-d.hashes }
	if u, known, _, err = d.mayTry(ctx, a); err != nil {
		done()
		return u, false, nil, err
	}
	return u, known, done, nil
}

// mark stands for a name nobody has, in the audit as in the counts: what was typed may be a password. The same name has the same
// mark for as long as the program runs; afterwards nothing can be found out from it.
func (d *Desk) mark(user string) string {
	mac := hmac.New(sha256.New, d.markKey)
	mac.Write([]byte(user))
	return "?" + hex.EncodeToString(mac.Sum(nil)[:4])
}

// mayTry gives the user an attempt is for, with a mark for a name when there is none, and whether the network is familiar. It
// refuses an attempt whose name is locked for its network, or that comes too soon after too many failures.
func (d *Desk) mayTry(ctx context.Context, a Attempt) (u store.User, known, familiar bool, err error) {
	if u, known, err = d.store.User(ctx, a.User); err != nil {
		return u, false, false, fmt.Errorf("sign in: %w", err)
	}
	if !known {
		u.Name = d.mark(a.User)
	}
	now := d.now()
	past, err := d.store.Attempts(ctx, u.Name, origin.Network(a.Remote), now.Add(-lockFor), now.Add(-familiarFor))
	if err != nil {
		return u, false, false, fmt.Errorf("sign in: %w", err)
	}
	// A clock that was set back must not make a lock longer.
	if wait := past.Failures.Locked.Sub(now); wait > 0 && wait <= lockFor {
		return u, false, false, &Refusal{Code: CodeLocked, RetryAfter: wait}
	}
	if past.Familiar {
		return u, known, true, nil
	}
	last := time.Time{}
	if past.ByName.Failed >= maxByName {
		last = past.ByBlock.Last
	}
	if past.ByNetwork.Failed >= maxByNetwork && past.ByNetwork.Last.After(last) {
		last = past.ByNetwork.Last
	}
	if wait := last.Add(slowPause).Sub(now); wait > 0 && wait <= slowPause {
		return u, false, false, &Refusal{Code: CodeSlowed, RetryAfter: wait}
	}
	return u, known, false, nil
}

// open begins a session, and ends the one the browser had.
func (d *Desk) open(ctx context.Context, u store.User, a Attempt) (*http.Cookie, Who, error) {
	var text string
	var who Who
	var missing problem.Code
	now := d.now()
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
		note := store.Audit{At: now, Actor: u.Name, By: ByPassword, Action: store.ActionSignIn, Result: "ok", Remote: a.Remote}
		if note.Subject, missing, err = d.second(tx, cur, a, now); err != nil || missing == CodeWrongCode {
			return err
		}
		if missing != "" {
			note.Result = string(missing)
			return tx.AddAudit(note)
		}
		var with bound
		if note.Subject == FactorCertificate {
			with = bound{printOf(a.Certificate), a.Certificate.NotAfter}
		}
		if text, who, err = d.session(tx, cur, ByPassword, a.Remote, with); err != nil {
			return err
		}
		if err := d.replace(tx, a, now); err != nil {
			return err
		}
		return tx.AddAudit(note)
	})
	if err != nil {
		return nil, Who{}, fmt.Errorf("sign in: %w", err)
	}
	switch missing {
	case "":
	case CodeWrongCode:
		return nil, Who{}, d.failed(ctx, u.Name, a, CodeWrongCode, string(CodeWrongCode))
	default:
		return nil, Who{}, &Refusal{Code: missing}
	}
	if a.Cookie != "" {
		old := sessionOf(a.Cookie)
		d.end(CodeReplaced, func(h *hold) bool { return h.session == old })
	}
	return d.cookie(text, int(sessionLife.Seconds())), who, nil
}

// session stores a new session of a user, and gives its cookie's text.
func (d *Desk) session(tx *store.Tx, u store.User, by, remote string, with bound) (text string, who Who, err error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	text = base64.RawURLEncoding.EncodeToString(secret)
	now := d.now()
	s := store.Session{TokenHash: sessionOf(text), Name: u.Name, By: by, Certificate: with.certificate, Created: now, Used: now, Expires: now.Add(sessionLife)}
	if with.certificate != "" && with.until.Before(s.Expires) {
		s.Expires = with.until
	}
	if err := tx.SignedIn(u.Name, origin.Network(remote), now, now.Add(-familiarFor)); err != nil {
		return "", Who{}, err
	}
	return text, d.person(u, s), tx.AddSession(s, now)
}

// replace drops the session that the browser of an attempt had, whoever it was.
func (d *Desk) replace(tx *store.Tx, a Attempt, now time.Time) error {
	if a.Cookie == "" {
		return nil
	}
	old := sessionOf(a.Cookie)
	name, by, found, err := tx.SessionUser(old)
	if err != nil || !found {
		return err
	}
	if err := tx.DropSession(old); err != nil {
		return err
	}
	return tx.AddAudit(store.Audit{At: now, Actor: name, By: by, Action: store.ActionSignOut, Result: string(CodeReplaced), Remote: a.Remote})
}

// failed counts a failure, and locks the name for the network at the last one. Its error is a *Refusal with the code, or the lock's.
func (d *Desk) failed(ctx context.Context, name string, a Attempt, code problem.Code, result string) error {
	now := d.now()
	from := origin.Network(a.Remote)
	refusal := &Refusal{Code: code}
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
		return tx.AddAudit(store.Audit{At: now, Actor: name, By: ByPassword, Action: cmp.Or(a.action, store.ActionSignIn), Result: result, Remote: a.Remote})
	})
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	d.log.Warn("sign-in refused", "code", refusal.Code, "remote", a.Remote)
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
	if who.InSession() {
		d.end(CodeSignedOut, func(h *hold) bool { return h.session == who.session })
	}
	return d.cookie("", -1), nil
}
