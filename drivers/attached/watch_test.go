package attached_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"halledge/drivers/attached"
)

const patience = 4 * time.Second // less than the slow poll: only what was noticed gives a hint in it

func do(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// notices checks that act gives a hint.
func notices(t *testing.T, root string, act func(), paths ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	hints := attached.Watch(ctx, root, paths...)
	act()
	select {
	case _, listens := <-hints:
		if !listens {
			t.Error("the watch has ended")
		}
	case <-time.After(patience):
		t.Error("nobody noticed")
	}
	cancel()
	for range hints { // until it has stopped
	}
}

func TestWatchNoticesNodesThatComeAndGo(t *testing.T) {
	root := t.TempDir()
	dev := filepath.Join(root, "dev")
	node := filepath.Join(dev, "ttyUSB0")
	link := filepath.Join(dev, "serial/by-id/usb-1a86_USB_Serial-if00-port0")
	raw := filepath.Join(dev, "bus/usb/001/004")
	do(t, os.Mkdir(dev, 0o755))
	for _, step := range []struct {
		name string
		act  func()
	}{
		{"a node", func() { do(t, os.WriteFile(node, nil, 0o600)) }},
		{"its rights", func() { do(t, os.Chmod(node, 0o660)) }},
		{"the folder of links", func() { do(t, os.Mkdir(filepath.Join(dev, "serial"), 0o755)) }},
		{"the folder in it", func() { do(t, os.Mkdir(filepath.Dir(link), 0o755)) }},
		{"a link", func() { do(t, os.Symlink(node, link)) }},
		{"no link", func() { do(t, os.Remove(link)) }},
		{"the first folder of USB", func() { do(t, os.Mkdir(filepath.Join(dev, "bus"), 0o755)) }},
		{"the second", func() { do(t, os.Mkdir(filepath.Join(dev, "bus/usb"), 0o755)) }},
		{"a bus", func() { do(t, os.Mkdir(filepath.Dir(raw), 0o755)) }},
		{"a device on it", func() { do(t, os.WriteFile(raw, nil, 0o600)) }},
		{"no node", func() { do(t, os.Remove(node)) }},
	} {
		t.Run(step.name, func(t *testing.T) { notices(t, root, step.act, link) })
	}
}

// A folder that comes with its first node must not hide it: the look that follows the last hint sees all that was there.
func TestWatchLeadsToTheFirstNodeOfAFolder(t *testing.T) {
	root := t.TempDir()
	link := filepath.Join(root, "serial/by-id/usb-1a86_USB_Serial-if00-port0")
	ctx, cancel := context.WithCancel(t.Context())
	hints := attached.Watch(ctx, root, link)
	do(t, os.MkdirAll(filepath.Dir(link), 0o755), os.WriteFile(link, nil, 0o600))
	deadline := time.After(patience)
	for there := false; !there; {
		select {
		case <-hints:
			_, err := os.Stat(link)
			there = err == nil
		case <-deadline:
			t.Fatal("nobody noticed")
		}
	}
	cancel()
	for range hints { // until it has stopped
	}
}
