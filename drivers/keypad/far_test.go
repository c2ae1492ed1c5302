package keypad

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"halledge/configs"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
)

// keyboard is a keypad: what its keys do comes out as the kernel's events, byte for byte.
type keyboard struct{ farend.Voice }

func (k *keyboard) send(events ...evdev.Event) bool { return k.Send(packed(events)) }

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
	return drivertest.Models(t, configs.FS())[registry.Key{Class: device.ClassCallPad, Name: "usb-keypad"}]
}

// packed gives events as the kernel has them in a device's file.
func packed(events []evdev.Event) (b []byte) {
	for _, e := range events {
		b = e.Append(b)
	}
	return b
}

// pipe is a keypad at a pipe in the place of its input device.
type pipe struct{ *os.File }

func newPipe(t *testing.T) pipe { return pipe{drivertest.Keys(t)} }

func (p pipe) write(t *testing.T, b []byte) {
	t.Helper()
	if _, err := p.Write(b); err != nil {
		t.Fatal(err)
	}
}

func (p pipe) send(t *testing.T, events ...evdev.Event) {
	t.Helper()
	p.write(t, packed(events))
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
func running(t *testing.T, at pipe, options map[string]string) (*Pad, *drivertest.Log) {
	t.Helper()
	log := &drivertest.Log{}
	p, err := build(t, registry.Site{Connect: registry.Connect{File: at.Name()}, Options: options}, log.Logger())
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
