package transport_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/internal/trace"
	"halledge/drivers/internal/transport"
)

const patience = 5 * time.Second // for things that must happen, however slow the machine

func silent(rw io.ReadWriter) { _, _ = io.Copy(io.Discard, rw) }
func echo(rw io.ReadWriter)   { _, _ = io.Copy(rw, rw) }

func open(t *testing.T, s transport.Spec) transport.Conn {
	t.Helper()
	conn, err := transport.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestSerialReadTellsBytesTimeoutAndUnplugApart(t *testing.T) {
	line := drivertest.Cable(t, echo)
	conn := open(t, transport.Spec{Serial: line.Path(), Baud: 115200})
	buf := make([]byte, 16)

	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("silent line: got %d bytes, %v; want a deadline", n, err)
	}

	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	want := []byte{0x00, 0x03, 0x0a, 0x0d, 0x11, 0x13, 0x7f, 0xff} // bytes a cooked terminal would change or eat
	if _, err := conn.Write(want); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf[:len(want)]); err != nil || !bytes.Equal(buf[:len(want)], want) {
		t.Fatalf("echo: got % x, %v; want % x", buf[:len(want)], err, want)
	}

	if err := line.Unplug(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // and it stays so
		if n, err := conn.Read(buf); n != 0 || !errors.Is(err, transport.ErrGone) || drivertest.Code(err) != device.CodeOffline {
			t.Fatalf("unplugged: got %d bytes, %v; want ErrGone and code offline", n, err)
		}
	}
	if _, err := conn.Write(want); !errors.Is(err, transport.ErrGone) {
		t.Fatalf("write after unplug: %v; want ErrGone", err)
	}
}

// endsRead proves that end makes a read without a deadline end with an error.
func endsRead(t *testing.T, conn transport.Conn, end func() error, want error) {
	t.Helper()
	read := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-read:
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	case <-time.After(patience):
		t.Fatal("the read goes on")
	}
}

func TestSerialUnplugEndsBlockedRead(t *testing.T) {
	line := drivertest.Cable(t, silent)
	conn := open(t, transport.Spec{Serial: line.Path()})
	endsRead(t, conn, line.Unplug, transport.ErrGone)
}

func TestSerialCloseReleasesReader(t *testing.T) {
	line := drivertest.Cable(t, silent)
	conn := open(t, transport.Spec{Serial: line.Path()})
	endsRead(t, conn, conn.Close, os.ErrClosed)
	if err := conn.Close(); err != nil {
		t.Fatalf("second Close: %v", err)
	}
}

func TestSerialStopsWhileTheDeviceSaysSo(t *testing.T) {
	const xon, xoff = 0x11, 0x13
	step, heard := make(chan struct{}), make(chan byte, 1)
	line := drivertest.Cable(t, func(rw io.ReadWriter) {
		var b [1]byte
		<-step
		if _, err := rw.Write([]byte{xoff, 'A'}); err != nil {
			return
		}
		<-step
		if _, err := rw.Write([]byte{xon, 'B'}); err != nil {
			return
		}
		if _, err := rw.Read(b[:]); err == nil {
			heard <- b[0]
		}
		silent(rw)
	})
	defer close(step)
	conn := open(t, transport.Spec{Serial: line.Path(), Flow: "xonxoff"})
	buf := make([]byte, 2)
	hears := func(want byte) {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(buf); err != nil || n != 1 || buf[0] != want {
			t.Fatalf("read % x, %v; want %q alone", buf[:n], err, want)
		}
	}
	step <- struct{}{}
	hears('A')
	if err := conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Write([]byte{'x'}); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d bytes into a full buffer, %v", n, err)
	}
	step <- struct{}{}
	hears('B')
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte{'y'}); err != nil {
		t.Error(err)
	}
	select {
	case got := <-heard:
		if got != 'y' {
			t.Errorf("the device heard %q", got)
		}
	case <-time.After(patience):
		t.Error("nothing arrived after the device had room again")
	}
}

func TestSerialAsksForTheReadyLine(t *testing.T) {
	line := drivertest.Cable(t, silent)
	for flow, want := range map[string]bool{"": false, "none": false, "rtscts": true, "xonxoff": false} {
		conn := open(t, transport.Spec{Serial: line.Path(), Flow: flow})
		other, err := os.OpenFile(line.Path(), os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		mode, err := unix.IoctlGetTermios(int(other.Fd()), unix.TCGETS)
		if err != nil || (mode.Cflag&unix.CRTSCTS != 0) != want {
			t.Errorf("flow %q: %+v, %v", flow, mode, err)
		}
		if err := errors.Join(other.Close(), conn.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestSerialWriteHasDeadlineWhenNobodyTakesBytes(t *testing.T) {
	stalled := make(chan struct{})
	line := drivertest.Cable(t, func(rw io.ReadWriter) {
		<-stalled
		silent(rw)
	})
	defer close(stalled)
	conn := open(t, transport.Spec{Serial: line.Path()})
	if err := conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 1<<20)
	n, err := conn.Write(big)
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == len(big) {
		t.Fatalf("wrote %d of %d, %v; want a part and a deadline", n, len(big), err)
	}
	closed := make(chan error, 1)
	go func() { closed <- conn.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("Close waits for a device that takes no bytes")
	}
}

func TestSerialWriteGoesOnWhenDeviceCatchesUp(t *testing.T) {
	const size = 1 << 18
	got := make(chan int64, 1)
	line := drivertest.Cable(t, func(rw io.ReadWriter) {
		n, _ := io.CopyN(io.Discard, rw, size)
		got <- n
	})
	conn := open(t, transport.Spec{Serial: line.Path()})
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Write(make([]byte, size)); n != size || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if err := conn.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != size {
		t.Fatalf("the device got %d bytes of %d", n, size)
	}
}

func TestSerialIsExclusive(t *testing.T) {
	line := drivertest.Cable(t, silent)
	conn := open(t, transport.Spec{Serial: line.Path()})
	if _, err := transport.Open(t.Context(), transport.Spec{Serial: line.Path()}); drivertest.Code(err) != device.CodeBusy {
		t.Fatalf("second open: %v; want code busy", err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, transport.Spec{Serial: line.Path()}) // free again
}

func TestSerialOpenErrorsHaveCodes(t *testing.T) {
	line := drivertest.Cable(t, silent)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spec transport.Spec
		want device.Code
	}{
		"absent":        {transport.Spec{Serial: filepath.Join(dir, "none")}, device.CodeOffline},
		"not a tty":     {transport.Spec{Serial: plain}, device.CodeBadConfig},
		"a folder":      {transport.Spec{Serial: dir}, device.CodeBadConfig},
		"odd speed":     {transport.Spec{Serial: line.Path(), Baud: 12345}, device.CodeBadConfig},
		"minus speed":   {transport.Spec{Serial: line.Path(), Baud: -1}, device.CodeBadConfig},
		"unknown check": {transport.Spec{Serial: line.Path(), Parity: "mark"}, device.CodeBadConfig},
		"unknown flow":  {transport.Spec{Serial: line.Path(), Flow: "dtr"}, device.CodeBadConfig},
		"nothing":       {transport.Spec{}, device.CodeBadConfig},
		"two links":     {transport.Spec{Serial: line.Path(), TCP: "127.0.0.1:9100"}, device.CodeBadConfig},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := transport.Open(t.Context(), c.spec); drivertest.Code(err) != c.want {
				t.Fatalf("got %v, want code %s", err, c.want)
			}
		})
	}
	open(t, transport.Spec{Serial: line.Path(), Parity: "even"}) // no failure left the line locked
}

func TestDiscardTakesWhatHasArrived(t *testing.T) {
	sent := make(chan struct{})
	line := drivertest.Cable(t, func(rw io.ReadWriter) {
		_, _ = rw.Write(make([]byte, 300))
		close(sent)
		silent(rw)
	})
	conn := open(t, transport.Spec{Serial: line.Path()})
	<-sent
	if n, err := transport.Discard(conn, 256, 20*time.Millisecond); n != 256 || err != nil {
		t.Fatalf("discarded %d, %v; want the limit, 256", n, err)
	}
	if n, err := transport.Discard(conn, 256, 20*time.Millisecond); n != 44 || err != nil {
		t.Fatalf("discarded %d, %v; want the 44 left", n, err)
	}
}

// Whoever must leave a pause on a line asks how long there was one: under all that is around the line, and whoever used it.
func TestSilenceOfALineIsKnownToAllWhoShareIt(t *testing.T) {
	line := drivertest.Cable(t, silent)
	var ports transport.Ports
	share := func() transport.Conn {
		conn, err := trace.New(device.ClassCallPad).Wrap(ports.Open(t.Context(), transport.Spec{Serial: line.Path()}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	one, other := share(), share()
	before := time.Now()
	if _, err := one.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	drivertest.Until(t, "silence", func() bool { return transport.Silent(other) > 0 })
	least := time.Since(since)
	if got := transport.Silent(other); got < least || got > time.Since(before) {
		t.Errorf("silent for %s, want %s to %s", got, least, time.Since(before))
	}
	if got := transport.Silent(open(t, transport.Spec{TCP: drivertest.Socket(t, silent).Addr()})); got != 0 {
		t.Errorf("a network connection is silent for %s", got)
	}
}
