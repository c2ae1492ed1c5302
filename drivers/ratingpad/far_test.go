package ratingpad

import (
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
	"halledge/firmware-protocols/modbus"
	"halledge/firmware-protocols/pad21"
)

// far is a rating device with registers at the other end of a line.
type far struct {
	mu    sync.Mutex
	unit  byte
	rater *modbus.Rater
	off   bool
	odd   uint16 // rating instead of the true one
	looks []time.Time
}

func newFar(unit byte) *far { return &far{unit: unit, rater: modbus.NewRater(unit)} }

func (f *far) with(change func(f *far)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *far) serve(rw io.ReadWriter) { farend.Answer(rw, modbus.NewRequestDecoder(f.unit), f.answer) }

func (f *far) answer(q modbus.Request) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.rater.Handle(q)
	if !ok || f.off {
		return nil
	}
	if q.Function == modbus.ReadInput {
		f.looks = append(f.looks, time.Now())
	}
	if f.odd != 0 && len(a.Values) == modbus.RaterInputs {
		a.Values[1] = f.odd
	}
	out, err := a.Append(nil)
	if err != nil {
		return nil
	}
	return out
}

func (f *far) press(stars int) bool {
	f.with(func(f *far) { f.rater.End(uint16(stars)) })
	return true
}

func (f *far) asking() (tag, seconds uint16, text string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rater.Asking()
}

func (f *far) asked(tag uint16) bool {
	now, _, _, ok := f.asking()
	return ok && now == tag
}

// talker is a device that says what is pressed, and keeps what it is told.
type talker struct {
	farend.Voice
	says map[int][]byte // by grade
}

func (f *talker) press(stars int) bool { return f.Send(f.says[stars]) }

// tongue is a kind of device that says what is pressed.
type tongue struct {
	name    string
	new     func(registry.Config) (device.Device, error)
	options map[string]string
	says    map[int][]byte
}

func tongues(t *testing.T) []tongue {
	t.Helper()
	bytes := tongue{"bytes", NewBytes, map[string]string{"ask": "01", "end": "02"}, map[int][]byte{}}
	keys := tongue{"keyboard", NewKeyboard, map[string]string{}, map[int][]byte{}}
	pad := tongue{"pad21", NewPad21, map[string]string{"address": "3"}, map[int][]byte{}}
	far := pad21.NewPad(3)
	for n := worst; n <= best; n++ {
		digit := byte('0' + n)
		bytes.says[n] = []byte{0xA5, digit, 0x5A}
		bytes.options[star(n)] = "A5 3" + string(digit) + " 5A"
		keys.says[n] = stroke(evdev.Key1 + evdev.KeyCode(n-1))
		keys.options[star(n)] = string(digit)
		pad.says[n] = far.Rate(byte(n))
		pad.options[star(n)] = string(digit)
	}
	return []tongue{bytes, keys, pad}
}

// stroke gives the events of a key pressed and released, as a USB keyboard sends them.
func stroke(code evdev.KeyCode) (b []byte) {
	for _, value := range []int32{evdev.Pressed, evdev.Released} {
		b = evdev.Event{Sec: 1_700_000_000, Type: evdev.Keys, Code: uint16(code), Value: value}.Append(b)
		b = evdev.Event{Sec: 1_700_000_000, Type: evdev.Sync, Code: evdev.SyncReport}.Append(b)
	}
	return b
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func options() map[string]string {
	return map[string]string{"unit": "5", "poll": "20ms", "reply_within": "500ms"}
}

// one runs a rating device with registers on a line that is plugged in.
func one(t *testing.T, f *far, options map[string]string) *Rater {
	t.Helper()
	cable := drivertest.Cable(t, f.serve)
	d, err := New(registry.Config{Name: "window-1.rater", Connect: registry.Connect{Serial: cable.Path()}, Options: options, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	return d.(*Rater)
}

// talking runs a device that says what is pressed.
func talking(t *testing.T, tg tongue) (*Pressed, *talker) {
	t.Helper()
	f := &talker{says: tg.says}
	cable := drivertest.Cable(t, f.Serve)
	d, err := tg.new(registry.Config{Name: "window-1.rater", Connect: registry.Connect{Serial: cable.Path()}, Options: tg.options, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	drivertest.Until(t, "the device at the other end", f.Here)
	return d.(*Pressed), f
}
