package escpos

import (
	"errors"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/firmware-protocols/escpos"
)

// A printer that is given new paper finishes the slip at which it stopped, and answers for it, while the next one begins. That answer
// must not stand for the next slip, which it never finishes here.
func TestAnswerToAnEarlierSlip(t *testing.T) {
	noPaper := escpos.Status{Offline: true, PaperEnd: true, PaperStop: true}
	asb := escpos.Status{}.ASB()
	for name, c := range map[string]struct {
		status  string
		powered bool
		reload  func(t *testing.T, p *printer, r rig)
		slow    bool // it finishes the first slip long after it got paper
		fresh   bool // nobody knows yet that it answers GS r
	}{
		"among the questions":              {status: "barrier"},
		"of a probed printer":              {status: "probe"},
		"of a printer that never answered": {status: "probe", slow: true, fresh: true},
		"later":                            {status: "barrier", slow: true},
		"after pieces of automatic status": {status: "barrier", slow: true, reload: func(t *testing.T, p *printer, r rig) {
			p.change(func() { p.tail = asb[:1] })
			if _, err := r.Paper(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.change(func() { p.stray = asb[1:] })
		}},
		"after the cable was pulled": {status: "barrier", powered: true, slow: true, reload: func(t *testing.T, _ *printer, r rig) {
			if err := r.line.Unplug(); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Paper(t.Context()); err == nil { // the next look is a minute away
				t.Error("no cable, and the printer answers")
			}
			drivertest.Reaches(t, r, device.Offline, device.CodeOffline)
			if err := r.line.Plug(); err != nil {
				t.Fatal(err)
			}
			drivertest.Reaches(t, r, device.Degraded, device.CodePaperOut)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &printer{powered: c.powered}
			p.onLine = func(text string) {
				if text == "A001" || text == "A002" {
					p.set(noPaper)
				}
			}
			r := run(t, p, options("status", c.status, "poll", "1m", "settle", "10s"))
			drivertest.Reaches(t, r, device.OK, "")
			left := device.OutUnknown
			if !c.fresh {
				left = device.OutPart
				if err := r.Print(t.Context(), slip("A000")); err != nil {
					t.Fatal(err)
				}
			}
			err := r.Print(t.Context(), slip("A001"))
			drivertest.Fails(t, err, device.CodePaperOut, false)
			leaves(t, err, left)
			if c.powered {
				c.reload(t, p, r)
			}
			p.change(func() { p.status, p.slow = escpos.Status{}, c.slow })
			if c.reload != nil && !c.powered {
				c.reload(t, p, r)
			}
			asked := p.questions()
			call := make(chan error, 1)
			go func() { call <- r.Print(t.Context(), slip("A002")) }()
			if c.slow {
				drivertest.Until(t, "the driver to ask again", func() bool { return p.questions() > asked+3 })
				p.change(func() { p.slow = false })
			}
			err = <-call
			drivertest.Fails(t, err, device.CodePaperOut, false)
			leaves(t, err, left)
			if slips := p.texts(); count(slips, "/t/A001") != 1 || count(slips, "/t/A002") != 0 {
				t.Errorf("on paper: %q", slips)
			}
		})
	}
}

// An answer that was lost, here with the power, does not keep the next slips from being printed.
func TestAnswerThatNeverComes(t *testing.T) {
	p := &printer{}
	p.onLine = func(text string) {
		if text == "A001" {
			p.set(escpos.Status{Offline: true, CoverOpen: true})
		}
	}
	r := run(t, p, options("status", "barrier", "poll", "1m"))
	drivertest.Reaches(t, r, device.OK, "")
	drivertest.Fails(t, r.Print(t.Context(), slip("A001")), device.CodeCoverOpen, false)
	p.forget()
	p.set(escpos.Status{})
	for _, number := range []string{"A002", "A003"} {
		if err := r.Print(t.Context(), slip(number)); err != nil {
			t.Error(err)
		}
	}
	if slips := p.texts(); len(slips) != 2 || count(slips, "/t/A002") != 1 || count(slips, "/t/A003") != 1 {
		t.Errorf("on paper: %q", slips)
	}
}

// A spare printer that tells nothing is accepted in the place of one that told how it is.
func TestSpareThatTellsNothing(t *testing.T) {
	p := &printer{}
	r := run(t, p, options("status", "probe"))
	drivertest.Reaches(t, r, device.OK, "")
	if err := r.Print(t.Context(), slip("A001")); err != nil {
		t.Fatal(err)
	}
	if err := r.line.Unplug(); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, r, device.Offline, device.CodeOffline)
	p.change(func() { p.dumb = true })
	if err := r.line.Plug(); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, r, device.OK, "")
	if err := r.Print(t.Context(), slip("A002")); err != nil {
		t.Error(err)
	}
	drivertest.Until(t, "the slip", func() bool { return count(p.texts(), "/t/A002") == 1 })
	if !r.Health().Blind {
		t.Error("the spare counts as one that tells how it is")
	}
}

// A printer that falls silent while it is connected was switched off, however often the connection is made anew.
func TestSilenceIsNoSpare(t *testing.T) {
	p := &printer{}
	r := run(t, p, options("status", "probe"))
	drivertest.Reaches(t, r, device.OK, "")
	p.change(func() { p.dumb = true })
	drivertest.Until(t, "a second connection in vain", func() bool { return r.Health().Counters.Failures >= 2 })
	drivertest.Reaches(t, r, device.Offline, device.CodeTimeout)
	err := r.Print(t.Context(), slip("A001"))
	var de *device.Error
	if !errors.As(err, &de) || de.Out != device.OutNothing || len(p.texts()) != 0 {
		t.Errorf("%v, on paper %q", err, p.texts())
	}
	p.change(func() { p.dumb = false })
	drivertest.Reaches(t, r, device.OK, "")
	if err := r.Print(t.Context(), slip("A002")); err != nil {
		t.Error(err)
	}
}
