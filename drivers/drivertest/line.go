package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
)

// Patience is the time for what must happen, however slow the machine.
const Patience = 20 * time.Second

// Cable gives a new serial line with played hardware on it, plugged in until the test ends.
func Cable(t testing.TB, far farend.Serve) *farend.PTY {
	t.Helper()
	line := farend.NewPTY(filepath.Join(t.TempDir(), "tty"), far)
	Plug(t, line)
	return line
}

// Keys gives a pipe in the place of an input device: what is written to the file is what a driver reads that opens its name. A pipe
// cannot be unplugged.
func Keys(t testing.TB) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "usb-Maker_Keys-event-kbd")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// Socket gives a network device with played hardware, plugged in until the test ends.
func Socket(t testing.TB, far farend.Serve) *farend.TCP {
	t.Helper()
	line, err := farend.NewTCP(far)
	if err != nil {
		t.Fatal(err)
	}
	Plug(t, line)
	return line
}

// Plug plugs played hardware in until the test ends.
func Plug(t testing.TB, line interface {
	Plug() error
	Unplug() error
}) {
	t.Helper()
	if err := line.Plug(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := line.Unplug(); err != nil {
			t.Error(err)
		}
	})
}

// Run runs a driver until the test ends: before the cable is pulled that was made before.
func Run(t testing.TB, d device.Device) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// Reaches waits until a driver's health has a state and a code.
func Reaches(t testing.TB, d device.Device, state device.State, code device.Code) {
	t.Helper()
	waitFor(t, fmt.Sprintf("state %s %s", state, code), func() bool {
		h := d.Health()
		return h.State == state && h.Code == code
	}, func() string { return fmt.Sprintf("%+v", d.Health()) })
}

// Until waits for a condition.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	waitFor(t, what, ok, func() string { return "" })
}

// Next waits for the next value of a driver.
func Next[T any](t *testing.T, d device.Device, values <-chan T) T {
	t.Helper()
	select {
	case v := <-values:
		return v
	case <-time.After(Patience):
		t.Fatalf("nothing came: %+v", d.Health())
		var none T
		return none
	}
}

// Code is what a driver's error says, empty where it is none of a driver.
func Code(err error) device.Code {
	var de *device.Error
	if !errors.As(err, &de) {
		return ""
	}
	return de.Code
}

// Fails checks what a driver's error says, and whether trying again may help.
func Fails(t testing.TB, err error, code device.Code, retry bool) {
	t.Helper()
	var de *device.Error
	if !errors.As(err, &de) || de.Code != code || de.Retry != retry {
		t.Errorf("got %v, want code %s and retry %v", err, code, retry)
	}
}

// Models are the models in a folder of configurations.
func Models(t testing.TB, configs fs.FS) registry.Models {
	t.Helper()
	all, err := registry.LoadModels(configs)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// waitFor asks ok again and again until it says yes; state explains the failure.
func waitFor(t testing.TB, what string, ok func() bool, state func() string) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s: %s", what, state())
		}
	}
}

// Log keeps what was logged. It is safe for concurrent use.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Logger logs everything there.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
