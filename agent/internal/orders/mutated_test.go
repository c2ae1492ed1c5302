package orders_test

import (
	"errors"
	"testing"

	"halledge/agent/kit/gm/gmtest"
	"halledge/firmware-protocols/hallsync"
)

// Threat 31: an order of which anything was changed is not followed, and teaches the box no time.
func TestThreat31NoMutatedOrderIsFollowed(t *testing.T) {
	s := open(t)
	good := s.order(7, `{"bundles":[]}`, s.clock.now)
	gmtest.Mutated(good, gmtest.Mutations, func(m []byte) {
		var refused *hallsync.SignedError
		if _, err := s.gate.Open(m, hallsync.SignedNotices); !errors.As(err, &refused) {
			t.Errorf("%q: %v", m, err)
		}
	})
	if !s.clock.floor.IsZero() {
		t.Errorf("somebody told the time: %s", s.clock.floor)
	}
	if why := s.follow(good); why != "" {
		t.Errorf("the good one: %s", why)
	}
}
