package session_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
)

const patience = 10 * time.Second // for things that must happen, however slow the machine

// TestSessionsOnOneBus runs the sessions of four devices on one pair, which is pulled and plugged again: each always gets its own
// answers, and all come back.
func TestSessionsOnOneBus(t *testing.T) {
	line := farend.NewPTY(filepath.Join(t.TempDir(), "bus"), func(rw io.ReadWriter) { _, _ = io.Copy(rw, rw) })
	t.Cleanup(func() {
		if err := line.Unplug(); err != nil {
			t.Error(err)
		}
	})
	var ports transport.Ports
	spec := transport.Spec{Serial: line.Path()}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 4)
	var sessions []*session.Session
	for unit := range byte(cap(ended)) {
		s := session.New(session.Config{Name: "window.pad", Node: spec.Path(), Log: slog.New(slog.DiscardHandler)})
		sessions = append(sessions, s)
		open := func(ctx context.Context) (transport.Conn, error) { return ports.Open(ctx, spec) }
		ask := func(_ context.Context, conn transport.Conn) error {
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				return err
			}
			if _, err := conn.Write([]byte{unit, unit, unit}); err != nil {
				return err
			}
			var answer [3]byte
			if _, err := io.ReadFull(conn, answer[:]); err != nil {
				return err
			}
			if answer != [3]byte{unit, unit, unit} {
				t.Errorf("unit %d was answered % x", unit, answer)
			}
			s.Good()
			s.Job()
			return nil
		}
		go func() {
			ended <- s.Run(ctx, open, func(ctx context.Context, _ transport.Conn) error {
				return s.Every(ctx, time.Millisecond, "poll", ask)
			})
		}()
	}
	for range 3 {
		all(t, sessions, func(h device.Health) bool { return h.State == device.Offline })
		if err := line.Plug(); err != nil {
			t.Fatal(err)
		}
		asked := make(map[*session.Session]uint64)
		for _, s := range sessions {
			asked[s] = s.Health().Counters.Jobs
		}
		all(t, sessions, func(h device.Health) bool { return h.State == device.OK })
		for _, s := range sessions {
			all(t, []*session.Session{s}, func(h device.Health) bool { return h.Counters.Jobs > asked[s]+10 })
		}
		if err := line.Unplug(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	for range sessions {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	}
}

// all waits until the health of every session is right.
func all(t *testing.T, sessions []*session.Session, right func(device.Health) bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, s := range sessions {
		for !right(s.Health()) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("waited in vain, the health is %+v", s.Health())
			}
		}
	}
}
