package talkpad

import (
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/pad21"
	"halledge/firmware-protocols/sixbyte"
	"halledge/firmware-protocols/ub485"
)

// far is a pad at the other end of a line.
type far struct {
	mu    sync.Mutex
	line  io.Writer
	hear  func([]byte)
	blank func()
}

func (f *far) serve(rw io.ReadWriter) {
	f.plug(rw)
	defer f.plug(nil)
	buf := make([]byte, 256)
	for {
		n, err := rw.Read(buf)
		f.mu.Lock()
		f.hear(buf[:n])
		f.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (f *far) plug(w io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.line = w
}

// says sends what a finger makes the pad say; false while it is not plugged in.
func (f *far) says(finger func() []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.line == nil {
		return false
	}
	_, err := f.line.Write(finger())
	return err == nil
}

func (f *far) look(at func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at()
}

// tongue is a dialect with its far end.
type tongue struct {
	name    string
	new     func(registry.Config) (device.Device, error)
	other   device.KeyCode
	options map[string]string
	far     func() (f *far, press func(device.KeyCode) []byte, shown func() string)
}

func tongues() []tongue {
	return []tongue{
		{"pad21", New21, device.KeyTransfer, map[string]string{"address": "3"}, func() (*far, func(device.KeyCode) []byte, func() string) {
			p := pad21.NewPad(3)
			f := &far{hear: func(b []byte) { p.Hear(b) }, blank: func() { p = pad21.NewPad(3) }}
			return f, func(c device.KeyCode) []byte {
				return p.Press(map[device.KeyCode]pad21.Key{
					device.KeyNext: pad21.KeyCall, device.KeyRecall: pad21.KeyRecall, device.KeyTransfer: pad21.KeyTransfer,
				}[c])
			}, func() string { return number(strings.TrimSpace(p.Shows()[min(3, len(p.Shows())):])) }
		}},
		{"ub485", NewUB485, "", map[string]string{"address": "3", "button_1": "next", "button_2": "recall", "button_4": "pass"},
			func() (*far, func(device.KeyCode) []byte, func() string) {
				p := ub485.NewPad(3)
				f := &far{hear: func(b []byte) { p.Hear(b) }, blank: func() { p = ub485.NewPad(3) }}
				return f, func(c device.KeyCode) []byte {
					return p.Press(map[device.KeyCode]ub485.Button{
						device.KeyNext: ub485.Button1, device.KeyRecall: ub485.Button2, device.KeyPass: ub485.Button4,
					}[c])
				}, func() string { text, _ := p.Shows(); return number(text) }
			}},
		{"sixbyte", NewSixByte, device.KeyLogout, map[string]string{"address": "3", "gap": "10ms"}, func() (*far, func(device.KeyCode) []byte, func() string) {
			p := sixbyte.NewPad(3, 1)
			f := &far{hear: func(b []byte) { p.Hear(b) }, blank: func() { p = sixbyte.NewPad(3, 1) }}
			return f, func(c device.KeyCode) []byte {
					return p.Press(map[device.KeyCode]sixbyte.Command{
						device.KeyNext: sixbyte.Next, device.KeyRecall: sixbyte.Recall, device.KeyLogout: sixbyte.Logout,
					}[c])
				}, func() string {
					n, _, _ := p.Shows()
					return map[int]string{1: "A001"}[n]
				}
		}},
	}
}

// number is what the conformance suite showed, of which the pad keeps the digits.
func number(digits string) string {
	if digits == "" {
		return ""
	}
	return "A" + digits
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// one runs a driver on a line that is plugged in.
func one(t *testing.T, tg tongue, f *far) *Pad {
	t.Helper()
	cable := drivertest.Cable(t, f.serve)
	d, err := tg.new(registry.Config{Name: "window-1.pad", Connect: registry.Connect{Serial: cable.Path()}, Options: tg.options, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	drivertest.Until(t, "the pad at the other end", func() bool { return f.says(func() []byte { return nil }) })
	return d.(*Pad)
}
