package talkpad

import (
	"log/slog"
	"strings"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/pad21"
	"halledge/firmware-protocols/sixbyte"
	"halledge/firmware-protocols/ub485"
)

// far is a pad at the other end of a line.
type far struct {
	farend.Voice
	blank func()
}

func newFar(hear func([]byte)) *far {
	return &far{Voice: farend.Voice{Hear: func(b []byte) []byte { hear(b); return nil }}}
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
			f := newFar(func(b []byte) { p.Hear(b) })
			f.blank = func() { p = pad21.NewPad(3) }
			return f, func(c device.KeyCode) []byte {
				return p.Press(map[device.KeyCode]pad21.Key{
					device.KeyNext: pad21.KeyCall, device.KeyRecall: pad21.KeyRecall, device.KeyTransfer: pad21.KeyTransfer,
				}[c])
			}, func() string { return number(strings.TrimSpace(p.Shows()[min(3, len(p.Shows())):])) }
		}},
		{"ub485", NewUB485, "", map[string]string{"address": "3", "button_1": "next", "button_2": "recall", "button_4": "pass"},
			func() (*far, func(device.KeyCode) []byte, func() string) {
				p := ub485.NewPad(3)
				f := newFar(func(b []byte) { p.Hear(b) })
				f.blank = func() { p = ub485.NewPad(3) }
				return f, func(c device.KeyCode) []byte {
					return p.Press(map[device.KeyCode]ub485.Button{
						device.KeyNext: ub485.Button1, device.KeyRecall: ub485.Button2, device.KeyPass: ub485.Button4,
					}[c])
				}, func() string { text, _ := p.Shows(); return number(text) }
			}},
		{"sixbyte", NewSixByte, device.KeyLogout, map[string]string{"address": "3", "gap": "10ms"}, func() (*far, func(device.KeyCode) []byte, func() string) {
			p := sixbyte.NewPad(3, 1)
			f := newFar(func(b []byte) { p.Hear(b) })
			f.blank = func() { p = sixbyte.NewPad(3, 1) }
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
	cable := drivertest.Cable(t, f.Serve)
	d, err := tg.new(registry.Config{Name: "window-1.pad", Connect: registry.Connect{Serial: cable.Path()}, Options: tg.options, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	drivertest.Until(t, "the pad at the other end", f.Here)
	return d.(*Pad)
}
