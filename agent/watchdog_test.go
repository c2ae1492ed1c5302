package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/store"
	"halledge/agent/kit/supervise"
)

// watched gives an agent of nothing but its store and its server's part, running until the test ends.
func watched(t *testing.T, web func(context.Context) error) *Agent {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.TempDir(), store.Options{Hall: "440900000000001", Delivered: "cloud", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{store: st, log: log}
	a.group = supervise.New(log,
		supervise.Part{Name: partStore, Run: st.Run}, supervise.Part{Name: partWeb, Run: web}, supervise.Part{Name: "watchdog", Run: a.watchdog})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.group.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func serves(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestWatchdogIsFedByALivingHall(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "300000")
	t.Setenv("WATCHDOG_PID", "")
	watched(t, serves)
	buf := make([]byte, 64)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), "WATCHDOG=1") {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}

// A server whose port was closed under it cannot serve again in the same process.
func TestAHallWithoutPagesIsNotAlive(t *testing.T) {
	a := watched(t, func(context.Context) error { return errors.New("port closed") })
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := a.alive(t.Context())
		if err != nil && strings.Contains(err.Error(), "port closed") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %v", err)
		}
	}
}
