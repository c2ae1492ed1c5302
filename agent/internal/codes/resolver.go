package codes

import (
	"context"
	"errors"
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Question is a code somebody wants to be recognised by.
type Question struct {
	Kind    Kind
	Place   string
	Purpose hallsync.Purpose
	Payload device.Secret
	Index   []string // which keys of the hall's index it wants names by
}

// Answer is what the owner of a code says of a good one.
type Answer struct {
	Names   []string      // keyed digests of the citizen's number, by the centre; none: nobody told
	Number  device.Secret // the number itself, by the province; it is digested at once and forgotten
	Expires time.Time     // end of the code's life; zero: nobody told
}

// Resolver asks the owner of a kind of code whether a code is good. It fails with *Error, or with ctx's error when that ended first. It
// is safe for concurrent use and never logs the payload.
type Resolver interface {
	Resolve(ctx context.Context, q Question) (Answer, error)
}

// None is the resolver of a hall that has nobody to ask.
type None struct{}

// Resolve implements Resolver.
func (None) Resolve(context.Context, Question) (Answer, error) {
	return Answer{}, &Error{Code: Unsupported}
}

// Sim stands in for the province's service in demonstrations and tests: it accepts YSS-SIM-… and YSH-SIM-… codes. What follows
// may begin with EXPIRED, REFUSED, OFFLINE or SLOW to play those cases.
type Sim struct{}

// The prefixes of the codes Sim accepts.
const (
	simYSS = "YSS-SIM-"
	simYSH = "YSH-SIM-"
)

// SimRules are the rules that recognise the codes of Sim.
func SimRules() []Rule {
	return []Rule{{Kind: KindYSS, Prefix: simYSS}, {Kind: KindYSH, Prefix: simYSH}}
}

// Resolve implements Resolver.
func (Sim) Resolve(ctx context.Context, q Question) (Answer, error) {
	prefix := simYSS
	if q.Kind == KindYSH {
		prefix = simYSH
	}
	said, found := strings.CutPrefix(q.Payload.Reveal(), prefix)
	switch {
	case !found || said == "" || strings.HasPrefix(said, "REFUSED"):
		return Answer{}, &Error{Code: Refused}
	case strings.HasPrefix(said, "EXPIRED"):
		return Answer{}, &Error{Code: Expired}
	case strings.HasPrefix(said, "OFFLINE"):
		return Answer{}, &Error{Code: Offline}
	case strings.HasPrefix(said, "SLOW"):
		<-ctx.Done()
		return Answer{}, ctx.Err()
	}
	return Answer{}, nil
}

// asError gives what a resolver failed with as *Error: a resolver that ran out of time is slow, any other failure is offline.
func asError(ctx context.Context, err error) *Error {
	if err == nil {
		return nil
	}
	if own := (*Error)(nil); errors.As(err, &own) {
		return &Error{Code: own.Code, Err: own.Err}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Code: Slow, Err: err}
	}
	return &Error{Code: Offline, Err: err}
}
