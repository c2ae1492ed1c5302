package session

import (
	"log/slog"
	"testing"
	"time"

	"halledge/drivers/device"
)

func TestTremblingFingerCallsOnePerson(t *testing.T) {
	var k Keys
	now := time.Unix(1000, 0)
	for i, step := range []struct {
		after time.Duration
		code  device.KeyCode
		want  bool
	}{
		{0, device.KeyNext, false},
		{RepeatAfter - 1, device.KeyNext, true},
		{RepeatAfter - 1, device.KeyNext, true}, // still the same trembling finger
		{RepeatAfter, device.KeyNext, false},
		{1, device.KeyRecall, false},
		{1, device.KeyRecall, false},
		{1, device.KeyNext, true},
	} {
		now = now.Add(step.after)
		if got := k.bounces(device.Key{Code: step.code, At: now}); got != step.want {
			t.Errorf("step %d: bounces %v, want %v", i, got, step.want)
		}
	}
}

// What nobody took, and what never came, is told with the next key that somebody takes.
func TestLostKeysAreCounted(t *testing.T) {
	s := New(Config{Name: "window-1.pad", Log: slog.New(slog.DiscardHandler)})
	k := s.NewKeys(1)
	for i, handed := range []bool{true, false, false} {
		if got := k.Hand(device.Key{Code: device.KeyRecall, Lost: i}); got != handed { // 0, 1 and 2 lost before it
			t.Errorf("key %d: handed out %v", i, got)
		}
	}
	if got := <-k.C(); got.Lost != 0 {
		t.Errorf("got %+v", got)
	}
	k.Lose(1)
	k.Hand(device.Key{Code: device.KeyPass})
	if got := <-k.C(); got.Lost != 1+1+1+2+1 {
		t.Errorf("got %+v", got)
	}
	k.Hand(device.Key{Code: device.KeyPass})
	if got := <-k.C(); got.Lost != 0 {
		t.Errorf("they are counted twice: %+v", got)
	}
	if c := s.Health().Counters; c.Jobs != 3 || c.Garbage != 2 {
		t.Errorf("counters %+v", c)
	}
}
