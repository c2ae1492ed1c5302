package linescanner

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/scan"
)

// menu answers Honeywell menu commands: those with BAD in them are refused with NAK.
func menu(from []byte) []byte {
	text, ok := bytes.CutPrefix(from, []byte{0x16, 'M', '\r'})
	if !ok || len(text) == 0 {
		return nil
	}
	a := scan.Accepted
	if bytes.Contains(text, []byte("BAD")) {
		a = scan.Refused
	}
	n := len(text) - 1
	return append(append(bytes.Clone(text[:n]), byte(a)), text[n])
}

func TestSettingsAreSentAfterEachConnection(t *testing.T) {
	p := answering(menu)
	r := run(t, p, map[string]string{"trigger": "honeywell", "settings": "SUFCA2 PAPHHF"})
	for _, command := range []string{"\x16M\rSUFCA2!", "\x16M\rPAPHHF!"} {
		if !p.heard([]byte(command)) {
			t.Errorf("%q was not sent", command)
		}
	}
	p.send("A001\r")
	if got := r.next(t).Payload.Reveal(); got != "A001" {
		t.Errorf("read %q", got)
	}
	drivertest.Reaches(t, r, device.OK, "")
}

func TestAScannerThatRefusesASettingReadsCodes(t *testing.T) {
	for name, answer := range map[string]func([]byte) []byte{"refused": menu, "not answered": nil} {
		t.Run(name, func(t *testing.T) {
			p := answering(answer)
			r := connect(t, p, map[string]string{"trigger": "honeywell", "settings": "BAD123"})
			drivertest.Reaches(t, r, device.Degraded, device.CodeBadConfig)
			if d := r.Health().Detail; !strings.Contains(d, "BAD123") {
				t.Errorf("the detail is %q", d)
			}
			p.send("A001\r")
			if got := r.next(t).Payload.Reveal(); got != "A001" {
				t.Errorf("read %q", got)
			}
			drivertest.Reaches(t, r, device.Degraded, device.CodeBadConfig)
		})
	}
}

// An engine that was just plugged in misses the first command.
func TestASettingIsTriedAgain(t *testing.T) {
	var tries atomic.Int32
	p := answering(func(from []byte) []byte {
		if tries.Add(1) < settingTry {
			return nil
		}
		return menu(from)
	})
	r := connect(t, p, map[string]string{"trigger": "honeywell", "settings": "SUFCA2"})
	drivertest.Reaches(t, r, device.OK, "")
	if n := tries.Load(); n != settingTry {
		t.Errorf("%d tries", n)
	}
}

func TestSettingsInTheDialectsOfNewland(t *testing.T) {
	unified := func(from []byte) []byte {
		if n := len(from); n > 9 {
			return append(append([]byte("\x02\x010000"), from[6:n-2]...), byte(scan.Accepted), ';', 0x03)
		}
		return nil
	}
	for name, c := range map[string]struct {
		setting, sent string
		answer        func([]byte) []byte
	}{
		"newland_unified":  {"SCNMOD0", "~\x010000#SCNMOD0;\x03", unified},
		"newland_register": {"0000=D6", "\x7e\x00\x08\x01\x00\x00\xd6", func([]byte) []byte { return []byte{2, 0, 0, 1, 0, 0x33, 0x31} }},
	} {
		t.Run(name, func(t *testing.T) {
			p := answering(c.answer)
			r := connect(t, p, map[string]string{"trigger": name, "settings": c.setting})
			drivertest.Reaches(t, r, device.OK, "")
			if !p.heard([]byte(c.sent)) {
				t.Errorf("%q was not sent", c.sent)
			}
		})
	}
}

func TestATriggerOfTheSitesOwn(t *testing.T) {
	p := &played{}
	r := run(t, p, map[string]string{"trigger": "bytes", "trigger_on": "02 54 03", "trigger_off": "025503"})
	if err := r.Scanner.(device.SelfTester).SelfTest(t.Context()); err != nil {
		t.Fatal(err)
	}
	drivertest.Until(t, "both commands", func() bool { return p.heard([]byte("\x02T\x03\x02U\x03")) })
}

func TestSettingsThatCannotBe(t *testing.T) {
	for _, options := range []map[string]string{
		{"settings": "SUFCA2"},                         // no dialect
		{"settings": "99900035", "trigger": "newland"}, // answers nothing
		{"settings": "A!", "trigger": "honeywell"},     // would be two
		{"settings": "zz=1", "trigger": "newland_register"},
		{"settings": "0000", "trigger": "newland_register"},
		{"settings": strings.Repeat("A ", 17), "trigger": "honeywell"},
		{"trigger": "bytes"},
	} {
		if _, err := New(registry.Config{Name: "kiosk-1.scanner", Options: options}); drivertest.Code(err) != device.CodeBadConfig {
			t.Errorf("%v: %v", options, err)
		}
	}
}
