package transport_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/internal/transport"
)

func TestTCPReadTellsBytesTimeoutAndEndApart(t *testing.T) {
	line := drivertest.Socket(t, echo)
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
	if _, err := conn.Read(buf); !errors.Is(err, transport.ErrGone) || drivertest.Code(err) != device.CodeOffline {
		t.Fatalf("ended: %v, want ErrGone and code offline", err)
	}
	if _, err := transport.Open(t.Context(), transport.Spec{TCP: line.Addr()}); drivertest.Code(err) != device.CodeOffline {
		t.Fatalf("refused: %v, want code offline", err)
	}
}

func TestTCPWriteHasDeadlineAndCloseReleasesReader(t *testing.T) {
	stalled := make(chan struct{})
	line := drivertest.Socket(t, func(io.ReadWriter) { <-stalled })
	defer close(stalled)
	conn := open(t, transport.Spec{TCP: line.Addr()})
	if err := conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v, want a deadline", err)
	}
	endsRead(t, conn, conn.Close, os.ErrClosed)
}

func TestTCPAddressesAreChecked(t *testing.T) {
	for _, addr := range []string{"10.0.0.9", "10.0.0.9:", ":9100", "10.0.0.9:0", "10.0.0.9:65536", "10.0.0.9:http"} {
		if _, err := transport.Open(t.Context(), transport.Spec{TCP: addr}); drivertest.Code(err) != device.CodeBadConfig {
			t.Errorf("%s: %v, want code bad_config", addr, err)
		}
	}
}
