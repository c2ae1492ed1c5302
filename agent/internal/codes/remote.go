package codes

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/kit/gm"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// One question may take tryTime, and the second, asked only when the first did not arrive, againTime.
const (
	tryTime   = 1500 * time.Millisecond
	againTime = 800 * time.Millisecond
)

// Remote asks over the network, signed with the hall's SM2 key: the centre, which asks the province, or the province itself. Both
// speak the same (hallsync.CodeQuestion), so only the address and the far end's key differ.
type Remote struct {
	hall   hallsync.HallID
	caller *gm.Caller
}

// NewRemote gives the resolver that a checked configuration asks for. now is the hall's time.
func NewRemote(hall hallsync.HallID, c config.Codes, now func() time.Time) (*Remote, error) {
	key, err := gm.ParsePrivateKey(c.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("codes: key: %w", err)
	}
	roots, err := rootsIn(c.CA)
	if err != nil {
		return nil, fmt.Errorf("codes: ca: %w", err)
	}
	return &Remote{hall, &gm.Caller{
		URL: c.URL, Name: string(hall), Key: key, Peer: c.Peer.PublicKey, Client: gm.NewClient(roots), Now: now,
	}}, nil
}

// rootsIn reads the issuers trusted with the far end's certificate; none are named for "".
func rootsIn(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in the file")
	}
	return roots, nil
}

// Resolve implements Resolver.
func (r *Remote) Resolve(ctx context.Context, q Question) (Answer, error) {
	body, err := json.Marshal(hallsync.CodeQuestion{
		Hall: r.hall, Place: q.Place, Proof: proofOf(q.Kind), Purpose: q.Purpose, Payload: q.Payload.Reveal(), Index: q.Index,
	})
	if err != nil {
		return Answer{}, &Error{Code: Refused, Err: errors.New("cannot be written as JSON")}
	}
	status, raw, err := r.ask(ctx, body, tryTime)
	var failed *gm.CallError
	if errors.As(err, &failed) && failed.Failure == gm.Unreached {
		status, raw, err = r.ask(ctx, body, againTime)
	}
	if err != nil {
		return Answer{}, failureOf(err)
	}
	return understand(status, raw)
}

func (r *Remote) ask(ctx context.Context, body []byte, within time.Duration) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return r.caller.Call(ctx, body)
}

// failureOf tells what a call without an answer means for the citizen.
func failureOf(err error) *Error {
	var failed *gm.CallError
	if errors.As(err, &failed) {
		switch failed.Failure {
		case gm.Late:
			return &Error{Code: Slow, Err: err}
		case gm.Forged:
			return &Error{Code: Wrong, Err: err}
		}
	}
	return &Error{Code: Offline, Err: err}
}

// person is the form of a keyed digest.
var person = regexp.MustCompile(`^[0-9a-f]{32}$`)

// understand reads a signed answer. Whatever is not exactly of its form is wrong.
func understand(status int, raw []byte) (Answer, error) {
	var a hallsync.CodeAnswer
	if status != http.StatusOK || json.Unmarshal(raw, &a) != nil {
		return Answer{}, &Error{Code: Wrong, Err: fmt.Errorf("answer with status %d", status)}
	}
	if code, known := reasons()[a.Status]; known {
		return Answer{}, &Error{Code: code}
	}
	if a.Status != hallsync.CodeGood || a.Number != "" && !isIDNumber(a.Number) && !isCreditCode(a.Number) ||
		slices.ContainsFunc(a.Persons, func(p string) bool { return !person.MatchString(p) }) {
		return Answer{}, &Error{Code: Wrong, Err: errors.New("answer that is not of its form")}
	}
	return Answer{Names: a.Persons, Number: device.NewSecret(a.Number), Expires: a.Expires}, nil
}

// reasons gives for each answer that says no what the citizen is told.
func reasons() map[hallsync.CodeStatus]Code {
	return map[hallsync.CodeStatus]Code{
		hallsync.CodeExpired: Expired, hallsync.CodeUsed: Used, hallsync.CodeRefused: Refused, hallsync.CodeNobody: Nobody,
		hallsync.CodeBarred: Barred, hallsync.CodeBusy: Busy, hallsync.CodeDown: Offline, hallsync.CodeSlow: Slow,
	}
}

// NewResolver gives the resolver that a site's checked configuration asks for, and the rules that belong to it.
func NewResolver(hall hallsync.HallID, c config.Codes, now func() time.Time) (Resolver, []Rule, error) {
	switch c.Resolver {
	case "sim":
		return Sim{}, SimRules(), nil
	case "remote":
		r, err := NewRemote(hall, c, now)
		return r, nil, err
	case "", "none":
		return None{}, nil, nil
	}
	return nil, nil, fmt.Errorf("codes: unknown resolver %q", c.Resolver)
}
