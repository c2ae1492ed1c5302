package transport

import (
	"testing"
	"time"
)

// Who answers now and then is one of those who answer; only who was never heard, or is silent for long, waits until the line can be spared.
func TestWhoIsAbsent(t *testing.T) {
	b := &bus{turn: make(chan struct{}, 1), began: time.Now()}
	b.turn <- struct{}{}
	s := &share{bus: b, absent: true}
	for i, step := range []struct{ heard, absent bool }{
		{false, true}, {true, false}, {false, false}, {false, false}, {true, false}, {false, false}, {false, false}, {false, true}, {false, true}, {true, false},
	} {
		b.spared.Store(0)
		release, err := s.Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.wrote, s.heard = true, step.heard
		release()
		if s.absent != step.absent {
			t.Errorf("after question %d: absent %v", i+1, s.absent)
		}
		if spared := b.spared.Load() > 0; spared == step.heard {
			t.Errorf("after question %d: the line is spared %v", i+1, spared)
		}
	}
	release, err := s.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release() // nothing was asked
	if s.absent || s.missed != 0 {
		t.Error("a turn without a question counts")
	}
}
