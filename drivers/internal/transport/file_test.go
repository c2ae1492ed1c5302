package transport_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/transport"
)

// fifo makes a named pipe, which stands for /dev/usb/lp0: opened both ways, it gives back what is written to it.
func fifo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // else nobody but us could come this far
		t.Fatal(err)
	}
	path := filepath.Join(dir, "lp0")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// asNobody runs f with the file rights of a user who owns nothing, on a thread of its own.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its identity with it
		const nobody = 65534
		_, err := unix.SetfsuidRetUid(nobody)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestFileHasDeadlines(t *testing.T) {
	conn := open(t, transport.Spec{File: fifo(t)})
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	if _, err := conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read: %v, want a deadline", err)
	}
	if err := conn.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Write(make([]byte, 1<<20)); n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d, %v; want a part and a deadline", n, err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PortStatus(); drivertest.Code(err) != device.CodeUnsupported {
		t.Fatalf("status: %v, want code unsupported", err)
	}
}

func TestFileThatHasNoPaperSaysSo(t *testing.T) {
	conn := open(t, transport.Spec{File: "/dev/full"}) // answers ENOSPC, as usblp does
	if _, err := conn.Write([]byte("A001")); drivertest.Code(err) != device.CodePaperOut || errors.Is(err, transport.ErrGone) {
		t.Fatalf("write: %v, want code paper_out and the connection kept", err)
	}
}

func TestFileIsExclusive(t *testing.T) {
	path := fifo(t)
	conn := open(t, transport.Spec{File: path})
	if _, err := transport.Open(t.Context(), transport.Spec{File: path}); drivertest.Code(err) != device.CodeBusy {
		t.Fatalf("second open: %v, want code busy", err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte{0}); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("write after Close: %v, want os.ErrClosed", err)
	}
	open(t, transport.Spec{File: path})
}

func TestFileMustBeADevice(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("keep me"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]device.Code{
		plain:                              device.CodeBadConfig,
		dir:                                device.CodeBadConfig,
		filepath.Join(plain, "x"):          device.CodeBadConfig,
		drivertest.Cable(t, silent).Path(): device.CodeBadConfig,
		filepath.Join(dir, "usb/lp0"):      device.CodeOffline,
	} {
		if _, err := transport.Open(t.Context(), transport.Spec{File: path}); drivertest.Code(err) != want {
			t.Errorf("%s: %v, want code %s", path, err, want)
		}
	}
}

func TestRightsAreToldApartFromAbsence(t *testing.T) {
	line := drivertest.Cable(t, silent)
	tty, err := filepath.EvalSymlinks(line.Path())
	if err != nil {
		t.Fatal(err)
	}
	pipe := fifo(t)
	for _, path := range []string{tty, pipe} {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	asNobody(t, func() {
		for _, spec := range []transport.Spec{{Serial: tty}, {File: pipe}} {
			if _, err := transport.Open(t.Context(), spec); drivertest.Code(err) != device.CodePermission {
				t.Errorf("%s: %v, want code permission", spec, err)
			}
		}
	})
}

func TestFileWithoutAWayBack(t *testing.T) {
	path := fifo(t)
	printer, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer printer.Close()
	if err := os.Chmod(path, 0o222); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		conn, err := transport.Open(t.Context(), transport.Spec{File: path})
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("A001")); err != nil {
			t.Error(err)
		}
		if _, err := conn.Read(make([]byte, 1)); drivertest.Code(err) != device.CodeUnsupported {
			t.Errorf("read: %v, want code unsupported", err)
		}
		printer.Close()
		if _, err := conn.Write([]byte("A002")); !errors.Is(err, transport.ErrGone) {
			t.Errorf("write after the printer went: %v, want ErrGone", err)
		}
	})
}

// TestWriteOnlyPort plays a printer port that tells nothing but whether it is there: the node that nobody may read has no way back for
// the superuser either, Drain waits while the printer takes nothing, and the end is known without a byte sent.
func TestWriteOnlyPort(t *testing.T) {
	got, goOn := make(chan struct{}), make(chan struct{})
	line := farend.NewPipe(filepath.Join(t.TempDir(), "lp0"), func(rw io.ReadWriter) {
		<-goOn
		for {
			if _, err := rw.Read(make([]byte, 4096)); err != nil {
				close(got)
				return
			}
		}
	})
	drivertest.Plug(t, line)
	conn := open(t, transport.Spec{File: line.Path()})
	if _, err := conn.Read(make([]byte, 1)); drivertest.Code(err) != device.CodeUnsupported {
		t.Errorf("read: %v, want code unsupported", err)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v, want a deadline", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := conn.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain of a port that takes nothing: %v", err)
	}
	close(goOn)
	if err := conn.Drain(t.Context()); err != nil {
		t.Errorf("drain: %v", err)
	}
	if err := line.Unplug(); err != nil {
		t.Fatal(err)
	}
	<-got
	if _, err := conn.PortStatus(); !errors.Is(err, transport.ErrGone) {
		t.Errorf("status after the unplug: %v, want ErrGone", err)
	}
	if err := conn.Drain(t.Context()); !errors.Is(err, transport.ErrGone) {
		t.Errorf("drain after the unplug: %v, want ErrGone", err)
	}
}
