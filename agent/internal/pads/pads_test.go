package pads_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/pads"
	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// pad is the keypad on a desk: keys go in, and its little display shows what it was told last.
type pad struct {
	device.Device
	keys chan device.Key

	mu    sync.Mutex
	fails int // displays still to refuse
	nos   int // keys that did nothing
	shown device.PadFrame
	news  chan struct{}
}

func newPad() *pad { return &pad{keys: make(chan device.Key), news: make(chan struct{}, 1)} }

func (p *pad) Keys() <-chan device.Key { return p.keys }

func (p *pad) Display(_ context.Context, f device.PadFrame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails > 0 {
		p.fails--
		return &device.Error{Op: "display", Code: device.CodeOffline, Retry: true}
	}
	p.shown = f
	select {
	case p.news <- struct{}{}:
	default:
	}
	return nil
}

// Refuse implements device.Refuser.
func (p *pad) Refuse(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nos++
	return nil
}

func (p *pad) refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nos
}

func (p *pad) until(t *testing.T, want device.PadFrame) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		got := p.shown
		p.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-p.news:
		case <-deadline:
			t.Fatalf("the pad shows %+v, want %+v", got, want)
		}
	}
}

func open(t *testing.T, all ...pads.Pad) *hall.Hall {
	t.Helper()
	plan := &queue.Plan{
		Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}, {ID: "B"}}, PassRecall: time.Hour,
		Windows: []queue.WindowPlan{{ID: "1", Queues: []hallsync.QueueID{"A"}}, {ID: "2", Queues: []hallsync.QueueID{"A", "B"}}},
	}
	h := halltest.Open(t, plan)
	wished := false // of a rating; a second wish finds nobody to ask
	halltest.Run(t, pads.New(pads.Options{
		Hall: h, Pads: all, Log: slog.New(slog.DiscardHandler),
		Staff: func(w hallsync.WindowID, number string) (hallsync.StaffID, bool) {
			return "w018", w == "1" && number == "18"
		},
		Rate: func(hallsync.WindowID) bool {
			wished = !wished
			return wished
		},
	}).Run)
	return h
}

func do(t *testing.T, h *hall.Hall, c queue.Command) {
	t.Helper()
	if _, err := h.Do(context.Background(), c); err != nil {
		t.Fatalf("%T: %v", c, err)
	}
}

func (p *pad) press(k device.KeyCode) { p.keys <- device.Key{Code: k} }

func TestKeysAreTheCommandsOfTheWindow(t *testing.T) {
	p := newPad()
	h := open(t, pads.Pad{Name: "window-1.pad", Device: p, Window: "1"})
	p.until(t, device.PadFrame{State: "closed"})
	for n := range 3 {
		do(t, h, queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: "A", Channel: hallsync.AtKiosk})
	}
	p.until(t, device.PadFrame{State: "closed", Waiting: 3})
	for _, step := range []struct {
		key  device.KeyCode
		want device.PadFrame
	}{
		{device.KeyNext, device.PadFrame{Number: "A001", Waiting: 2, State: "called"}}, // opens the window too
		{device.KeyPass, device.PadFrame{Waiting: 2, State: "idle"}},
		{device.KeyPause, device.PadFrame{Waiting: 2, State: "paused"}},
		{device.KeyResume, device.PadFrame{Waiting: 2, State: "idle"}},
		{device.KeyNext, device.PadFrame{Number: "A002", Waiting: 1, State: "called"}},
		{device.KeyNext, device.PadFrame{Number: "A003", State: "called"}}, // finishes A002
		{device.KeyLogout, device.PadFrame{Number: "A003", State: "called"}},
		{device.KeyFinish, device.PadFrame{State: "idle"}},
		{device.KeyLogout, device.PadFrame{State: "closed"}},
		{device.KeyLogin, device.PadFrame{State: "idle"}},
	} {
		p.press(step.key)
		p.until(t, step.want)
	}
}

// A citizen rates who served, also when that one pressed a key instead of a button.
func TestPadActsForWhoeverWorksThere(t *testing.T) {
	p := newPad()
	h := open(t, pads.Pad{Name: "window-1.pad", Device: p, Window: "1"})
	do(t, h, queue.Open{Window: "1", By: hallsync.By{Kind: "staff", Staff: "s1"}})
	do(t, h, queue.Take{Ticket: "t", Queue: "A", Channel: hallsync.AtKiosk})
	p.press(device.KeyNext)
	p.until(t, device.PadFrame{Number: "A001", State: "called"})
	p.press(device.KeyFinish)
	p.until(t, device.PadFrame{State: "idle"})
	h.Read(func(s *queue.State, _ hallsync.Seq) {
		if tk, _ := s.Ticket("t"); tk.Staff != "s1" {
			t.Errorf("the ticket was finished by %q", tk.Staff)
		}
	})
}

func TestDisplayThatFailedIsShownAgain(t *testing.T) {
	p := newPad()
	p.fails = 2
	h := open(t, pads.Pad{Name: "window-1.pad", Device: p, Window: "1"})
	do(t, h, queue.Open{Window: "1"})
	p.until(t, device.PadFrame{State: "idle"})
}

// A driver that was made anew knows no frame, though nothing in the hall has changed.
func TestRenewedPadIsTold(t *testing.T) {
	p := newPad()
	renewed := make(chan struct{})
	open(t, pads.Pad{Name: "window-1.pad", Device: p, Window: "1", Renewed: renewed})
	p.until(t, device.PadFrame{State: "closed"})
	p.mu.Lock()
	p.shown = device.PadFrame{}
	p.mu.Unlock()
	renewed <- struct{}{}
	p.until(t, device.PadFrame{State: "closed"})
}
