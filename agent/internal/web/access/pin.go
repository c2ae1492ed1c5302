package access

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"halledge/agent/kit/phc"
	"halledge/firmware-protocols/hallsync"
)

// PINs have 4 to 64 bytes.
const (
	MinPIN = 4
	MaxPIN = 64
)

// ErrPINLength says that a PIN is too short or too long.
var ErrPINLength = errors.New("a PIN of this length is not allowed")

// HashPIN gives the hash of a PIN as hall.yaml holds it.
func HashPIN(pin string) (string, error) {
	if len(pin) < MinPIN || len(pin) > MaxPIN {
		return "", ErrPINLength
	}
	return phc.New([]byte(pin)).String(), nil
}

// HashPIN is the function of that name, for requests: one is hashed at a time, as when people sign in.
func (d *Door) HashPIN(ctx context.Context, pin string) (string, error) {
	select {
	case d.hashing <- struct{}{}:
		defer func() { <-d.hashing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return HashPIN(pin)
}

// Guessable reports whether a PIN is among the first that anybody would try for a person: one digit over and over, digits in a row, his
// own number.
func Guessable(pin, staff string) bool {
	same, up, down := true, true, true
	for i := 1; i < len(pin); i++ {
		same = same && pin[i] == pin[0]
		up = up && pin[i] == pin[i-1]+1
		down = down && pin[i] == pin[i-1]-1
	}
	return same || up || down || pin == strings.TrimLeft(staff, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
}

// changeTime is how long the plan may take to have a new PIN in force.
const changeTime = 10 * time.Second

// changePIN has somebody whose PIN another has chosen choose his own; ok is false if the request is answered.
func (d *Door) changePIN(w http.ResponseWriter, r *http.Request, in signIn, p person) (now person, ok bool) {
	if in.NewPIN == "" {
		d.problem(w, http.StatusForbidden, PINChange, nil)
		return p, false
	}
	if strings.Trim(in.NewPIN, "0123456789") != "" || len(in.NewPIN) < MinPIN || in.NewPIN == in.PIN || Guessable(in.NewPIN, p.ID) {
		d.problem(w, http.StatusUnprocessableEntity, PINWeak, map[string]string{"low": strconv.Itoa(MinPIN), "high": strconv.Itoa(MaxPIN)})
		return p, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), changeTime)
	defer cancel()
	hash, err := d.HashPIN(ctx, in.NewPIN)
	if err == nil {
		err = d.opts.Repin(ctx, hallsync.StaffID(p.ID), hash)
	}
	if err == nil {
		now, err = d.awaitPIN(ctx, hallsync.StaffID(p.ID), hash)
	}
	if err != nil {
		d.opts.Log.Warn("PIN not changed", "staff", p.ID, "error", err)
		w.Header().Set("Retry-After", "2")
		d.problem(w, http.StatusServiceUnavailable, PINNotChanged, nil)
		return p, false
	}
	d.opts.Log.Info("PIN chosen", "staff", p.ID)
	return now, true
}

// awaitPIN waits until somebody works here with a PIN: a plan that was written is in force a moment later.
func (d *Door) awaitPIN(ctx context.Context, id hallsync.StaffID, hash string) (person, error) {
	for {
		d.mu.Lock()
		p, hired := d.staff[id], d.hired
		d.mu.Unlock()
		if p.PIN == hash {
			return p, nil
		}
		select {
		case <-hired:
		case <-ctx.Done():
			return person{}, ctx.Err()
		}
	}
}
