package pads_test

import (
	"context"
	"log/slog"
	"testing"

	"halledge/agent/internal/pads"
	"halledge/agent/internal/queue"
	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
	"halledge/firmware-protocols/hallsync"
)

// keypad is the driver of a real keypad of the model that people buy, with a pipe in the place of its input device.
func keypad(t *testing.T) (p device.CallPad, press func(evdev.KeyCode)) {
	t.Helper()
	keys := drivertest.Keys(t)
	models := drivertest.Models(t, configs.FS())
	model := models[registry.Key{Class: device.ClassCallPad, Name: "usb-keypad"}]
	site := registry.Site{Name: "window-1.pad", Connect: registry.Connect{File: keys.Name()}}
	d, err := builtin.All().Build(model, site, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	return d.(device.CallPad), func(key evdev.KeyCode) {
		t.Helper()
		var b []byte
		for _, value := range []int32{evdev.Pressed, evdev.Released} {
			b = evdev.Event{Sec: 1_700_000_000, Type: evdev.Keys, Code: uint16(key), Value: value}.Append(b)
			b = evdev.Event{Sec: 1_700_000_000, Type: evdev.Sync, Code: evdev.SyncReport}.Append(b)
		}
		if _, err := keys.Write(b); err != nil {
			t.Fatal(err)
		}
	}
}

// watched is a pad that remembers what it took.
type watched struct {
	device.CallPad
	took *pad
}

func (w watched) Display(ctx context.Context, f device.PadFrame) error {
	if err := w.CallPad.Display(ctx, f); err != nil {
		return err
	}
	return w.took.Display(ctx, f)
}

// A pad without a display works as any other; one of its keys pauses the window and resumes it.
func TestUSBKeypad(t *testing.T) {
	p, press := keypad(t)
	drivertest.Reaches(t, p, device.OK, "")
	took := newPad()
	h := open(t, pads.Pad{Name: "window-1.pad", Device: watched{p, took}, Window: "1"})
	took.until(t, device.PadFrame{State: "closed"})
	for _, id := range []hallsync.TicketID{"t1", "t2"} {
		do(t, h, queue.Take{Ticket: id, Queue: "A", Channel: hallsync.AtKiosk})
	}
	for _, step := range []struct {
		key  evdev.KeyCode
		want device.PadFrame
	}{
		{evdev.KeyKPEnter, device.PadFrame{Number: "A001", Waiting: 1, State: "called"}}, // opens the window too
		{evdev.KeyKPMinus, device.PadFrame{Waiting: 1, State: "idle"}},
		{evdev.KeyKPAsterisk, device.PadFrame{Waiting: 1, State: "paused"}},
		{evdev.KeyKPAsterisk, device.PadFrame{Waiting: 1, State: "idle"}},
	} {
		press(step.key)
		took.until(t, step.want)
	}
}
