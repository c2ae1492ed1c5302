package transport_test

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/internal/transport"
)

func share(t *testing.T, ports *transport.Ports, s transport.Spec) transport.Bus {
	t.Helper()
	b, err := ports.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestBusIsUsedInTurns(t *testing.T) {
	line := drivertest.Cable(t, echo)
	var ports transport.Ports
	spec := transport.Spec{Serial: line.Path()}
	var all sync.WaitGroup
	for unit := range byte(4) {
		b := share(t, &ports, spec)
		all.Go(func() {
			for range 20 {
				release, err := b.Turn(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				_, err = b.Write([]byte{unit})
				answer := []byte{0xff}
				if err == nil {
					_, err = io.ReadFull(b, answer)
				}
				release()
				if err != nil || answer[0] != unit {
					t.Errorf("unit %d got the answer of %d, %v", unit, answer[0], err)
				}
			}
		})
	}
	all.Wait()
}

func TestBusTurnEndsWithContext(t *testing.T) {
	line := drivertest.Cable(t, silent)
	var ports transport.Ports
	a, b := share(t, &ports, transport.Spec{Serial: line.Path()}), share(t, &ports, transport.Spec{Serial: line.Path()})
	release, err := a.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := b.Turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("turn: %v, want the context's end", err)
	}
}

func TestBusIsClosedByItsLastShare(t *testing.T) {
	line := drivertest.Cable(t, silent)
	var ports transport.Ports
	spec := transport.Spec{Serial: line.Path()}
	a, b := share(t, &ports, spec), share(t, &ports, spec)
	for range 2 { // closing twice gives one share back
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Write([]byte{1}); err != nil {
		t.Fatalf("the other share: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write([]byte{1}); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("after the last Close: %v, want os.ErrClosed", err)
	}
	open(t, spec) // the line itself is free
}

func TestBusComesBackAfterUnplug(t *testing.T) {
	line := drivertest.Cable(t, silent)
	var ports transport.Ports
	spec := transport.Spec{Serial: line.Path()}
	a, b := share(t, &ports, spec), share(t, &ports, spec)
	if err := line.Unplug(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte{1}); !errors.Is(err, transport.ErrGone) {
		t.Fatalf("write: %v, want ErrGone", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ports.Open(t.Context(), spec); drivertest.Code(err) != device.CodeOffline {
		t.Fatalf("open while unplugged: %v, want code offline", err)
	}
	if err := line.Plug(); err != nil {
		t.Fatal(err)
	}
	again := share(t, &ports, spec)
	if _, err := again.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write([]byte{1}); !errors.Is(err, transport.ErrGone) { // not "closed": it did not close itself
		t.Fatalf("the share that had not noticed: %v, want ErrGone", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Write([]byte{1}); err != nil {
		t.Fatalf("an old share closed the new connection: %v", err)
	}
}
