package callpad

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/modbus"
)

// words is every key in both languages.
func words() map[modbus.PadKey]device.Key {
	all := map[modbus.PadKey]device.Key{
		modbus.PadNext: {Code: device.KeyNext}, modbus.PadRecall: {Code: device.KeyRecall}, modbus.PadPass: {Code: device.KeyPass},
		modbus.PadTransfer: {Code: device.KeyTransfer}, modbus.PadPause: {Code: device.KeyPause}, modbus.PadResume: {Code: device.KeyResume},
		modbus.PadLogin: {Code: device.KeyLogin}, modbus.PadLogout: {Code: device.KeyLogout}, modbus.PadFinish: {Code: device.KeyFinish},
		modbus.PadRate: {Code: device.KeyRate}, modbus.PadConfirm: {Code: device.KeyConfirm}, modbus.PadCancel: {Code: device.KeyCancel},
		modbus.PadAbandon: {Code: device.KeyAbandon}, modbus.PadHold: {Code: device.KeyHold}, modbus.PadReturn: {Code: device.KeyReturn},
		modbus.PadStart: {Code: device.KeyStart},
	}
	for d := range 10 {
		all[modbus.PadDigit0+modbus.PadKey(d)] = device.Key{Code: device.KeyDigit, Digit: d}
	}
	return all
}

func TestConformance(t *testing.T) {
	for name, tcp := range map[string]bool{"serial": false, "tcp": true} {
		t.Run(name, func(t *testing.T) {
			drivertest.CallPad(t, func(t *testing.T) drivertest.CallPadHarness {
				far := newLine(1)
				return drivertest.CallPadHarness{
					Harness: drivertest.Harness{New: New, Options: options(nil), TCP: tcp, Far: far.serve},
					Press: func(code device.KeyCode) bool {
						for k, word := range words() {
							if word.Code == code {
								far.press(1, k)
								return true
							}
						}
						t.Fatalf("no pad has the key %s", code)
						return false
					},
					Shown: func() string { return far.display(1).Number },
					Blank: func() { far.with(func(l *line) { l.pads[1] = modbus.NewPad(1) }) },
				}
			})
		})
	}
}

func TestEveryKeyArrivesAndIsAcknowledged(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	p := one(t, far)
	n := uint16(0)
	for k, want := range words() {
		n++
		far.press(1, k)
		got := key(t, p)
		if got.Code != want.Code || got.Digit != want.Digit || got.Count != n || got.Lost != 0 || got.At.IsZero() {
			t.Errorf("key %d arrives as %+v", k, got)
		}
		drivertest.Until(t, "the acknowledgement", func() bool { return far.acknowledged(1) == n })
	}
	if jobs := p.Health().Counters.Jobs; jobs != uint64(n) {
		t.Errorf("%d keys count as %d", n, jobs)
	}
}

// A pad that misses the question for the operator, or the acknowledgement, keeps its line, and neither key nor lamp is lost.
func TestMissedQuestions(t *testing.T) {
	t.Parallel()
	missing := func(times int, is func(modbus.Request) bool) func(modbus.Request) bool {
		return func(q modbus.Request) bool {
			if is(q) && times > 0 {
				times--
				return true
			}
			return false
		}
	}
	far := newLine(1)
	p := start(t, far, map[string]string{"unit": "1", "reply_within": "100ms"})[0]
	drivertest.Reaches(t, p, device.OK, "")
	far.with(func(l *line) {
		l.deaf = missing(1, func(q modbus.Request) bool { return q.Function == modbus.ReadInput && q.Count == modbus.PadInputs })
		l.login = 1007
	})
	far.press(1, modbus.PadLogin)
	if k := key(t, p); k.Code != device.KeyLogin || k.Operator != 1007 || k.Lost != 0 || k.Count != 1 {
		t.Errorf("got %+v", k)
	}
	drivertest.Until(t, "the login to be acknowledged", func() bool { return far.acknowledged(1) == 1 })
	far.with(func(l *line) {
		l.deaf = missing(4, func(q modbus.Request) bool { return q.Function == modbus.WriteRegister && q.Address == modbus.PadAckAt })
	})
	far.press(1, modbus.PadPass)
	if k := key(t, p); k.Code != device.KeyPass || k.Lost != 0 {
		t.Errorf("got %+v", k)
	}
	drivertest.Until(t, "the pass to be acknowledged", func() bool { return far.acknowledged(1) == 2 })
	if c := p.Health().Counters; c.Failures != 0 || c.Jobs != 2 {
		t.Errorf("counters %+v", c)
	}
}

func TestKeysBetweenTwoPollsAreLostButCounted(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	p := one(t, far)
	far.press(1, modbus.PadPass, modbus.PadRecall, modbus.PadTransfer)
	if k := key(t, p); k.Code != device.KeyTransfer || k.Lost != 2 || k.Count != 3 {
		t.Errorf("got %+v", k)
	}
}

func TestTremblingFingerCallsOnePerson(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	p := one(t, far)
	far.press(1, modbus.PadNext)
	first := key(t, p)
	far.press(1, modbus.PadNext)
	drivertest.Until(t, "the second press to be seen", func() bool { return p.saw(t) == 2 })
	far.press(1, modbus.PadRecall)
	if k := key(t, p); k.Code != device.KeyRecall && k.At.Sub(first.At) < session.RepeatAfter {
		t.Errorf("after the first next came %+v", k)
	}
}

// saw is the counter as the driver knows it.
func (p *Pad) saw(t *testing.T) uint16 {
	t.Helper()
	var n uint16
	err := p.session.Do(t.Context(), "test", func(context.Context, transport.Conn) error {
		n = p.presses.last
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPadThatLostItsPower(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	p := one(t, far)
	for range 3 {
		far.press(1, modbus.PadPass)
		key(t, p)
	}
	if err := p.Display(t.Context(), device.PadFrame{Number: "A001", Waiting: 12, State: "serving"}); err != nil {
		t.Fatal(err)
	}
	far.with(func(l *line) { l.pads[1] = modbus.NewPad(1) })
	drivertest.Until(t, "the display to come back", func() bool {
		return far.display(1) == modbus.PadDisplay{Number: "A001", Waiting: 12, State: modbus.PadServing}
	})
	far.press(1, modbus.PadRecall)
	if k := key(t, p); k.Code != device.KeyRecall || k.Lost != 0 {
		t.Errorf("got %+v", k)
	}
}

func TestKeysThatAreNotHandled(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	p := one(t, far)
	far.press(1, 0x77)
	drivertest.Until(t, "the unknown key", func() bool { return p.Health().Counters.Garbage == 1 })
	for i := range cap(p.keys.C()) + 1 {
		far.press(1, modbus.PadPass)
		drivertest.Until(t, "the key", func() bool {
			c := p.Health().Counters
			return c.Jobs == uint64(i+1) || c.Garbage == 2
		})
	}
	c := p.Health().Counters
	if c.Jobs != uint64(cap(p.keys.C())) || c.Garbage != 2 {
		t.Errorf("with nobody listening: %+v", c)
	}
	if got, want := far.acknowledged(1), uint16(1+cap(p.keys.C())); got != want {
		t.Errorf("key %d is acknowledged, the last one handed out was %d", got, want)
	}
}

func TestExceptions(t *testing.T) {
	t.Parallel()
	t.Run("busy now and then", func(t *testing.T) {
		t.Parallel()
		far := newLine(1)
		p := one(t, far)
		far.with(func(l *line) { l.says[1] = []modbus.Exception{modbus.DeviceBusy, modbus.DeviceBusy} })
		if err := p.Display(t.Context(), device.PadFrame{Number: "A002", State: "called"}); err != nil {
			t.Fatal(err)
		}
		if far.display(1).Number != "A002" || p.Health().Counters.Failures != 0 {
			t.Errorf("shows %+v, health %+v", far.display(1), p.Health())
		}
	})
	t.Run("not our pad", func(t *testing.T) {
		t.Parallel()
		far := newLine(1)
		far.says[1] = []modbus.Exception{modbus.IllegalFunction}
		p := start(t, far, map[string]string{"unit": "1"})[0]
		drivertest.Reaches(t, p, device.Offline, device.CodeBadReply)
		if detail := p.Health().Detail; !strings.Contains(detail, "illegal function") {
			t.Errorf("the detail is %q", detail)
		}
		drivertest.Reaches(t, p, device.OK, "")
	})
	t.Run("another map", func(t *testing.T) {
		t.Parallel()
		far := newLine(1)
		far.odd = 7
		p := start(t, far, map[string]string{"unit": "1"})[0]
		drivertest.Reaches(t, p, device.Offline, device.CodeBadReply)
		if detail := p.Health().Detail; !strings.Contains(detail, "version 7") {
			t.Errorf("the detail is %q", detail)
		}
	})
}

func TestNoiseOnTheLine(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	far.noise = []byte{0xFF, 1, 4, 0xF0, 0}
	p := one(t, far)
	far.press(1, modbus.PadPass)
	if k := key(t, p); k.Code != device.KeyPass || p.Health().Counters.Garbage == 0 {
		t.Errorf("got %+v, %+v", k, p.Health().Counters)
	}
}

func TestPadsShareALine(t *testing.T) {
	t.Parallel()
	far := newLine(1, 2, 3)
	var each []map[string]string
	for u := range 3 {
		each = append(each, map[string]string{"unit": strconv.Itoa(u + 1), "reply_within": "100ms"})
	}
	pads := start(t, far, each...)
	for _, p := range pads {
		drivertest.Reaches(t, p, device.OK, "")
	}
	far.with(func(l *line) { l.off[2] = true })
	drivertest.Reaches(t, pads[1], device.Offline, device.CodeTimeout)
	for i, unit := range []byte{1, 3} {
		p := pads[2*i]
		number := "A00" + strconv.Itoa(int(unit))
		if err := p.Display(t.Context(), device.PadFrame{Number: number, State: "called"}); err != nil {
			t.Fatal(err)
		}
		far.press(unit, modbus.PadRecall)
		if k := key(t, p); k.Code != device.KeyRecall || far.display(unit).Number != number {
			t.Errorf("pad %d: key %+v, display %+v", unit, k, far.display(unit))
		}
	}
	far.with(func(l *line) { l.off[2] = false })
	drivertest.Reaches(t, pads[1], device.OK, "")
}

func TestNewestDisplayWins(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	p := one(t, far)
	calls := make(chan error, 10)
	for i := range cap(calls) {
		go func() {
			calls <- p.Display(t.Context(), device.PadFrame{Number: "B" + strconv.Itoa(i), Waiting: -1, State: "idle"})
		}()
	}
	for range cap(calls) {
		if err := <-calls; err != nil {
			t.Error(err)
		}
	}
	if err := p.Display(t.Context(), device.PadFrame{Number: "A1000", Waiting: 70000, State: "paused"}); err != nil {
		t.Fatal(err)
	}
	if got, want := far.display(1), (modbus.PadDisplay{Number: "A1000", Waiting: 65535, State: modbus.PadPaused}); got != want {
		t.Errorf("shows %+v, want %+v", got, want)
	}
}

func TestSelfTestBeeps(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	p := one(t, far)
	if err := p.SelfTest(t.Context()); err != nil {
		t.Fatal(err)
	}
	far.with(func(l *line) {
		a, _ := l.pads[1].Handle(modbus.Request{Unit: 1, Function: modbus.ReadHolding, Address: modbus.PadBeepAt, Count: 1})
		if len(a.Values) != 1 || a.Values[0] != testBeep {
			t.Errorf("beeps %+v", a)
		}
	})
}

func TestSelfTestSaysWhoElseIsOnTheLine(t *testing.T) {
	t.Parallel()
	far := newLine(2, 5)
	pads := start(t, far, map[string]string{"unit": "2"}, map[string]string{"unit": "3", "search_to": "6", "reply_within": "200ms"})
	drivertest.Reaches(t, pads[0], device.OK, "")
	drivertest.Reaches(t, pads[1], device.Offline, device.CodeTimeout)
	var (
		found device.Found
		de    *device.Error
	)
	if err := pads[1].SelfTest(t.Context()); !errors.As(err, &found) || found.String() != "2, 5" || !errors.As(err, &de) || de.Code != device.CodeAddress {
		t.Errorf("got %v", err)
	}
	far.with(func(l *line) { l.off[2], l.off[5] = true, true })
	found = nil
	if err := pads[1].SelfTest(t.Context()); err == nil || errors.As(err, &found) {
		t.Errorf("on a dead line: %v", err)
	}
}

func TestRefusedKeyBeeps(t *testing.T) {
	t.Parallel()
	far := newLine(1)
	p := one(t, far)
	if err := p.Refuse(t.Context()); err != nil {
		t.Fatal(err)
	}
	far.with(func(l *line) {
		a, _ := l.pads[1].Handle(modbus.Request{Unit: 1, Function: modbus.ReadHolding, Address: modbus.PadBeepAt, Count: 1})
		if len(a.Values) != 1 || a.Values[0] != noBeep {
			t.Errorf("beeps %+v", a)
		}
	})
}

func TestDisplaysThatNoPadHas(t *testing.T) {
	p, err := New(registry.Config{Name: "window-1.pad", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]device.PadFrame{
		"long number": {Number: "A100000", State: "called"}, "Chinese number": {Number: "甲1", State: "called"}, "no state": {Number: "A001"},
	} {
		var de *device.Error
		if err := p.(*Pad).Display(t.Context(), f); !errors.As(err, &de) || de.Code != device.CodeUnsupported || de.Retry {
			t.Errorf("%s: %v", name, err)
		}
	}
	for state, want := range map[string]modbus.PadState{"closed": 0, "idle": 1, "called": 2, "serving": 3, "paused": 4} {
		if r, err := registers(device.PadFrame{State: state}); err != nil || modbus.PadState(r[modbus.PadStateAt]) != want {
			t.Errorf("%s: %v, %v", state, r, err)
		}
	}
}

func TestCounter(t *testing.T) {
	var c counter
	for i, step := range []struct {
		now       uint16
		presses   int
		restarted bool
	}{
		{65530, 0, false}, // the first count only remembers
		{65530, 0, false}, {65531, 1, false}, {65535, 4, false}, {0, 1, false}, {1000, 1000, false}, {2001, 0, true}, {2002, 1, false}, {3, 0, true}, {5, 2, false},
	} {
		if presses, restarted := c.count(step.now); presses != step.presses || restarted != step.restarted {
			t.Errorf("step %d, counter %d: %d presses, restarted %v", i, step.now, presses, restarted)
		}
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"unit": "248", "poll": "1ms", "reply_within": "10s", "address": "3"})
}
