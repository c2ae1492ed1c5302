package orders_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/orders"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

const hall = hallsync.HallID("440900000000001")

// clock is the box's: it is set by the test, and knows the latest time that was signed.
type clock struct{ now, floor time.Time }

func (c *clock) Learned(at time.Time) {
	if at.After(c.floor) {
		c.floor = at
	}
}

func (c *clock) Now() time.Time {
	if c.now.Before(c.floor) {
		return c.floor
	}
	return c.now
}

type stage struct {
	t     *testing.T
	file  string
	key   gm.PrivateKey
	clock *clock
	gate  *orders.Gate
}

func open(t *testing.T) *stage {
	t.Helper()
	key, err := gm.GenerateKey()
	must(t, err)
	s := &stage{t: t, file: filepath.Join(t.TempDir(), "orders.json"), key: key, clock: &clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}}
	s.start()
	return s
}

func (s *stage) start() {
	s.t.Helper()
	var err error
	s.gate, err = orders.Open(orders.Options{
		File: s.file, Hall: hall, Keys: func() []gm.PublicKey { return []gm.PublicKey{s.key.Public()} }, Clock: s.clock, Log: slog.New(slog.DiscardHandler),
	})
	must(s.t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stage) order(seq uint64, body string, at time.Time) []byte {
	s.t.Helper()
	raw, err := hallsync.Signed{
		Type: hallsync.SignedNotices, Hall: hall, Seq: seq, At: at, NotAfter: at.Add(24 * time.Hour), Body: []byte(body),
	}.Sign(s.key)
	must(s.t, err)
	return raw
}

// follow follows an order, or gives why not.
func (s *stage) follow(raw []byte) hallsync.Refusal {
	s.t.Helper()
	o, err := s.gate.Open(raw, hallsync.SignedNotices)
	var refused *hallsync.SignedError
	if errors.As(err, &refused) {
		return refused.Why
	}
	must(s.t, err)
	must(s.t, s.gate.Followed(o))
	return ""
}

// Threat 31: an order is followed once and in its turn, also after a restart.
func TestThreat31OldOrdersAreNotFollowedAgain(t *testing.T) {
	s := open(t)
	now := s.clock.now
	third := s.order(3, "third", now)
	for i, c := range []struct {
		raw  []byte
		want hallsync.Refusal
	}{
		{third, ""}, {third, ""}, {s.order(3, "third", now.Add(time.Minute)), ""}, // said again
		{s.order(3, "another third", now), hallsync.RefusedOld}, {s.order(2, "second", now), hallsync.RefusedOld}, {s.order(5, "fifth", now), ""},
		{s.order(4, "fourth", now), hallsync.RefusedOld}, {third, hallsync.RefusedOld},
	} {
		if got := s.follow(c.raw); got != c.want {
			t.Errorf("%d: %q, want %q", i, got, c.want)
		}
	}
	s.start()
	if got := s.follow(third); got != hallsync.RefusedOld {
		t.Errorf("after a restart: %q", got)
	}
	if got := s.follow(s.order(6, "sixth", now)); got != "" {
		t.Errorf("after a restart: %q", got)
	}
}

// What is not followed raises nothing: an order that was only read may be followed later.
func TestReadingIsNotFollowing(t *testing.T) {
	s := open(t)
	if _, err := s.gate.Open(s.order(9, "ninth", s.clock.now), hallsync.SignedNotices); err != nil {
		t.Fatal(err)
	}
	if got := s.follow(s.order(8, "eighth", s.clock.now)); got != "" {
		t.Errorf("%q", got)
	}
}

// An order that is over stays so when the clock is set back.
func TestOrdersEnd(t *testing.T) {
	s := open(t)
	now := s.clock.now
	old := s.order(1, "first", now.Add(-25*time.Hour))
	if got := s.follow(old); got != hallsync.RefusedExpired {
		t.Errorf("%q", got)
	}
	if got := s.follow(s.order(2, "second", now)); got != "" {
		t.Errorf("%q", got)
	}
	s.clock.now = now.AddDate(-1, 0, 0)
	if got := s.follow(s.order(3, "third", now.Add(-25*time.Hour))); got != hallsync.RefusedExpired {
		t.Errorf("with the clock set back: %q", got)
	}
}

// A file that nobody understands stops no hall.
func TestADamagedFileIsPutAside(t *testing.T) {
	for _, damage := range []string{"", "null", "{", `{"notices":{"seq":-1}}`} {
		s := open(t)
		must(t, os.WriteFile(s.file, []byte(damage), 0o600))
		s.start()
		if got := s.follow(s.order(1, "first", s.clock.now)); got != "" {
			t.Errorf("%q: %q", damage, got)
		}
		if _, err := os.Stat(s.file + ".bad"); err != nil {
			t.Errorf("%q: %v", damage, err)
		}
	}
}

// What cannot be remembered was not followed.
func TestWhatIsNotOnTheDiskWasNotFollowed(t *testing.T) {
	s := open(t)
	s.file = filepath.Join(t.TempDir(), "gone", "orders.json")
	s.start()
	o, err := s.gate.Open(s.order(3, "third", s.clock.now), hallsync.SignedNotices)
	must(t, err)
	if s.gate.Followed(o) == nil {
		t.Error("it is remembered nowhere")
	}
	if _, err := s.gate.Open(s.order(2, "second", s.clock.now), hallsync.SignedNotices); err != nil {
		t.Error(err)
	}
}

// Threat 31: orders without end are followed at a slow pace, so that a centre in the wrong hands empties no hall before people see it.
// What has to wait is good later, and what the centre says again costs nothing.
func TestThreat31AFloodOfOrdersIsFollowedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		now := s.clock.now
		var followed uint64
		for seq := range uint64(1000) {
			if got := s.follow(s.order(seq+1, "erase somebody", now)); got == "" {
				followed = seq + 1
			} else if got != hallsync.RefusedMany {
				t.Fatalf("order %d: %q", seq+1, got)
			}
		}
		if followed != 32 {
			t.Errorf("%d were followed at once", followed)
		}
		for range 100 {
			if got := s.follow(s.order(followed, "erase somebody", now)); got != "" {
				t.Fatalf("said again: %q", got)
			}
		}
		time.Sleep(time.Minute)
		if first, second := s.follow(s.order(1000, "erase somebody", now)), s.follow(s.order(1001, "erase somebody", now)); first != "" || second != hallsync.RefusedMany {
			t.Errorf("a minute later: %q %q", first, second)
		}
	})
}
