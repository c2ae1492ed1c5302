package transport

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
)

func TestGrabOfWhatIsNoInputDevice(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "event0")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]device.Code{pipe: "", "/dev/null": device.CodeBadConfig} {
		conn, err := Open(t.Context(), Spec{File: path})
		if err != nil {
			t.Fatal(err)
		}
		taken, err := Grab(conn)
		var de *device.Error
		switch {
		case taken:
			t.Errorf("%s was taken", path)
		case want == "" && err != nil, want != "" && (!errors.As(err, &de) || de.Code != want):
			t.Errorf("%s: %v, want code %q", path, err, want)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if _, err := Grab(conn); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s closed: %v", path, err)
		}
	}
}

// No test machine has an input device to take, so what a kernel answers is put in by hand.
func TestWhatAKernelSaysToAGrab(t *testing.T) {
	if err := grabError("/dev/input/event0", nil); err != nil {
		t.Errorf("taken: %v", err)
	}
	var de *device.Error
	if err := grabError("/dev/input/event0", unix.EBUSY); !errors.As(err, &de) || de.Code != device.CodeBusy || !de.Retry {
		t.Errorf("another program has it: %v", err)
	}
	if err := grabError("/dev/input/event0", unix.ENODEV); !errors.As(err, &de) || de.Code != device.CodeOffline || !errors.Is(err, ErrGone) {
		t.Errorf("unplugged: %v", err)
	}
}
