package raters_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/raters"
	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/hallsync"
	"halledge/firmware-protocols/modbus"
)

// desk is a hall with a window, and at it a rating device of the model that anybody can build.
type desk struct {
	*hall.Hall
	t     *testing.T
	cable *farend.PTY
	wants wants

	mu    sync.Mutex
	rater *modbus.Rater
}

// wants is who wants somebody asked once more.
type wants struct {
	mu     sync.Mutex
	n      uint64
	ticket hallsync.TicketID
	wake   chan struct{}
}

func (w *wants) Watch() (<-chan struct{}, func()) { return w.wake, func() {} }

func (w *wants) Newest() (uint64, hallsync.TicketID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n, w.ticket
}

func (w *wants) again(id hallsync.TicketID) {
	w.mu.Lock()
	w.n, w.ticket = w.n+1, id
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // said already
	}
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	plan := &queue.Plan{
		Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}},
		Windows: []queue.WindowPlan{{ID: "1", Queues: []hallsync.QueueID{"A"}}},
	}
	d := &desk{Hall: halltest.Open(t, plan), t: t, rater: modbus.NewRater(1), wants: wants{wake: make(chan struct{}, 1)}}
	d.cable = drivertest.Cable(t, d.serve)
	models := drivertest.Models(t, configs.FS())
	model := models[registry.Key{Class: device.ClassRatingPad, Name: "halledge-rater"}]
	site := registry.Site{Name: "window-1.rater", Connect: registry.Connect{Serial: d.cable.Path()}, Options: map[string]string{"poll": "20ms", "reply_within": "2s"}}
	r, err := builtin.All().Build(model, site, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, r)
	drivertest.Reaches(t, r, device.OK, "")
	all := []raters.Rater{{Name: "window-1.rater", Device: r.(device.RatingPad), Window: "1", Again: &d.wants}}
	halltest.Run(t, raters.New(d.Hall, all, slog.New(slog.DiscardHandler)).Run)
	return d
}

func (d *desk) serve(rw io.ReadWriter) {
	farend.Answer(rw, modbus.NewRequestDecoder(1), func(q modbus.Request) []byte {
		d.mu.Lock()
		defer d.mu.Unlock()
		a, _ := d.rater.Handle(q)
		out, err := a.Append(nil)
		if err != nil {
			return nil
		}
		return out
	})
}

// asks waits until the device asks something, and gives what.
func (d *desk) asks() (text string) {
	d.t.Helper()
	drivertest.Until(d.t, "a question", func() (ok bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		_, _, text, ok = d.rater.Asking()
		return ok
	})
	return text
}

func (d *desk) ends(rating uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rater.End(rating)
}

func (d *desk) do(all ...queue.Command) {
	d.t.Helper()
	for _, c := range all {
		if _, err := d.Do(context.Background(), c); err != nil {
			d.t.Fatalf("%T: %v", c, err)
		}
	}
}

// serves takes a ticket, calls and finishes it.
func (d *desk) serves(id hallsync.TicketID) {
	d.t.Helper()
	by := hallsync.By{Kind: "staff", Staff: "018"}
	d.do(queue.Open{Window: "1", By: by}, queue.Take{Ticket: id, Queue: "A", Channel: hallsync.AtKiosk}, queue.CallNext{Window: "1", By: by},
		queue.Finish{Window: "1", By: by})
}

func (d *desk) until(id hallsync.TicketID, what string, right func(queue.Ticket) bool) {
	d.t.Helper()
	drivertest.Until(d.t, what, func() (ok bool) {
		d.Read(func(s *queue.State, _ hallsync.Seq) {
			t, _ := s.Ticket(id)
			ok = right(t)
		})
		return ok
	})
}

func (d *desk) rated(id hallsync.TicketID, want hallsync.Grade) {
	d.t.Helper()
	d.until(id, "the rating "+string(want), func(t queue.Ticket) bool { return t.Rated == want })
}

func (d *desk) unrated(id hallsync.TicketID, want hallsync.Unrated) {
	d.t.Helper()
	d.until(id, "the word that nobody rated", func(t queue.Ticket) bool { return t.Unrated == want && t.Rated == "" })
}

func TestEachGrade(t *testing.T) {
	d := newDesk(t)
	for stars, want := range map[uint16]hallsync.Grade{
		1: hallsync.VeryDissatisfied, 2: hallsync.Dissatisfied, 3: hallsync.Fair, 4: hallsync.Satisfied, 5: hallsync.VerySatisfied,
	} {
		id := hallsync.TicketID("t-" + string(want))
		d.serves(id)
		if text := d.asks(); text != "工号018为您服务" {
			t.Errorf("it asks %q", text)
		}
		d.ends(stars)
		d.rated(id, want)
	}
}

// Who does not answer has given no grade; the window may have him asked once more.
func TestNobodyAnswers(t *testing.T) {
	d := newDesk(t)
	d.serves("t")
	d.asks()
	d.ends(modbus.RaterNobody)
	d.unrated("t", hallsync.UnratedTimeout)
	for range 2 {
		d.wants.again("t")
		d.asks()
		d.ends(modbus.RaterNobody)
		drivertest.Until(t, "the end of the question", func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			_, _, _, asking := d.rater.Asking()
			return !asking
		})
	}
	d.wants.again("t")
	d.asks()
	d.ends(4)
	d.rated("t", hallsync.Satisfied)
}

// The window calls somebody else while the citizen still thinks: the question is over, and the next service is asked about.
func TestTheNextIsCalled(t *testing.T) {
	d := newDesk(t)
	d.serves("first")
	d.asks()
	d.serves("second")
	d.unrated("first", hallsync.UnratedNextCall)
	d.asks()
	d.ends(5)
	d.rated("second", hallsync.VerySatisfied)
	d.unrated("first", hallsync.UnratedNextCall)
}

// Who rates on the phone is not asked any more.
func TestRatedElsewhere(t *testing.T) {
	d := newDesk(t)
	d.serves("t")
	d.asks()
	d.do(queue.Rate{Ticket: "t", Grade: hallsync.Fair, By: hallsync.By{Kind: "citizen"}})
	drivertest.Until(t, "the end of the question", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		_, _, _, asking := d.rater.Asking()
		return !asking
	})
	d.until("t", "nothing else", func(t queue.Ticket) bool { return t.Rated == hallsync.Fair && t.Unrated == "" })
}

// A device that is pulled out while it asks asks again when it is back: nobody has answered.
func TestPulledOutAndBack(t *testing.T) {
	d := newDesk(t)
	d.serves("t")
	d.asks()
	if err := d.cable.Unplug(); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.rater = modbus.NewRater(1)
	d.mu.Unlock()
	if err := d.cable.Plug(); err != nil {
		t.Fatal(err)
	}
	d.asks()
	d.ends(5)
	d.until("t", "the rating and no word of silence", func(t queue.Ticket) bool { return t.Rated == hallsync.VerySatisfied && t.Unrated == "" })
}
