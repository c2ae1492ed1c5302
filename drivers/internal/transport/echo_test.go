package transport

import (
	"testing"
	"time"
)

func TestEchoesAreTakenOut(t *testing.T) {
	type step struct {
		write, read, want string
		late              time.Duration // after the step before
	}
	for name, steps := range map[string][]step{
		"none":                        {{write: "order"}, {read: "key", want: "key"}, {read: "order", want: "order"}},
		"whole":                       {{write: "order"}, {read: "order"}, {read: "key", want: "key"}},
		"in pieces":                   {{write: "order"}, {read: "or"}, {read: "der"}, {read: "key", want: "key"}},
		"with a key behind":           {{write: "order"}, {read: "orderkey", want: "key"}},
		"of two orders":               {{write: "one"}, {write: "two"}, {read: "onetwokey", want: "key"}},
		"while the second is written": {{write: "one"}, {read: "on"}, {write: "two"}, {read: "etwo"}, {read: "key", want: "key"}},
		"only its beginning":          {{write: "order"}, {read: "ork", want: "ork"}, {read: "ey", want: "ey"}},
		"its beginning, in pieces":    {{write: "order"}, {read: "or"}, {read: "key", want: "orkey"}},
		"too late":                    {{write: "order"}, {read: "order", want: "order", late: echoWithin}},
		"too late in the middle":      {{write: "order"}, {read: "or"}, {read: "der", want: "order", late: echoWithin}},
		"the same said later":         {{write: "order"}, {read: "order"}, {read: "order", want: "order"}},
		"of an order too long":        {{write: string(make([]byte, echoMost+1))}, {read: "key", want: "key"}},
	} {
		t.Run(name, func(t *testing.T) {
			var e echo
			now := time.Unix(1, 0)
			for _, s := range steps {
				now = now.Add(s.late)
				if s.write != "" {
					e.wrote([]byte(s.write), now)
					continue
				}
				if got := string(e.strip([]byte(s.read), now)); got != s.want {
					t.Errorf("of %q is left %q, want %q", s.read, got, s.want)
				}
			}
		})
	}
}
