package talkpad

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/pad21"
	"halledge/firmware-protocols/sixbyte"
	"halledge/firmware-protocols/ub485"
)

func TestConformance(t *testing.T) {
	for _, tg := range tongues() {
		for name, tcp := range map[string]bool{"serial": false, "tcp": true} {
			t.Run(tg.name+" "+name, func(t *testing.T) {
				drivertest.CallPad(t, func(t *testing.T) drivertest.CallPadHarness {
					f, press, shown := tg.far()
					return drivertest.CallPadHarness{
						Harness: drivertest.Harness{New: tg.new, Options: tg.options, TCP: tcp, Far: f.Serve},
						Unasked: true, Other: tg.other,
						Press: func(c device.KeyCode) bool { return f.Say(func() []byte { return press(c) }) },
						Shown: func() (s string) { f.With(func() { s = shown() }); return s },
						Blank: func() { f.With(f.blank) },
					}
				})
			})
		}
	}
}

func key(t *testing.T, p *Pad) device.Key {
	t.Helper()
	return drivertest.Next(t, p, p.Keys())
}

func TestEveryKeyOfThe21(t *testing.T) {
	t.Parallel()
	pad := pad21.NewPad(3)
	f := newFar(pad.Hear)
	p := one(t, tongues()[0], f)
	for _, c := range []struct {
		press []pad21.Key
		want  []string
	}{
		{[]pad21.Key{pad21.KeyCall}, []string{"next"}},
		{[]pad21.Key{pad21.KeyRecall}, []string{"recall"}},
		{[]pad21.Key{pad21.KeyRate}, []string{"rate"}},
		{[]pad21.Key{pad21.KeyPause}, []string{"pause"}},
		{[]pad21.Key{6, pad21.KeyConfirm}, []string{"digit 6", "confirm"}},
		{[]pad21.Key{0, pad21.KeyConfirm}, []string{"digit 0", "confirm"}},
		{[]pad21.Key{1, 2, pad21.KeyTransfer}, []string{"digit 1", "digit 2", "transfer"}},
		{[]pad21.Key{4, pad21.KeyCancel}, []string{"digit 4", "cancel"}},
		{[]pad21.Key{4, pad21.KeyOneMetre}, []string{"digit 4", "cancel"}}, // it has no meaning
	} {
		f.Say(func() (out []byte) {
			for _, k := range c.press {
				out = append(out, pad.Press(k)...)
			}
			return out
		})
		for _, want := range c.want {
			k := key(t, p)
			got := string(k.Code)
			if k.Code == device.KeyDigit {
				got += " " + string(rune('0'+k.Digit))
			}
			if got != want || k.At.IsZero() {
				t.Errorf("pressed % x, got %s, want %s", c.press, got, want)
			}
		}
		drivertest.Until(t, "the acknowledgement", func() (done bool) {
			f.With(func() { done = pad.Unacknowledged() == 0 })
			return done
		})
	}
	if p.Health().Blind {
		t.Error("a pad that was heard passes for one that was not")
	}
}

// A pad that missed the answer says its key again: that is one press.
func TestAWordThatIsSaidAgainCountsOnce(t *testing.T) {
	t.Parallel()
	pad := pad21.NewPad(3)
	f := newFar(pad.Hear)
	p := one(t, tongues()[0], f)
	f.Say(func() []byte { return bytes.Repeat(pad.Press(pad21.KeyRecall), 3) })
	f.Say(func() []byte { return pad.Press(pad21.KeyPause) })
	for _, want := range []device.KeyCode{device.KeyRecall, device.KeyPause} {
		if k := key(t, p); k.Code != want {
			t.Errorf("got %s, want %s", k.Code, want)
		}
	}
}

// Two pads that speak at once spoil both frames: those keys are lost, and nothing else is.
func TestCollision(t *testing.T) {
	t.Parallel()
	pad := pad21.NewPad(3)
	f := newFar(pad.Hear)
	p := one(t, tongues()[0], f)
	f.Say(func() []byte {
		a, b := pad.Press(pad21.KeyCall), pad21.NewPad(4).Press(pad21.KeyCall)
		var spoiled []byte
		for i := range a {
			spoiled = append(spoiled, a[i]&b[i], a[i]|b[i])
		}
		return append(spoiled[:7], pad.Press(pad21.KeyRecall)...)
	})
	if k := key(t, p); k.Code != device.KeyRecall {
		t.Errorf("got %+v", k)
	}
}

func TestNonsenseHasAName(t *testing.T) {
	t.Parallel()
	for _, tg := range tongues() {
		f, press, _ := tg.far()
		p := one(t, tg, f)
		f.Say(func() []byte { return bytes.Repeat([]byte{0xF0, 0xC3}, 64) })
		drivertest.Reaches(t, p, device.Degraded, device.CodeBadReply)
		f.Say(func() []byte { return press(device.KeyRecall) })
		drivertest.Reaches(t, p, device.OK, "")
		if k := key(t, p); k.Code != device.KeyRecall {
			t.Errorf("%s: got %+v", tg.name, k)
		}
	}
}

// Four pads and a stranger share a line: each hears its own keys, and each shows its own number.
func TestPadsShareALine(t *testing.T) {
	t.Parallel()
	pads := map[byte]*pad21.Pad{}
	for a := byte(1); a <= 5; a++ {
		pads[a] = pad21.NewPad(a)
	}
	f := newFar(func(b []byte) {
		for _, p := range pads {
			p.Hear(b)
		}
	})
	cable := drivertest.Cable(t, f.Serve)
	reg := registry.New(map[string]registry.Driver{"pad21": {New: New21, Bus: true, Party: true}})
	model := registry.Model{Name: "pad21", Class: device.ClassCallPad, Driver: "pad21"}
	var drivers []*Pad
	for _, a := range []string{"1", "2", "3", "4"} {
		d, err := reg.Build(model, registry.Site{
			Name: "window-" + a + ".pad", Connect: registry.Connect{Serial: cable.Path()}, Options: map[string]string{"address": a},
		}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		drivertest.Run(t, d)
		drivers = append(drivers, d.(*Pad))
	}
	for i, p := range drivers {
		drivertest.Reaches(t, p, device.OK, "")
		if err := p.Display(t.Context(), device.PadFrame{Number: "A00" + string(rune('1'+i)), Waiting: i, State: "called"}); err != nil {
			t.Fatal(err)
		}
	}
	drivertest.Until(t, "the stranger", func() bool { return f.Say(func() []byte { return pads[5].Press(pad21.KeyRecall) }) })
	for i, p := range drivers {
		a := byte(i + 1)
		f.Say(func() []byte { return pads[a].Press(pad21.KeyCall) })
		if k := key(t, p); k.Code != device.KeyNext {
			t.Errorf("pad %d: %+v", a, k)
		}
		drivertest.Until(t, "its number", func() (shown bool) {
			f.With(func() { shown = pads[a].Shows() == "  "+string(rune('0'+i))+"00"+string(rune('1'+i)) })
			return shown
		})
	}
	for i, p := range drivers {
		select {
		case k := <-p.Keys():
			t.Errorf("pad %d heard another's %+v", i+1, k)
		default:
		}
	}
}

func TestButtonsMeanWhatTheWindowNeeds(t *testing.T) {
	o := registry.NewOptions(registry.Config{Options: map[string]string{"address": "3", "button_3": "transfer", "transfer_to": "02"}})
	d := newUB485(o)
	if err := o.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		button ub485.Button
		state  string
		want   string
	}{
		{ub485.Button1, "idle", "next"}, {ub485.Button1, "called", "recall"}, {ub485.Button1, "serving", "next"}, {ub485.Button2, "called", "start"},
		{ub485.Button4, "called", "pass"}, {ub485.Button4, "serving", "finish"}, {ub485.Button3, "serving", "digit0 digit2 transfer"},
	} {
		h := d.hear(ub485.AppendButton(nil, 3, c.button), c.state)
		var got []string
		for _, w := range h.said {
			for _, k := range w.keys {
				s := string(k.Code)
				if k.Code == device.KeyDigit {
					s += string(rune('0' + k.Digit))
				}
				got = append(got, s)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("button %x while %s: %v, want %s", byte(c.button), c.state, got, c.want)
		}
	}
}

func TestFourButtonFaces(t *testing.T) {
	for face, want := range map[string]struct {
		text  string
		lamp  ub485.Lamp
		beeps int
	}{"text": {"CAL", ub485.Dark, 0}, "lamp": {"", ub485.GreenFast, 1}, "both": {"CAL", ub485.GreenFast, 1}} {
		d := newUB485(registry.NewOptions(registry.Config{Options: map[string]string{"address": "3", "face": face}}))
		pad := ub485.NewPad(3)
		frames, err := d.show(device.PadFrame{State: "idle", Waiting: 1}, device.PadFrame{State: "idle"})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			pad.Hear(f)
		}
		if text, _ := pad.Shows(); text != want.text || pad.Lamp() != want.lamp || pad.Beeps() != want.beeps {
			t.Errorf("%s shows %q, %x, %d beeps", face, text, byte(pad.Lamp()), pad.Beeps())
		}
	}
}

func TestSixByteLogsInWhileTheWindowIsOpen(t *testing.T) {
	t.Parallel()
	pad := sixbyte.NewPad(3, 1)
	f := newFar(pad.Hear)
	p := one(t, tongues()[2], f)
	for _, step := range []struct {
		frame device.PadFrame
		want  []int
	}{
		{device.PadFrame{Number: "A012", Waiting: 7, State: "called"}, []int{12, 7, 1}},
		{device.PadFrame{State: "closed"}, []int{0, 0, 0}},
	} {
		if err := p.Display(t.Context(), step.frame); err != nil {
			t.Fatal(err)
		}
		drivertest.Until(t, "the display", func() (same bool) {
			f.With(func() {
				n, waiting, in := pad.Shows()
				got := []int{n, waiting, 0}
				if in {
					got[2] = 1
				}
				same = slices.Equal(got, step.want)
			})
			return same
		})
	}
	if err := p.Refuse(t.Context()); drivertest.Code(err) != device.CodeUnsupported {
		t.Errorf("refuse: %v", err)
	}
	if err := p.SelfTest(t.Context()); err != nil {
		t.Errorf("self-test: %v", err)
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New21, map[string]string{"address": "0", "face": "lamp", "same_within": "1ms"})
	drivertest.Refuses(t, NewUB485, map[string]string{"button_1": "sing", "transfer_to": "A", "face": "x"})
	drivertest.Refuses(t, NewSixByte, map[string]string{"address": "1", "gap": "0"})
}

func TestADisplayNeedsALine(t *testing.T) {
	d, err := New21(registry.Config{Name: "window-1.pad", Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.(*Pad).Display(t.Context(), device.PadFrame{State: "idle"}); err == nil {
		t.Error("a display without a line")
	}
}
