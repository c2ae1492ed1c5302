// Package codes gives the meaning of a scanned code: an own ticket, a 粤省事码 or 粤商码, an identity number, or nothing known.
//
// Nothing about foreign codes is built in: rules say how they look, and a Resolver asks their owner whether they are good.
// A payload is a secret. It is compared, signed and resolved, but never stored and never logged.
package codes

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Kind is what a code is.
type Kind string

// The kinds.
const (
	KindTicket   Kind = "ticket"    // the QR code of one of our slips
	KindYSS      Kind = "yss_code"  // 粤省事码, a natural person
	KindYSH      Kind = "ysh_code"  // 粤商码, a business
	KindIDNumber Kind = "idcard_no" // an identity number: it proves nothing, the card must be shown
)

// Result is what a scan came to. Nothing in it says who the citizen is.
type Result struct {
	Kind   Kind
	Ticket hallsync.TicketID // of KindTicket
	Person string            // keyed digest of the citizen's identity number, if the code's owner told it
	Proof  hallsync.Proof    // how the citizen is recognised; none for KindTicket and KindIDNumber
}

// Code is the stable reason why a scan leads nowhere; messages/zh-CN.yaml has a sentence for each.
type Code string

// The reasons.
const (
	Unknown     Code = "scan_unknown"       // no rule knows it
	Used        Code = "code_used"          // shown before, elsewhere or too long ago
	Expired     Code = "code_expired"       // its owner says that its time is over
	Refused     Code = "code_refused"       // its owner does not accept it
	Unsupported Code = "code_not_supported" // this hall has nobody to ask about it
	Offline     Code = "resolver_offline"   // its owner cannot be reached
	Slow        Code = "resolver_timeout"   // its owner does not answer
)

// Error says why a scan leads nowhere. Length is the payload's length in bytes.
type Error struct {
	Code   Code
	Length int
	Err    error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "codes: " + string(e.Code)
	}
	return "codes: " + string(e.Code) + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// maxPayload is the most a QR code can hold (version 40, level L).
const maxPayload = 2953

// resolveTime bounds one question to a resolver: somebody is standing in front of the screen.
const resolveTime = 1500 * time.Millisecond

// Options of New. Signer and Log are required; without a Resolver foreign codes are answered with Unsupported.
type Options struct {
	Signer   *Signer
	Rules    []Rule
	Resolver Resolver
	Log      *slog.Logger
}

// Recogniser tells what scans are. It is safe for concurrent use.
type Recogniser struct {
	opts    Options
	replay  *replayGuard
	breaker breaker
}

// New gives a recogniser.
func New(o Options) *Recogniser {
	if o.Resolver == nil {
		o.Resolver = None{}
	}
	return &Recogniser{opts: o, replay: newReplayGuard()}
}

// Recognise tells what was scanned at a place ("kiosk-1", "window-3", "desk"). It fails with *Error.
func (r *Recogniser) Recognise(ctx context.Context, place string, payload device.Secret) (Result, error) {
	text := strings.Trim(payload.Reveal(), " \t\r\n")
	res, err := r.recognise(ctx, place, text)
	if err != nil {
		err.Length = len(text)
		r.opts.Log.Info("scan refused", "place", place, "code", string(err.Code), "length", len(text))
		return Result{}, err
	}
	r.opts.Log.Info("scan recognised", "place", place, "kind", string(res.Kind), "length", len(text))
	return res, nil
}

func (r *Recogniser) recognise(ctx context.Context, place, text string) (Result, *Error) {
	if text == "" || len(text) > maxPayload {
		return Result{}, &Error{Code: Unknown}
	}
	if id, ok := r.opts.Signer.Verify(tokenIn(text)); ok {
		return Result{Kind: KindTicket, Ticket: id, Proof: hallsync.ProofNone}, nil
	}
	for i := range r.opts.Rules {
		if r.opts.Rules[i].matches(text) {
			return r.foreign(ctx, place, r.opts.Rules[i].Kind, text)
		}
	}
	if isIDNumber(text) {
		return Result{Kind: KindIDNumber, Proof: hallsync.ProofNone}, nil
	}
	return Result{}, &Error{Code: Unknown}
}

// foreign asks the resolver about a code, unless it was shown before or the resolver is known to be down.
func (r *Recogniser) foreign(ctx context.Context, place string, kind Kind, text string) (Result, *Error) {
	print := r.replay.print(text)
	first, seen := r.replay.begin(print, place)
	switch {
	case seen && first == nil:
		return Result{}, &Error{Code: Used}
	case seen:
		return *first, nil
	}
	proof, err := r.resolve(ctx, kind, text)
	if err != nil {
		r.replay.forget(print) // it counted for nothing and may be shown again
		return Result{}, err
	}
	res := Result{Kind: kind, Proof: proof}
	r.replay.keep(print, res)
	return res, nil
}

func (r *Recogniser) resolve(ctx context.Context, kind Kind, text string) (hallsync.Proof, *Error) {
	if !r.breaker.allow() {
		return "", &Error{Code: Offline}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	proof, err := r.opts.Resolver.Resolve(ctx, kind, device.NewSecret(text))
	e := asError(ctx, err)
	r.breaker.report(e == nil || e.Code != Offline && e.Code != Slow)
	return proof, e
}
