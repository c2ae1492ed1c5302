package relay

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPace_wait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reason := rapid.SampledFrom([]Reason{CameraUnreachable, CameraLogin, CameraBusy, CameraNoStream, NodeRefused, NodeClosed}).Draw(t, "reason")
		n := rapid.IntRange(0, 1_000_000).Draw(t, "attempt")
		random := rapid.Float64Range(0, 0.999999).Draw(t, "random")
		p := defaultPaces().of(reason)
		got := p.wait(n, random)
		if got < p.floor || got >= p.floor+p.top {
			t.Fatalf("%s, attempt %d: %v is not from %v to %v", reason, n, got, p.floor, p.floor+p.top)
		}
		if next := p.wait(n+1, random); next < got {
			t.Fatalf("%s: attempt %d waits %v, the next one %v", reason, n, got, next)
		}
	})
}

// The waits that protect others are facts of the design, not of taste: cameras lock accounts and have few connections.
func TestPaces(t *testing.T) {
	p := defaultPaces()
	for reason, floor := range map[Reason]time.Duration{
		CameraLogin: 5 * time.Minute, CameraBusy: 30 * time.Second, CameraNoStream: time.Minute, CameraClosed: 0, NodeUnreachable: 0,
	} {
		if got := p.of(reason).wait(0, 0); got != floor {
			t.Errorf("%s waits at least %v, want %v", reason, got, floor)
		}
	}
	if got := p.of(CameraUnreachable).wait(0, 0.5); got != 500*time.Millisecond {
		t.Errorf("half of the first span is %v, want 500ms", got)
	}
	if got := p.of(CameraUnreachable).wait(50, 0.5); got != 30*time.Second {
		t.Errorf("half of the last span is %v, want 30s", got)
	}
}
