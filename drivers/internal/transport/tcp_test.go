package transport_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/transport"
)

func plugTCP(t *testing.T, serve farend.Serve) *farend.TCP {
	t.Helper()
	line, err := farend.NewTCP(serve)
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Plug(t, line)
	return line
}

func TestTCPReadTellsBytesTimeoutAndEndApart(t *testing.T) {
	line := plugTCP(t, echo)
	conn := open(t, transport.Spec{TCP: line.Addr()})
	buf := make([]byte, 4)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("silent: %v, want a deadline", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("pad3")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "pad3" {
		t.Fatalf("echo: %q, %v", buf, err)
	}
	if err := conn.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := line.Unplug(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(buf); !errors.Is(err, transport.ErrGone) || code(err) != device.CodeOffline {
		t.Fatalf("ended: %v, want ErrGone and code offline", err)
	}
	if _, err := transport.Open(t.Context(), transport.Spec{TCP: line.Addr()}); code(err) != device.CodeOffline {
		t.Fatalf("refused: %v, want code offline", err)
	}
}

func TestTCPWriteHasDeadlineAndCloseReleasesReader(t *testing.T) {
	stalled := make(chan struct{})
	line := plugTCP(t, func(io.ReadWriter) { <-stalled })
	defer close(stalled)
	conn := open(t, transport.Spec{TCP: line.Addr()})
	if err := conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v, want a deadline", err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-read:
		if !errors.Is(err, os.ErrClosed) {
			t.Fatalf("read: %v, want os.ErrClosed", err)
		}
	case <-time.After(patience):
		t.Fatal("Close left a reader behind")
	}
}

func TestTCPAddressesAreChecked(t *testing.T) {
	for _, addr := range []string{"10.0.0.9", "10.0.0.9:", ":9100", "10.0.0.9:0", "10.0.0.9:65536", "10.0.0.9:http"} {
		if _, err := transport.Open(t.Context(), transport.Spec{TCP: addr}); code(err) != device.CodeBadConfig {
			t.Errorf("%s: %v, want code bad_config", addr, err)
		}
	}
}
