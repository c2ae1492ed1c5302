package keypad

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"halledge/configs"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
)

// keyboard is a keypad: what its keys do comes out as the kernel's events, byte for byte.
type keyboard struct {
	mu    sync.Mutex
	lines map[io.Writer]struct{} // plugged in now
}

// serve plays the keypad at the end of a cable. It takes nothing: nobody tells a keypad anything.
func (k *keyboard) serve(rw io.ReadWriter) {
	k.mu.Lock()
	if k.lines == nil {
		k.lines = map[io.Writer]struct{}{}
	}
	k.lines[rw] = struct{}{}
	k.mu.Unlock()
	_, _ = io.Copy(io.Discard, rw) // until the cable is pulled
	k.mu.Lock()
	delete(k.lines, rw)
	k.mu.Unlock()
}

// send lets the keypad send events. It gives false while nobody is at the other end of its cable: then they are gone, as with a
// keypad that is not plugged in.
func (k *keyboard) send(events ...evdev.Event) bool {
	var b []byte
	for _, e := range events {
		b = e.Append(b)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for w := range k.lines {
		if _, err := w.Write(b); err != nil {
			return false
		}
	}
	return len(k.lines) > 0
}

func event(kind evdev.Type, code uint16, value int32) evdev.Event {
	return evdev.Event{Sec: 1_700_000_000, Usec: 250_000, Type: kind, Code: code, Value: value}
}

func report() evdev.Event { return event(evdev.Sync, evdev.SyncReport, 0) }

// does gives the events of one key that moves, as a USB keyboard sends them: the scan code first.
func does(code evdev.KeyCode, value int32) []evdev.Event {
	return []evdev.Event{event(evdev.Misc, 4, 0x70000+int32(code)), event(evdev.Keys, uint16(code), value), report()}
}

// strokes gives the events of keys pressed and released one after the other.
func strokes(codes ...evdev.KeyCode) []evdev.Event {
	var events []evdev.Event
	for _, c := range codes {
		events = append(events, does(c, evdev.Pressed)...)
		events = append(events, does(c, evdev.Released)...)
	}
	return events
}

// modelFile is what people buy.
func modelFile(t *testing.T) registry.Model {
	t.Helper()
	models, err := registry.LoadModels(configs.FS())
	if err != nil {
		t.Fatal(err)
	}
	m, ok := models[registry.Key{Class: device.ClassCallPad, Name: "usb-keypad"}]
	if !ok {
		t.Fatal("there is no model usb-keypad")
	}
	return m
}

// pipe is a named pipe in the place of an input device: bytes written to it are what the driver reads.
type pipe struct {
	path string
	file *os.File
}

func newPipe(t *testing.T) *pipe {
	t.Helper()
	path := filepath.Join(t.TempDir(), "usb-Acme_Keypad-event-kbd")
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
	return &pipe{path: path, file: f}
}

func (p *pipe) write(t *testing.T, b []byte) {
	t.Helper()
	if _, err := p.file.Write(b); err != nil {
		t.Fatal(err)
	}
}

func (p *pipe) send(t *testing.T, events ...evdev.Event) {
	t.Helper()
	var b []byte
	for _, e := range events {
		b = e.Append(b)
	}
	p.write(t, b)
}

// build makes the device as the program does: of the model's file and the site's entry.
func build(t *testing.T, site registry.Site, log *slog.Logger) (*Pad, error) {
	t.Helper()
	site.Name = "window-1.pad"
	d, err := registry.New(map[string]registry.Driver{"keypad": {New: New}}).Build(modelFile(t), site, log)
	if err != nil {
		return nil, err
	}
	return d.(*Pad), nil
}

// running runs a keypad at a pipe and waits until it is well.
func running(t *testing.T, at *pipe, options map[string]string) (*Pad, *drivertest.Log) {
	t.Helper()
	log := &drivertest.Log{}
	p, err := build(t, registry.Site{Connect: registry.Connect{File: at.path}, Options: options}, log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, p)
	drivertest.Reaches(t, p, device.OK, "")
	return p, log
}

// key waits for the next key.
func key(t *testing.T, p *Pad) device.Key {
	t.Helper()
	return drivertest.Next(t, p, p.Keys())
}

// counts waits until so many keys and so much garbage are counted, which is a moment after a key was handed out.
func counts(t *testing.T, p *Pad, jobs, garbage uint64) {
	t.Helper()
	drivertest.Until(t, fmt.Sprintf("%d keys and %d of garbage", jobs, garbage), func() bool {
		c := p.Health().Counters
		return c.Jobs == jobs && c.Garbage == garbage
	})
}

func codeOf(err error) device.Code {
	var de *device.Error
	if !errors.As(err, &de) {
		return ""
	}
	return de.Code
}
