package codes

import (
	"context"
	"errors"
	"strings"

	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Resolver asks the owner of a kind of code whether a code is good, and says how the citizen counts as recognised. It fails
// with *Error, or with ctx's error when that ended first. It is safe for concurrent use and never logs the payload.
type Resolver interface {
	Resolve(ctx context.Context, kind Kind, payload device.Secret) (hallsync.Proof, error)
}

// None is the resolver of a hall that has nobody to ask.
type None struct{}

// Resolve implements Resolver.
func (None) Resolve(context.Context, Kind, device.Secret) (hallsync.Proof, error) {
	return "", &Error{Code: Unsupported}
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
func (Sim) Resolve(ctx context.Context, kind Kind, payload device.Secret) (hallsync.Proof, error) {
	prefix, proof := simYSS, hallsync.ProofYSS
	if kind == KindYSH {
		prefix, proof = simYSH, hallsync.ProofYSH
	}
	said, found := strings.CutPrefix(payload.Reveal(), prefix)
	switch {
	case !found || said == "" || strings.HasPrefix(said, "REFUSED"):
		return "", &Error{Code: Refused}
	case strings.HasPrefix(said, "EXPIRED"):
		return "", &Error{Code: Expired}
	case strings.HasPrefix(said, "OFFLINE"):
		return "", &Error{Code: Offline}
	case strings.HasPrefix(said, "SLOW"):
		<-ctx.Done()
		return "", ctx.Err()
	}
	return proof, nil
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
