package linescanner

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"halledge/configs"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
)

// typing gives the events with which a scanner types a text that has Chinese in it by GBK.
func typing(text string) string {
	var b []byte
	for _, e := range evdev.Strokes(text, func(c rune) (int, bool) {
		pair, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte(string(c)))
		if err != nil || len(pair) != 2 {
			return 0, false
		}
		return int(pair[0])<<8 | int(pair[1]), true
	}) {
		b = e.Append(b)
	}
	return string(b)
}

// keyboardModel is the model file of scanners that type.
func keyboardModel(t *testing.T) registry.Model {
	return drivertest.Models(t, configs.FS())[registry.Key{Class: device.ClassScanner, Name: "usb-keyboard-scanner"}]
}

func TestConformanceOfAKeyboard(t *testing.T) {
	// Neither line is an input device, but both carry its bytes, and unlike a pipe they can be unplugged.
	for name, tcp := range map[string]bool{"pseudo-terminal": false, "TCP": true} {
		t.Run(name, func(t *testing.T) {
			drivertest.Scanner(t, func(t *testing.T) drivertest.ScannerHarness {
				p := &played{}
				return drivertest.ScannerHarness{
					Harness: drivertest.Harness{New: NewKeyboard, Options: keyboardModel(t).Options, TCP: tcp, Far: p.Serve},
					Scan:    func(payload string) bool { return p.send(typing(payload + "\r")) },
					Spoil:   func(payload string) bool { return p.send(typing(payload + "\x07\r")) },
				}
			})
		})
	}
}

// board is a pipe in the place of an input device, with a driver that reads it.
type board struct {
	device.Scanner
	t    *testing.T
	file *os.File
}

func newBoard(t *testing.T, options map[string]string) board {
	t.Helper()
	f := drivertest.Keys(t)
	reg := registry.New(map[string]registry.Driver{"keyscanner": {New: NewKeyboard}})
	d, err := reg.Build(keyboardModel(t), registry.Site{Name: "kiosk-1.scanner", Connect: registry.Connect{File: f.Name()}, Options: options},
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	return board{d.(device.Scanner), t, f}
}

func (b board) types(events string) {
	b.t.Helper()
	if _, err := b.file.WriteString(events); err != nil {
		b.t.Fatal(err)
	}
}

func (b board) reads(want string) {
	b.t.Helper()
	if got := drivertest.Next(b.t, b, b.Scans()).Payload.Reveal(); got != want {
		b.t.Errorf("read %q, want %q", got, want)
	}
}

func TestChineseIsTyped(t *testing.T) {
	b := newBoard(t, nil)
	const text = "https://a.example/?姓名=测试甲&市=茂名"
	b.types(typing(text + "\r"))
	b.reads(text)
}

func TestUnicodeIsTyped(t *testing.T) {
	b := newBoard(t, map[string]string{"alt": "unicode", "charset": "utf-8"})
	var events []byte
	for _, e := range evdev.Strokes("市民码-茂名\r", func(c rune) (int, bool) { return int(c), true }) {
		events = e.Append(events)
	}
	b.types(string(events))
	b.reads("市民码-茂名")
}

// Somebody types on a keyboard that was taken for a scanner: a key now and then, and Enter. That is no code.
func TestThreat15FingersAreNoScanner(t *testing.T) {
	b := newBoard(t, nil)
	for _, key := range []string{"h", "e", "l", "l", "o"} {
		garbage := b.Health().Counters.Garbage
		b.types(typing(key))
		drivertest.Until(t, "the key to be too slow", func() bool { return b.Health().Counters.Garbage > garbage })
	}
	b.types(typing("\r"))
	b.types(typing("https://a.example/1\r"))
	b.reads("https://a.example/1")
}

// A key that is none of a code spoils the code that it is in, and whoever scans is told.
func TestThreat15AStrangeKeySpoilsACode(t *testing.T) {
	b := newBoard(t, nil)
	const f1 = 59
	b.types(typing("https://a.exa") + string(press(f1)) + typing("mple/1\r"))
	if u := drivertest.Next(t, b, b.Unread()); u.Fault != device.ScanUnreadable {
		t.Errorf("told %s", u.Fault)
	}
	b.types(typing("https://a.example/2\r"))
	b.reads("https://a.example/2")
}

func press(k evdev.KeyCode) (b []byte) {
	for _, value := range []int32{evdev.Pressed, evdev.Released} {
		b = evdev.Event{Sec: 1, Type: evdev.Keys, Code: uint16(k), Value: value}.Append(b)
		b = evdev.Event{Sec: 1, Type: evdev.Sync, Code: evdev.SyncReport}.Append(b)
	}
	return b
}

func TestACodeThatIsTypedIsBounded(t *testing.T) {
	b := newBoard(t, map[string]string{"gap": "1s"}) // it is typed as fast as the machine can
	go func() {                                      // more than a pipe holds
		_, _ = b.file.WriteString(typing(strings.Repeat("0", 3000) + "\r"))
		_, _ = b.file.WriteString(typing("https://a.example/3\r"))
	}()
	if u := drivertest.Next(t, b, b.Unread()); u.Fault != device.ScanTooLong {
		t.Errorf("told %s", u.Fault)
	}
	b.reads("https://a.example/3")
}
