package keypad

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
)

func TestConformance(t *testing.T) {
	board := map[device.KeyCode]evdev.KeyCode{
		device.KeyNext: evdev.KeyKPEnter, device.KeyRecall: evdev.KeyKPPlus, device.KeyPass: evdev.KeyKPMinus,
	}
	// Neither line is an input device, but both carry its bytes, and unlike a pipe they can be unplugged.
	for name, tcp := range map[string]bool{"pseudo-terminal": false, "tcp": true} {
		t.Run(name, func(t *testing.T) {
			drivertest.CallPad(t, func(t *testing.T) drivertest.CallPadHarness {
				far := &keyboard{}
				return drivertest.CallPadHarness{
					Harness: drivertest.Harness{New: New, Options: modelFile(t).Options, TCP: tcp, Far: far.Serve},
					Press:   func(code device.KeyCode) bool { return far.send(strokes(board[code])...) },
				}
			})
		})
	}
}

func TestEveryKeyOfTheModel(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	p, log := running(t, at, nil)
	n := uint16(0)
	expect := func(code evdev.KeyCode, want device.KeyCode, digit int) {
		t.Helper()
		n++
		at.send(t, strokes(code)...)
		k := key(t, p)
		if k.Code != want || k.Digit != digit || k.Count != n || k.Lost != 0 || k.At.IsZero() {
			t.Errorf("key %d arrives as %+v, want %s %d, count %d", code, k, want, digit, n)
		}
	}
	expect(evdev.KeyKPEnter, device.KeyNext, 0)
	expect(evdev.KeyKPPlus, device.KeyRecall, 0)
	expect(evdev.KeyKPMinus, device.KeyPass, 0)
	expect(evdev.KeyMinus, device.KeyPass, 0)
	expect(evdev.KeyKPAsterisk, device.KeyPause, 0)
	expect(evdev.KeyKPSlash, device.KeyFinish, 0)
	expect(evdev.KeySlash, device.KeyFinish, 0)
	expect(evdev.KeyKPDot, device.KeyConfirm, 0)
	expect(evdev.KeyBackspace, device.KeyCancel, 0)
	for d, code := range []evdev.KeyCode{evdev.KeyKP0, evdev.KeyKP1, evdev.KeyKP2, evdev.KeyKP3, evdev.KeyKP4, evdev.KeyKP5, evdev.KeyKP6,
		evdev.KeyKP7, evdev.KeyKP8, evdev.KeyKP9} {
		expect(code, device.KeyDigit, d)
	}
	for d, code := range []evdev.KeyCode{11, 2, 3, 4, 5, 6, 7, 8, 9, 10} { // KEY_0, KEY_1 to KEY_9
		expect(code, device.KeyDigit, d)
	}
	counts(t, p, uint64(n), 0)
	if !strings.Contains(log.String(), "keypad_not_taken") {
		t.Errorf("a pipe cannot be taken, and the log does not say so:\n%s", log.String())
	}
}

func TestSiteChangesSingleKeys(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	p, _ := running(t, at, map[string]string{"dot": "logout", "backspace": "login", "tab": "pause", "equal": "resume", "slash": "none"})
	at.send(t, strokes(evdev.KeyKPSlash, evdev.KeyKPDot, evdev.KeyDot, evdev.KeyBackspace, evdev.KeyTab, evdev.KeyKPEqual, evdev.KeyKPPlus)...)
	for _, want := range []device.KeyCode{device.KeyLogout, device.KeyLogout, device.KeyLogin, device.KeyPause, device.KeyResume, device.KeyRecall} {
		if k := key(t, p); k.Code != want {
			t.Errorf("got %s, want %s", k.Code, want)
		}
	}
}

// A held key, keys with Shift and keys without a meaning call nobody.
func TestWhatIsNoKey(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	p, _ := running(t, at, nil)
	at.send(t, does(evdev.KeyKPMinus, evdev.Pressed)...)
	for range 20 {
		at.send(t, event(evdev.Keys, uint16(evdev.KeyKPMinus), evdev.Repeated), event(evdev.Sync, evdev.SyncReport, 1))
	}
	at.send(t, does(evdev.KeyKPMinus, evdev.Released)...)
	at.send(t, does(evdev.KeyLeftShift, evdev.Pressed)...)
	at.send(t, strokes(evdev.KeyKPEnter, 6, evdev.KeyMinus)...)
	at.send(t, does(evdev.KeyLeftShift, evdev.Released)...)
	at.send(t, strokes(30, 69, evdev.KeyTab, evdev.KeyKPPlus)...) // KEY_A, KEY_NUMLOCK and one nobody mapped
	for _, want := range []device.KeyCode{device.KeyPass, device.KeyRecall} {
		if k := key(t, p); k.Code != want {
			t.Errorf("got %+v, want %s", k, want)
		}
	}
	counts(t, p, 2, 0)
}

func TestOneKeyPausesAndResumes(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	p, _ := running(t, at, nil)
	for _, step := range []struct {
		state string
		want  device.KeyCode
	}{{"idle", device.KeyPause}, {"paused", device.KeyResume}, {"called", device.KeyPause}} {
		if err := p.Display(t.Context(), device.PadFrame{Number: "A001", State: step.state}); err != nil {
			t.Fatal(err)
		}
		at.send(t, strokes(evdev.KeyKPAsterisk)...)
		if k := key(t, p); k.Code != step.want {
			t.Errorf("while %s the key means %s, want %s", step.state, k.Code, step.want)
		}
	}
}

// The frame counts although the keypad was away when it came.
func TestPausedWhileAway(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	p, err := build(t, registry.Site{Connect: registry.Connect{File: at.Name()}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Display(t.Context(), device.PadFrame{State: "paused"}); drivertest.Code(err) != device.CodeOffline {
		t.Errorf("before it runs: %v", err)
	}
	drivertest.Run(t, p)
	at.send(t, strokes(evdev.KeyKPAsterisk)...)
	if k := key(t, p); k.Code != device.KeyResume {
		t.Errorf("got %s", k.Code)
	}
}

func TestLostEventsAreToldOf(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	p, log := running(t, at, nil)
	at.send(t, does(evdev.KeyLeftShift, evdev.Pressed)...) // its release is lost
	at.send(t, event(evdev.Sync, evdev.SyncDropped, 0))
	at.send(t, does(evdev.KeyKPEnter, evdev.Pressed)...) // nobody knows what this belongs to
	at.send(t, strokes(evdev.KeyKPPlus)...)
	if k := key(t, p); k.Code != device.KeyRecall || k.Lost != 1 {
		t.Errorf("got %+v", k)
	}
	counts(t, p, 1, 1)
	drivertest.Until(t, "a word in the log", func() bool { return strings.Contains(log.String(), "keypad_events_lost") })
}

func TestBytesInPieces(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	p, _ := running(t, at, nil)
	var stream []byte
	for _, e := range strokes(evdev.KeyKPPlus, evdev.KeyKPMinus) {
		stream = e.Append(stream)
	}
	for _, b := range stream {
		at.write(t, []byte{b})
	}
	for _, want := range []device.KeyCode{device.KeyRecall, device.KeyPass} {
		if k := key(t, p); k.Code != want {
			t.Errorf("got %s, want %s", k.Code, want)
		}
	}
}

func TestKeysNobodyTakes(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	p, log := running(t, at, nil)
	for range backlog + 1 {
		at.send(t, strokes(evdev.KeyKPPlus)...)
	}
	counts(t, p, backlog, 1)
	drivertest.Until(t, "a word in the log", func() bool { return strings.Contains(log.String(), "pad_key_dropped") })
}

func TestAnotherProgramHasIt(t *testing.T) {
	t.Parallel()
	at := newPipe(t)
	other, err := os.OpenFile(at.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	p, err := build(t, registry.Site{Connect: registry.Connect{File: at.Name()}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, p)
	drivertest.Reaches(t, p, device.Offline, device.CodeBusy)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, p, device.OK, "")
}

// A file that is no input device, such as a printer's, would be read for ever and say nothing.
func TestFileOfAnotherDevice(t *testing.T) {
	t.Parallel()
	p, err := build(t, registry.Site{Connect: registry.Connect{File: "/dev/null"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); drivertest.Code(err) != device.CodeBadConfig {
		t.Errorf("Run gave %v", err)
	}
	if h := p.Health(); h.State != device.Unusable || h.Code != device.CodeBadConfig {
		t.Errorf("the health is %+v", h)
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"enter": "digit", "0": "call", "plus": "sing", "hash": "next", "10": "digit"})
}
