package sdtreader

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/firmware-protocols/sdt"
)

func zhang() sdt.Card {
	return sdt.Card{Kind: sdt.Resident, Name: sdt.NewPrivate("张三"), Sex: sdt.Male, EthnicCode: "01", Birth: sdt.NewPrivate("19900307"),
		Address: sdt.NewPrivate("某省某市某区幸福路1号"), Number: sdt.NewPrivate("991101199003070016"), Issuer: "某市公安局",
		ValidFrom: "20200101", ValidTo: "20400101"}
}

func li() sdt.Card {
	c := zhang()
	c.Name, c.Sex, c.EthnicCode, c.Birth = sdt.NewPrivate("李四"), sdt.Female, "05", sdt.NewPrivate("19881112")
	c.Number, c.ValidTo, c.LongTerm = sdt.NewPrivate("991101198811120021"), "", true
	return c
}

func TestConformance(t *testing.T) {
	drivertest.IDCardReader(t, func(t *testing.T) drivertest.IDCardHarness {
		far := newReader(t)
		return drivertest.IDCardHarness{
			Harness: drivertest.Harness{New: New, Options: map[string]string{"find_every": findEvery}, Far: far.serve},
			Tap:     func() { far.tap(zhang()) },
			Spoil:   func() { far.tapSpoilt(zhang()) },
			Name:    "张三", Number: "991101199003070016", Address: "某省某市某区幸福路1号",
		}
	})
}

func TestCardIsReadWhole(t *testing.T) {
	t.Parallel()
	r := start(t, newReader(t), 115200, nil)
	r.far.tap(li())
	c := r.card()
	if c.Kind != "resident" || c.Name.Reveal() != "李四" || c.Number.Reveal() != "991101198811120021" || c.Sex != "female" ||
		c.Ethnicity != "维吾尔" || c.Birth.Reveal() != "19881112" || c.ValidTo != "" || c.At.IsZero() {
		t.Errorf("got %+v, number %s", c, c.Number.Reveal())
	}
	const number = "05.03-0020240101-0001234567-0987654321"
	if log := r.log.String(); !strings.Contains(log, "sam="+number) {
		t.Errorf("the log does not say which reader it is:\n%s", log)
	}
	if id := r.device.Health().Identity; id != number {
		t.Errorf("its health says that it is %q", id)
	}
	if !c.Photo.Empty() {
		t.Error("the photo was handed out though nobody asked for it")
	}
}

func TestPhotoIsHandedOutAsItIs(t *testing.T) {
	t.Parallel()
	far := newReader(t)
	far.photo = append([]byte("WLf"), bytes.Repeat([]byte{0xD8, 0x00, 0xFF}, 1021/3)...)
	far.photo = append(far.photo, 0x7E)
	r := start(t, far, 115200, map[string]string{"photo": "true"})
	far.tap(zhang())
	if c := r.card(); c.Photo.Reveal() != string(far.photo) || c.Name.Reveal() != "张三" {
		t.Errorf("%d bytes of photo", len(c.Photo.Reveal()))
	}
}

func TestForeignCards(t *testing.T) {
	c := zhang()
	c.Kind, c.Name, c.EnglishName, c.Sex = sdt.Foreigner2017, sdt.Private{}, sdt.NewPrivate("TEST, SPECIMEN"), sdt.SexNotStated
	got := toDevice(c)
	if got.Kind != "foreigner_2017" || got.Name.Reveal() != "TEST, SPECIMEN" || got.Sex != "unknown" || got.Ethnicity != "" || got.ValidTo != "20400101" {
		t.Errorf("got %+v, name %s", got, got.Name.Reveal())
	}
}

func TestCardThatStaysIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	r := start(t, newReader(t), 115200, nil)
	r.far.lay(zhang())
	r.card()
	r.asked(sdt.CmdReadCard, 2) // read again, in case it is another one
	r.none()
	r.far.lift()
	r.asked(sdt.CmdFind, told)
	r.far.lay(zhang())
	r.card()
}

// A card that was forgotten on the reader must not give its holder's identity to the next person because the line had a hiccup.
func TestForgottenCardIsNotDeliveredAfterAHiccup(t *testing.T) {
	t.Parallel()
	r := start(t, newReader(t), 115200, nil)
	r.far.lay(zhang())
	r.card()
	r.far.with(func(r *reader) { r.mute[sdt.CmdFind] = true })
	drivertest.Reaches(t, r.device, device.Offline, device.CodeTimeout)
	r.far.with(func(r *reader) { clear(r.mute) })
	r.asked(sdt.CmdReadCard, 2) // by the new connection: it may be another one by now
	r.none()
	r.far.lift()
	r.asked(sdt.CmdFind, told)
	r.far.lay(zhang())
	r.card()
}

func TestCardSwappedBetweenTwoLooksIsDelivered(t *testing.T) {
	t.Parallel()
	r := start(t, newReader(t), 115200, nil)
	r.far.lay(zhang())
	r.card()
	r.far.lay(li())
	if c := r.card(); c.Number.Reveal() != "991101198811120021" {
		t.Errorf("got %s", c.Number.Reveal())
	}
}

func TestMovedCardIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*reader){
		"not selected": func(r *reader) { r.say[sdt.CmdSelect] = []sdt.Status{sdt.StatusSelectFailed, sdt.StatusRandomFailed} },
		"not read":     func(r *reader) { r.say[sdt.CmdReadCard] = []sdt.Status{sdt.StatusReadFailed, sdt.StatusReadFailed} },
		"damaged":      func(r *reader) { r.say[sdt.CmdReadCard] = []sdt.Status{sdt.StatusBadChecksum} },
		"no data":      func(r *reader) { r.say[sdt.CmdReadCard] = []sdt.Status{sdt.StatusOK}; r.keep = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newReader(t)
			fault(far)
			r := start(t, far, 115200, nil)
			far.lay(zhang())
			if c := r.card(); c.Name.Reveal() != "张三" {
				t.Errorf("got %s", c.Name.Reveal())
			}
		})
	}
}

// text is what a card says, with a byte of it changed.
func text(t *testing.T, at int, to byte) []byte {
	t.Helper()
	data, err := sdt.CardData(zhang(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const lengths = 4 // before the text
	data[lengths+at] = to
	return data
}

func TestCardThatCannotBeReadIsGivenUp(t *testing.T) {
	t.Parallel()
	forged := zhang()
	forged.Number = sdt.NewPrivate("991101199003070017")
	const birth, flag = 36, 248 // where they stand in the text
	noDate, noLayout := text(t, birth, 'x'), text(t, flag, 'Q')
	for name, c := range map[string]struct {
		fault func(*reader)
		reads int // within the first look
		told  device.Fault
	}{
		"wrong type":             {func(r *reader) { r.always[sdt.CmdSelect] = sdt.StatusWrongCard }, 0, device.CardUnknown},
		"unknown layout":         {func(r *reader) { r.text = noLayout }, 1, device.CardUnknown},
		"refused by the module":  {func(r *reader) { r.always[sdt.CmdReadCard] = sdt.StatusModuleRefuses }, 1, device.CardRefused},
		"always moving":          {func(r *reader) { r.always[sdt.CmdReadCard] = sdt.StatusReadFailed }, maxTries, device.CardUnreadable},
		"wrong check character":  {func(r *reader) { r.card = &forged }, maxTries, device.CardUnreadable},
		"always damaged":         {func(r *reader) { r.spoilt = 99 }, maxTries, device.CardUnreadable},
		"a field that cannot be": {func(r *reader) { r.text = noDate }, maxTries, device.CardUnreadable},
		"cut short":              {func(r *reader) { r.text = noDate[:100] }, maxTries, device.CardUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newReader(t)
			ordinary := zhang()
			far.card, far.keep = &ordinary, true
			c.fault(far)
			r := start(t, far, 115200, nil)
			if told := r.told(); told != c.told {
				t.Errorf("told %s, want %s", told, c.told)
			}
			if n := far.count(sdt.CmdReadCard); n != c.reads {
				t.Errorf("read %d times, want %d", n, c.reads)
			}
			r.asked(sdt.CmdSelect, c.reads+1) // it is tried again later, and nobody is told again
			r.untold()
			if n := strings.Count(r.log.String(), string(c.told)); n != 1 {
				t.Errorf("%d lines in the log:\n%s", n, r.log)
			}
			if h := r.device.Health(); h.State != device.OK {
				t.Errorf("a bad card makes the reader %s", h.State)
			}
			r.none()
			far.with(func(r *reader) { clear(r.always); r.spoilt, r.text = 0, nil })
			far.lift()
			far.tap(li())
			if c := r.card(); c.Number.Reveal() != "991101198811120021" {
				t.Errorf("got %s", c.Number.Reveal())
			}
		})
	}
}

func TestCardTakenAwayIsTold(t *testing.T) {
	t.Parallel()
	far := newReader(t)
	far.slips = true
	r := start(t, far, 115200, nil)
	far.tap(zhang())
	if told := r.told(); told != device.CardRemoved {
		t.Errorf("told %s", told)
	}
	far.tap(zhang())
	r.card()
	r.asked(sdt.CmdFind, told) // taking it away after it was read is no news
	r.untold()
}

func TestNewestAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		option string
		far    func(*reader)
		want   string
	}{
		"asked for":            {"true", func(r *reader) { r.address = []sdt.Private{sdt.NewPrivate("甲路1号"), sdt.NewPrivate("乙路2号")} }, "乙路2号"},
		"asked for, none":      {"true", func(*reader) {}, "某省某市某区幸福路1号"},
		"module is silent":     {"true", func(r *reader) { r.mute[sdt.CmdNewestAddress] = true }, "某省某市某区幸福路1号"},
		"module does not know": {"true", func(r *reader) { r.always[sdt.CmdNewestAddress] = sdt.StatusBadCommand }, "某省某市某区幸福路1号"},
		"not asked for":        {"false", func(r *reader) { r.address = []sdt.Private{sdt.NewPrivate("甲路1号")} }, "某省某市某区幸福路1号"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newReader(t)
			c.far(far)
			r := start(t, far, 115200, map[string]string{"newest_address": c.option})
			far.tap(zhang())
			if got := r.card().Address.Reveal(); got != c.want {
				t.Errorf("address %q, want %q", got, c.want)
			}
		})
	}
}

func TestModuleThatIsNotWell(t *testing.T) {
	t.Parallel()
	t.Run("recovers by a reset", func(t *testing.T) {
		far := newReader(t)
		far.say[sdt.CmdStatus] = []sdt.Status{sdt.StatusSelfTest}
		r := start(t, far, 115200, nil)
		drivertest.Reaches(t, r.device, device.OK, "")
		if n := far.count(sdt.CmdReset); n != 1 {
			t.Errorf("reset %d times", n)
		}
	})
	t.Run("stays out of service until it is well", func(t *testing.T) {
		far := newReader(t)
		far.always[sdt.CmdStatus] = sdt.StatusUnauthorised
		r := start(t, far, 115200, nil)
		drivertest.Reaches(t, r.device, device.Offline, device.CodeFaulty)
		if detail := r.device.Health().Detail; !strings.Contains(detail, "not authorised") {
			t.Errorf("the detail is %q", detail)
		}
		far.with(func(r *reader) { clear(r.always) })
		drivertest.Reaches(t, r.device, device.OK, "")
	})
	t.Run("fails while it looks", func(t *testing.T) {
		r := start(t, newReader(t), 115200, nil)
		drivertest.Reaches(t, r.device, device.OK, "")
		r.far.with(func(r *reader) { r.always[sdt.CmdFind] = sdt.StatusSelfTest })
		drivertest.Reaches(t, r.device, device.Offline, device.CodeFaulty)
		r.far.with(func(r *reader) { clear(r.always) })
		r.far.tap(zhang())
		r.card()
	})
	t.Run("is none of these modules", func(t *testing.T) {
		far := newReader(t)
		far.always[sdt.CmdStatus] = sdt.StatusBadCommand
		r := start(t, far, 115200, nil)
		drivertest.Reaches(t, r.device, device.Offline, device.CodeBadReply)
	})
	t.Run("has no number", func(t *testing.T) {
		far := newReader(t)
		far.always[sdt.CmdSAMNumber] = sdt.StatusBadCommand
		r := start(t, far, 115200, nil)
		far.tap(zhang())
		r.card()
	})
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	r := start(t, newReader(t), 115200, nil)
	drivertest.Reaches(t, r.device, device.OK, "")
	r.far.with(func(r *reader) { r.mute[sdt.CmdFind] = true })
	r.asked(sdt.CmdFind, maxMisses-1)
	if h := r.device.Health(); h.State != device.OK {
		t.Errorf("%s after %d lost answers", h.State, maxMisses-1)
	}
	drivertest.Reaches(t, r.device, device.Offline, device.CodeTimeout)
	r.far.with(func(r *reader) { clear(r.mute); r.mute[sdt.CmdReadCard] = true })
	drivertest.Reaches(t, r.device, device.OK, "")
	r.far.lay(zhang())
	if told := r.told(); told != device.CardUnreadable {
		t.Errorf("told %s", told)
	}
	drivertest.Reaches(t, r.device, device.Offline, device.CodeTimeout) // a reader that finds and never reads is not well either
	r.untold()
	r.far.with(func(r *reader) { clear(r.mute) })
	r.card()
}

func TestReaderOfAnotherSpeedIsFound(t *testing.T) {
	t.Parallel()
	far := newReader(t)
	far.only = unix.B57600
	r := start(t, far, 115200, nil)
	drivertest.Reaches(t, r.device, device.OK, "")
	drivertest.Until(t, "the log to say the speed", func() bool { return strings.Contains(r.log.String(), "baud=57600") })
}

func TestLateCardGivesWay(t *testing.T) {
	t.Parallel()
	r := start(t, newReader(t), 115200, nil)
	r.far.lay(zhang())
	drivertest.Until(t, "the first card", func() bool { return r.device.Health().Counters.Jobs == 1 })
	r.far.lay(li())
	drivertest.Until(t, "the second card", func() bool { return r.device.Health().Counters.Jobs == 2 })
	if c := r.card(); c.Number.Reveal() != "991101198811120021" {
		t.Errorf("got %s, which nobody waits for any more", c.Number.Reveal())
	}
	r.none()
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"find_every": "1ms", "newest_address": "maybe", "photo": "1", "usb_head": "8", "colour": "red"})
}

func TestPresence(t *testing.T) {
	now := time.Unix(1000, 0)
	after := func(d time.Duration) time.Time { now = now.Add(d); return now }
	p := newPresence()
	steps := []struct {
		what string
		do   func() bool
		want bool
	}{
		{"the first card is read", func() bool { return p.found(now) }, true},
		{"and delivered", func() bool { return p.read(now, "1") }, true},
		{"while it stays it is left alone", func() bool { return p.found(after(lookAgain / 2)) }, false},
		{"for a while", func() bool { return p.found(after(lookAgain / 2)) }, true},
		{"but not delivered again", func() bool { return p.read(now, "1") }, false},
		{"a flicker makes it worth a reading", func() bool { p.none(after(time.Second)); return p.found(after(liftedAfter - 1)) }, true},
		{"and no more", func() bool { return p.read(now, "1") }, false},
		{"two flickers do not add up", func() bool {
			p.none(after(time.Second))
			p.found(after(liftedAfter - 1))
			p.none(after(time.Second))
			return p.found(after(liftedAfter-1)) && p.read(now, "1")
		}, false},
		{"lifted and put back it counts again", func() bool { p.none(after(time.Second)); return p.found(after(liftedAfter)) && p.read(now, "1") }, true},
		{"another one counts at once", func() bool { return p.found(after(lookAgain)) && p.read(now, "2") }, true},
		{"a bad one is news", func() bool { return p.giveUp(now) }, true},
		{"once", func() bool { return p.found(after(lookAgain)) && p.giveUp(now) }, false},
		{"until it is lifted", func() bool { p.none(after(time.Second)); return p.found(after(time.Second)) && p.giveUp(now) }, true},
		{"which counts for the next good one too", func() bool { return p.read(now, "2") }, true},
		{"a new connection reads it again", func() bool { p.reconnected(); return p.found(after(time.Hour)) }, true},
		{"and does not deliver it", func() bool { return p.read(now, "2") }, false},
		{"nor because it was not seen before", func() bool {
			p.none(after(time.Second))
			p.none(after(liftedAfter))
			p.reconnected()
			return p.found(after(time.Second)) && p.read(now, "2")
		}, false},
		{"but when it is lifted then", func() bool { p.none(after(time.Second)); return p.found(after(liftedAfter)) && p.read(now, "2") }, true},
		{"lifting it after that is no news", func() bool { p.none(after(time.Second)); return p.none(after(liftedAfter)) }, false},
		{"nor is a flicker", func() bool { p.found(after(time.Second)); return p.none(after(time.Second)) }, false},
		{"but not to come back is", func() bool { return p.none(after(liftedAfter)) }, true},
		{"once", func() bool { return p.none(after(liftedAfter)) }, false},
		{"lifting one that was given up is none", func() bool {
			p.found(after(time.Second))
			p.giveUp(now)
			p.none(after(time.Second))
			return p.none(after(liftedAfter))
		}, false},
	}
	for _, s := range steps {
		if got := s.do(); got != s.want {
			t.Fatalf("%s: %v, want %v", s.what, got, s.want)
		}
	}
}
