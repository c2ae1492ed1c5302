package ratingpad

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/modbus"
	"halledge/firmware-protocols/pad21"
)

func TestConformance(t *testing.T) {
	for name, tcp := range map[string]bool{"serial": false, "tcp": true} {
		t.Run("registers "+name, func(t *testing.T) {
			drivertest.RatingPad(t, func(t *testing.T) drivertest.RatingPadHarness {
				f := newFar(5)
				return drivertest.RatingPadHarness{
					Harness: drivertest.Harness{New: New, Options: options(), TCP: tcp, Far: f.serve},
					Grades:  []int{1, 2, 3, 4, 5}, Asked: f.asked, Press: f.press,
				}
			})
		})
		for _, tg := range tongues(t) {
			if tcp && tg.name != "bytes" { // what differs between them is not the link
				continue
			}
			t.Run(tg.name+" "+name, func(t *testing.T) {
				drivertest.RatingPad(t, func(t *testing.T) drivertest.RatingPadHarness {
					f := &talker{says: tg.says}
					var p *Pressed
					build := func(cfg registry.Config) (device.Device, error) {
						d, err := tg.new(cfg)
						p, _ = d.(*Pressed)
						return d, err
					}
					return drivertest.RatingPadHarness{
						Harness: drivertest.Harness{New: build, Options: tg.options, TCP: tcp, Far: f.Serve},
						Grades:  []int{1, 2, 3, 4, 5}, Unasked: true, Press: f.press,
						Asked: func(tag uint16) bool { now, ok := p.desk.asking(); return ok && now == tag },
					}
				})
			})
		}
	}
}

type answer struct {
	rating device.Rating
	err    error
}

func ask(t *testing.T, d device.RatingPad, q device.RatingRequest) <-chan answer {
	t.Helper()
	call := make(chan answer, 1)
	go func() {
		r, err := d.Ask(t.Context(), q)
		call <- answer{r, err}
	}()
	return call
}

func TestTheDeviceIsToldWhatToAsk(t *testing.T) {
	t.Parallel()
	f := newFar(5)
	r := one(t, f, options())
	drivertest.Reaches(t, r, device.OK, "")
	call := ask(t, r, device.RatingRequest{Session: 77, Prompt: "工号 018 为您服务", Timeout: 1500 * time.Millisecond})
	drivertest.Until(t, "the question", func() bool { return f.asked(77) })
	if tag, seconds, text, _ := f.asking(); tag != 77 || seconds != 2 || text != "工号 018 为您服务" {
		t.Errorf("asks %d, %d s, %q", tag, seconds, text)
	}
	f.press(4)
	if a := <-call; a.err != nil || a.rating != (device.Rating{Session: 77, Stars: 4}) {
		t.Errorf("got %+v", a)
	}
	if jobs := r.Health().Counters.Jobs; jobs != 1 {
		t.Errorf("one rating counts as %d", jobs)
	}
}

// A device that nobody needs is left in peace, whatever its poll is: a second less a poll, which keeps step with the clock.
func TestAnIdleDeviceIsPolledSeldom(t *testing.T) {
	t.Parallel()
	f := newFar(5)
	one(t, f, options())
	looks := func() (at []time.Time) {
		f.with(func(f *far) { at = slices.Clone(f.looks) })
		return at
	}
	drivertest.Until(t, "four looks", func() bool { return len(looks()) >= 4 })
	at := looks()
	if gap := at[3].Sub(at[2]); gap < 900*time.Millisecond { // the first two are of the beginning
		t.Errorf("it was asked again after %s", gap)
	}
}

// No grade comes of a device that says that nobody answered, that somebody gave up, that forgot the question, or that says a number that
// is no grade.
func TestNoGrade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(f *far)
		want    device.Code
	}{
		"nobody":       {func(f *far) { f.rater.End(modbus.RaterNobody) }, device.CodeTimeout},
		"cancelled":    {func(f *far) { f.rater.End(modbus.RaterCancelled) }, device.CodeTimeout},
		"power cut":    {func(f *far) { f.rater = modbus.NewRater(5) }, device.CodeOffline},
		"no grade":     {func(f *far) { f.odd = 6; f.rater.End(5) }, device.CodeBadReply},
		"another's":    {func(f *far) { f.rater.Handle(setTag(9)); f.rater.End(5) }, device.CodeOffline},
		"silence":      {func(f *far) { f.off = true }, device.CodeOffline},
		"our own time": {func(*far) {}, device.CodeTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFar(5)
			o := options()
			o["reply_within"] = "50ms"
			r := one(t, f, o)
			drivertest.Reaches(t, r, device.OK, "")
			call := ask(t, r, device.RatingRequest{Session: 1, Timeout: time.Second})
			drivertest.Until(t, "the question", func() bool { return f.asked(1) })
			f.with(c.happens)
			if a := <-call; drivertest.Code(a.err) != c.want || a.rating.Stars != 0 {
				t.Errorf("got %+v, %v; want %s", a.rating, a.err, c.want)
			}
			if name == "our own time" && f.asked(1) {
				t.Error("the device still asks")
			}
		})
	}
}

func setTag(tag uint16) modbus.Request {
	return modbus.Request{Unit: 5, Function: modbus.WriteRegister, Address: modbus.RaterTagAt, Values: []uint16{tag}}
}

// A question that nobody waits for any more, as after a restart, is called off.
func TestAQuestionThatWasLeftBehind(t *testing.T) {
	t.Parallel()
	f := newFar(5)
	f.rater.Handle(setTag(1))
	f.rater.Handle(modbus.Request{Unit: 5, Function: modbus.WriteRegister, Address: modbus.RaterOrderAt, Values: []uint16{modbus.RaterStart}})
	r := one(t, f, options())
	drivertest.Reaches(t, r, device.OK, "")
	if f.asked(1) {
		t.Error("it still asks the old question")
	}
	call := ask(t, r, device.RatingRequest{Session: 2, Timeout: time.Minute})
	drivertest.Until(t, "the new question", func() bool { return f.asked(2) })
	f.press(3)
	if a := <-call; a.err != nil || a.rating != (device.Rating{Session: 2, Stars: 3}) {
		t.Errorf("got %+v", a)
	}
}

func TestSelfTestSaysWhoElseIsOnTheLine(t *testing.T) {
	t.Parallel()
	r := one(t, newFar(5), map[string]string{"unit": "2", "search_to": "6", "reply_within": "200ms"})
	drivertest.Reaches(t, r, device.Offline, device.CodeTimeout)
	var found device.Found
	if err := r.SelfTest(t.Context()); !errors.As(err, &found) || found.String() != "5" {
		t.Errorf("got %v", err)
	}
}

func TestPromptThatNoDeviceHas(t *testing.T) {
	d, err := New(registry.Config{Name: "window-1.rater", Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.(*Rater).Ask(t.Context(), device.RatingRequest{Prompt: "ⴰ"}); drivertest.Code(err) != device.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}

// A device that lights up when it is asked is told, and told when the question is over, whatever came of it.
func TestOrders(t *testing.T) {
	t.Parallel()
	p, f := talking(t, tongues(t)[0])
	call := ask(t, p, device.RatingRequest{Session: 1, Timeout: time.Minute})
	drivertest.Until(t, "the order", func() bool { return f.Heard() == "\x01" })
	f.press(5)
	if a := <-call; a.rating.Stars != 5 {
		t.Errorf("got %+v", a)
	}
	drivertest.Until(t, "the end", func() bool { return f.Heard() == "\x01\x02" })
	if _, err := p.Ask(t.Context(), device.RatingRequest{Session: 2, Timeout: time.Millisecond}); drivertest.Code(err) != device.CodeTimeout {
		t.Errorf("got %v", err)
	}
	drivertest.Until(t, "both orders", func() bool { return f.Heard() == "\x01\x02\x01\x02" })
}

func TestBlindUntilHeard(t *testing.T) {
	t.Parallel()
	for _, tg := range tongues(t) {
		p, f := talking(t, tg)
		if blind := p.Health().Blind; blind != (tg.name != "keyboard") {
			t.Errorf("%s: blind %v before its first key", tg.name, blind)
		}
		f.press(1)
		drivertest.Until(t, "the key", func() bool { return !p.Health().Blind && p.Health().Counters.Garbage == 1 })
	}
}

func TestNonsenseHasAName(t *testing.T) {
	t.Parallel()
	for _, tg := range tongues(t) {
		if tg.name == "keyboard" { // a kernel tells no nonsense
			continue
		}
		p, f := talking(t, tg)
		f.Send(bytes.Repeat([]byte{0xF0, 0xC3}, 64))
		drivertest.Reaches(t, p, device.Degraded, device.CodeBadReply)
		f.press(1)
		drivertest.Reaches(t, p, device.OK, "")
	}
}

// What the pad itself says on the same line is no rating, and neither is another pad's.
func TestKeysOfThePadAreNoRating(t *testing.T) {
	t.Parallel()
	p, f := talking(t, tongues(t)[2])
	call := ask(t, p, device.RatingRequest{Session: 1, Timeout: time.Minute})
	drivertest.Until(t, "the question", func() bool { _, ok := p.desk.asking(); return ok })
	f.Send(pad21.NewPad(3).Press(pad21.KeyCall))
	f.Send(pad21.NewPad(4).Rate(1))
	f.Send(pad21.NewPad(3).Rate(9))
	f.press(5)
	if a := <-call; a.rating.Stars != 5 {
		t.Errorf("got %+v", a)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		new     func(registry.Config) (device.Device, error)
		options map[string]string
	}{
		{New, map[string]string{"unit": "248"}}, {New, map[string]string{"poll": "1ms"}}, {New, map[string]string{"stars_5": "1"}},
		{NewBytes, nil}, {NewBytes, map[string]string{"stars_5": "31", "stars_4": "31"}}, {NewBytes, map[string]string{"stars_5": "zz"}},
		{NewKeyboard, nil}, {NewKeyboard, map[string]string{"stars_5": "1", "stars_1": "1"}}, {NewKeyboard, map[string]string{"stars_5": "12"}},
		{NewPad21, map[string]string{"stars_5": "1", "address": "0"}}, {NewPad21, nil}, {NewPad21, map[string]string{"stars_5": "5", "stars_1": "5"}},
	} {
		if _, err := c.new(registry.Config{Name: "window-1.rater", Options: c.options, Log: quiet()}); drivertest.Code(err) != device.CodeBadConfig {
			t.Errorf("%v: %v", c.options, err)
		}
	}
}
