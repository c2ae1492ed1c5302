package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/internal/transport"
)

func listen(t *testing.T, ports *transport.Ports, s transport.Spec) transport.Bus {
	t.Helper()
	b, err := ports.Listen(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// say writes in a turn.
func say(t *testing.T, b transport.Bus, text string) error {
	t.Helper()
	release, err := b.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	_, err = io.WriteString(b, text)
	return err
}

func hears(t *testing.T, b transport.Bus, want string) {
	t.Helper()
	if err := b.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(b, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

// shout answers small letters by large ones.
func shout(rw io.ReadWriter) {
	b := make([]byte, 1024)
	for {
		n, err := rw.Read(b)
		if err != nil {
			return
		}
		if _, err := rw.Write(bytes.ToUpper(b[:n])); err != nil {
			return
		}
	}
}

func TestEverybodyHearsAll(t *testing.T) {
	line := drivertest.Cable(t, shout)
	var ports transport.Ports
	spec := transport.Spec{Serial: line.Path()}
	a, b := listen(t, &ports, spec), listen(t, &ports, spec)
	for _, text := range []string{"one", "two"} {
		if err := say(t, a, text); err != nil {
			t.Fatal(err)
		}
		hears(t, a, strings.ToUpper(text))
		hears(t, b, strings.ToUpper(text))
	}
	if err := b.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent line gives %d bytes, %v", n, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := say(t, b, "three"); err != nil {
		t.Errorf("after the other has gone: %v", err)
	}
	hears(t, b, "THREE")
	for _, read := range []error{func() error { _, err := a.Read(make([]byte, 1)); return err }(), say(t, a, "x")} {
		if !errors.Is(read, os.ErrClosed) {
			t.Errorf("after Close: %v", read)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, spec) // the line itself is free
}

func TestOneWhoDoesNotReadHarmsNobody(t *testing.T) {
	line := drivertest.Cable(t, shout)
	var ports transport.Ports
	spec := transport.Spec{Serial: line.Path()}
	a, deaf := listen(t, &ports, spec), listen(t, &ports, spec)
	chunk := strings.Repeat("x", 1000)
	for range 8 {
		if err := say(t, a, chunk); err != nil {
			t.Fatal(err)
		}
		hears(t, a, strings.ToUpper(chunk))
	}
	if err := say(t, a, "end"); err != nil {
		t.Fatal(err)
	}
	hears(t, a, "END")
	kept := 0
	for last := byte(0); last != 'D'; {
		if err := deaf.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 512)
		n, err := deaf.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		kept, last = kept+n, b[n-1]
	}
	if kept > 4<<10 {
		t.Errorf("%d bytes were kept", kept)
	}
}

// An adapter that hears itself gives back what is written.
func TestNobodyHearsWhatWasWritten(t *testing.T) {
	line := drivertest.Cable(t, func(rw io.ReadWriter) {
		b := make([]byte, 256)
		for {
			n, err := rw.Read(b)
			if err != nil {
				return
			}
			if _, err := rw.Write(append(b[:n:n], " heard"...)); err != nil {
				return
			}
		}
	})
	var ports transport.Ports
	a := listen(t, &ports, transport.Spec{Serial: line.Path()})
	for range 3 {
		if err := say(t, a, "order"); err != nil {
			t.Fatal(err)
		}
		hears(t, a, " heard")
	}
}

func TestPartyEndsForAllWhenItIsPulled(t *testing.T) {
	line := drivertest.Cable(t, silent)
	var ports transport.Ports
	spec := transport.Spec{Serial: line.Path()}
	a, b := listen(t, &ports, spec), listen(t, &ports, spec)
	read := make(chan error, 2)
	for _, e := range []transport.Bus{a, b} {
		go func() {
			_, err := e.Read(make([]byte, 1))
			read <- err
		}()
	}
	if err := line.Unplug(); err != nil {
		t.Fatal(err)
	}
	for range cap(read) {
		if err := <-read; !errors.Is(err, transport.ErrGone) || drivertest.Code(err) != device.CodeOffline {
			t.Errorf("read: %v, want ErrGone", err)
		}
	}
	if err := say(t, a, "x"); !errors.Is(err, transport.ErrGone) {
		t.Errorf("write: %v, want ErrGone", err)
	}
	if _, err := ports.Listen(t.Context(), spec); drivertest.Code(err) != device.CodeOffline {
		t.Errorf("listen while unplugged: %v", err)
	}
	if err := line.Plug(); err != nil {
		t.Fatal(err)
	}
	again := listen(t, &ports, spec)
	for _, e := range []transport.Bus{a, b} { // an old one closes nothing new
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := say(t, again, "x"); err != nil {
		t.Error(err)
	}
}

func TestCloseReleasesWhoListens(t *testing.T) {
	line := drivertest.Cable(t, silent)
	var ports transport.Ports
	e := listen(t, &ports, transport.Spec{Serial: line.Path()})
	read := make(chan error, 1)
	go func() {
		_, err := e.Read(make([]byte, 1))
		read <- err
	}()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v, want os.ErrClosed", err)
	}
}

// Who does not answer is asked again, but not so often that the others feel it.
func TestTheAbsentWaitForThePresent(t *testing.T) {
	line := drivertest.Cable(t, silent)
	var ports transport.Ports
	spec := transport.Spec{Serial: line.Path()}
	absent := share(t, &ports, spec)
	share(t, &ports, spec) // the present
	ask := func(b transport.Bus) (begun, ended time.Time) {
		release, err := b.Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begun = time.Now()
		if _, err := b.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if err := b.SetReadDeadline(begun.Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err = b.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		ended = time.Now()
		release()
		return begun, ended
	}
	begun, ended := ask(absent)
	again, _ := ask(absent)
	if gap, cost := again.Sub(ended), ended.Sub(begun); gap < min(3*cost, 900*time.Millisecond) {
		t.Errorf("asked again %v after a silence of %v", gap, cost)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if _, err := absent.Turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a turn without time: %v", err)
	}
}
