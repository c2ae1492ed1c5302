package rights

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"halledge/firmware-protocols/hallsync"
)

// whole is how the prefix of all codes is written where it must be seen.
const whole = "all"

var prefix = regexp.MustCompile(`^[0-9]{2,15}$`)

// Scope is where somebody may do what his roles allow: the halls whose code begins with one of the prefixes. The prefix "" is that
// of every hall; without any prefix there is no hall.
type Scope []string

// Whole is the scope of all halls.
func Whole() Scope { return Scope{""} }

// PrefixError names something that no hall's code begins with.
type PrefixError struct{ Text string }

func (e *PrefixError) Error() string { return fmt.Sprintf("no hall's code begins with %q", e.Text) }

// ScopeOf makes a scope of prefixes; "" and "all" are that of every hall. What another prefix covers is left out. It fails with
// *PrefixError.
func ScopeOf(prefixes []string) (Scope, error) {
	s := Scope{}
	for _, p := range prefixes {
		if p == whole || p == "" {
			return Whole(), nil
		}
		if !prefix.MatchString(p) {
			return nil, &PrefixError{Text: p}
		}
	}
	for _, p := range prefixes {
		covered := slices.ContainsFunc(prefixes, func(o string) bool { return o != p && strings.HasPrefix(p, o) })
		if !covered && !slices.Contains(s, p) {
			s = append(s, p)
		}
	}
	slices.Sort(s)
	return s, nil
}

// ParseScope reads what String writes.
func ParseScope(text string) (Scope, error) { return ScopeOf(list(text)) }

// Covers reports whether a hall is in the scope.
func (s Scope) Covers(hall hallsync.HallID) bool {
	return slices.ContainsFunc(s, func(p string) bool { return strings.HasPrefix(string(hall), p) })
}

// Whole reports whether every hall is in the scope.
func (s Scope) Whole() bool { return slices.Contains(s, "") }

// OfHalls reports whether the scope is halls that are named, and no region: a new hall does not come into it by itself.
func (s Scope) OfHalls() bool {
	return !slices.ContainsFunc(s, func(p string) bool { return !hallsync.HallID(p).Valid() })
}

// Within reports whether all of the scope lies in another one. A scope without halls lies in that of all alone: whoever has one is nobody's
// of a part.
func (s Scope) Within(other Scope) bool {
	if len(s) == 0 {
		return other.Whole()
	}
	for _, p := range s {
		if !slices.ContainsFunc(other, func(o string) bool { return strings.HasPrefix(p, o) }) {
			return false
		}
	}
	return true
}

// String gives the prefixes with commas between them, and "all" for every hall.
func (s Scope) String() string {
	if s.Whole() {
		return whole
	}
	return strings.Join(s, ",")
}
