// Package codes gives the meaning of a scanned code: an own ticket, an appointment, a 粤省事码 or 粤商码, an identity number, or nothing
// known.
//
// Nothing about foreign codes is built in: rules of a file say how they look, and a Resolver asks their owner whether they are good.
// A payload is a secret. It is compared, signed and resolved, but never stored and never logged.
package codes

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"halledge/agent/kit/breaker"
	"halledge/agent/kit/replay"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Kind is what a code is.
type Kind string

// The kinds.
const (
	KindTicket      Kind = "ticket"      // the QR code of one of our slips
	KindAppointment Kind = "appointment" // a booking, by its code or its number
	KindYSS         Kind = "yss_code"    // 粤省事码, a natural person
	KindYSH         Kind = "ysh_code"    // 粤商码, a business
	KindIDNumber    Kind = "idcard_no"   // an identity number: it proves nothing, the card must be shown

	kindVillage Kind = "village_code" // 一村一码: a page of a village
	kindForeign Kind = "foreign"      // known, and of no use here: payment, transport, health
)

// Result is what a scan came to. Nothing in it says who the citizen is.
type Result struct {
	Kind    Kind
	Ticket  hallsync.TicketID  // of KindTicket, and the one that was taken with a code shown before
	Booking hallsync.BookingID // of KindAppointment
	Names   []string           // keyed digests of the citizen's identity number, the one to use first, if the code's owner told it
	Proof   hallsync.Proof     // how the citizen is recognised; none for what is no code of a citizen
	Code    replay.Mark        // stands for the code in Took; zero for what may be shown as often as one likes
}

// Code is the stable reason why a scan leads nowhere; messages/zh-CN.yaml has a sentence for each.
type Code string

// The reasons.
const (
	Unknown     Code = "scan_unknown"        // no rule knows it
	Foreign     Code = "code_foreign"        // known, and nothing of ours
	Village     Code = "code_village"        // a village's page
	Credit      Code = "code_uscc"           // a unified social credit code: it proves nothing, the 粤商码 must be shown
	Used        Code = "code_used"           // shown before, elsewhere or too long ago
	Expired     Code = "code_expired"        // its owner says that its time is over
	Refused     Code = "code_refused"        // its owner does not accept it
	Nobody      Code = "code_not_registered" // its owner knows nobody by it
	Barred      Code = "code_forbidden"      // its owner does not let it be used here
	Busy        Code = "code_busy"           // its owner is asked too often
	Unsupported Code = "code_not_supported"  // this hall has nobody to ask about it
	Offline     Code = "resolver_offline"    // its owner cannot be reached
	Slow        Code = "resolver_timeout"    // its owner does not answer
	Wrong       Code = "resolver_wrong"      // its owner's answer is none, or not his
)

// unanswered reports whether nobody said anything about the code: neither good nor bad.
func (c Code) unanswered() bool { return c == Offline || c == Slow || c == Wrong }

// Error says why a scan leads nowhere. Length is the payload's length in bytes. When nobody could be asked, Pending is what the citizen
// may have for the time being: a ticket whose holder shows his card at the window.
type Error struct {
	Code    Code
	Length  int
	Pending *Result
	Err     error
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

// resolveTime bounds one question with all its tries: somebody is standing in front of the screen, and is told something within 3 s.
const resolveTime = 2500 * time.Millisecond

// Options of New. Signer and Log are required; without a Resolver foreign codes are answered with Unsupported.
type Options struct {
	Signer   *Signer
	Rules    func() []Rule // in force now; nil: none
	Resolver Resolver
	Log      *slog.Logger
}

// Recogniser tells what scans are. It is safe for concurrent use.
type Recogniser struct {
	opts    Options
	replay  *replay.Guard[Result]
	breaker breaker.Breaker
}

// New gives a recogniser.
func New(o Options) *Recogniser {
	if o.Resolver == nil {
		o.Resolver = None{}
	}
	if o.Rules == nil {
		o.Rules = func() []Rule { return nil }
	}
	return &Recogniser{opts: o, replay: replay.New[Result]()}
}

// Down reports whether codes are not resolved for the time being, because nobody answers.
func (r *Recogniser) Down() bool { return r.breaker.Open() }

// Recognise tells what was scanned at a place ("kiosk-1", "window-3", "desk"). It fails with *Error.
func (r *Recogniser) Recognise(ctx context.Context, place string, payload device.Secret) (Result, error) {
	text := strings.Trim(payload.Reveal(), " \t\r\n")
	begun := time.Now()
	res, err := r.recognise(ctx, place, text)
	log := r.opts.Log.With("place", place, "length", len(text), "cost_ms", time.Since(begun).Milliseconds())
	if err != nil {
		err.Length = len(text)
		if err.Err != nil {
			log = log.With("cause", err.Err)
		}
		log.Info("scan refused", "code", string(err.Code))
		return Result{}, err
	}
	log.Info("scan recognised", "kind", string(res.Kind))
	return res, nil
}

// Took says that a code led to a ticket at a place: shown there again it gives this ticket, and shown elsewhere nothing.
func (r *Recogniser) Took(place string, code replay.Mark, kind Kind, ticket hallsync.TicketID) {
	if code != (replay.Mark{}) {
		r.replay.Bind(code, place, Result{Kind: kind, Ticket: ticket, Proof: hallsync.ProofNone})
	}
}

func (r *Recogniser) recognise(ctx context.Context, place, text string) (Result, *Error) {
	if text == "" || len(text) > maxPayload {
		return Result{}, &Error{Code: Unknown}
	}
	if id, ok := r.opts.Signer.Verify(tokenIn(text)); ok {
		return Result{Kind: KindTicket, Ticket: id, Proof: hallsync.ProofNone}, nil
	}
	rule, found := match(r.opts.Rules(), text)
	switch {
	case found && rule.Kind == KindAppointment:
		return Result{Kind: KindAppointment, Booking: hallsync.BookingID(rule.booking(text)), Proof: hallsync.ProofNone}, nil
	case isIDNumber(text): // before the rules for codes: a number is never sent anywhere as one
		return Result{Kind: KindIDNumber, Proof: hallsync.ProofNone}, nil
	case isCreditCode(text):
		return Result{}, &Error{Code: Credit}
	case !found:
		return Result{}, &Error{Code: Unknown}
	}
	switch rule.Kind {
	case kindVillage:
		return Result{}, &Error{Code: Village}
	case kindForeign:
		return Result{}, &Error{Code: Foreign}
	}
	return r.foreign(ctx, place, rule.Kind, text)
}

// foreign asks the resolver about a code, unless it was shown before or the resolver is known to be down.
func (r *Recogniser) foreign(ctx context.Context, place string, kind Kind, text string) (Result, *Error) {
	mark := r.replay.Mark(text)
	first, state := r.replay.Begin(mark, place)
	switch state {
	case replay.Used:
		return Result{}, &Error{Code: Used}
	case replay.Again:
		return first, nil
	}
	q := Question{Kind: kind, Place: place, Purpose: purposeAt(place), Payload: device.NewSecret(text), Index: r.opts.Signer.Index()}
	answer, err := r.resolve(ctx, q)
	if err != nil {
		r.replay.Forget(mark) // it counted for nothing and may be shown again
		if err.Code.unanswered() && q.Purpose == hallsync.ToTake {
			err.Pending = &Result{Kind: kind, Proof: proofOf(kind), Code: mark}
		}
		return Result{}, err
	}
	res := Result{Kind: kind, Proof: proofOf(kind), Names: answer.Names, Code: mark}
	if names := r.opts.Signer.Names(answer.Number); len(names) > 0 {
		res.Names = names
	}
	return r.replay.Keep(mark, place, res, answer.Expires), nil
}

func (r *Recogniser) resolve(ctx context.Context, q Question) (Answer, *Error) {
	if !r.breaker.Allow() {
		return Answer{}, &Error{Code: Offline}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	answer, err := r.opts.Resolver.Resolve(ctx, q)
	e := asError(ctx, err)
	r.breaker.Report(e == nil || !e.Code.unanswered())
	return answer, e
}

// purposeAt is what a code is shown for at a place.
func purposeAt(place string) hallsync.Purpose {
	if strings.HasPrefix(place, "window-") {
		return hallsync.ToIdentify
	}
	return hallsync.ToTake
}

func proofOf(k Kind) hallsync.Proof {
	if k == KindYSH {
		return hallsync.ProofYSH
	}
	return hallsync.ProofYSS
}
