package pads_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/pads"
	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/firmware-protocols/hallsync"
)

// types presses keys by words: digits one by one, or a key by its name.
func (p *pad) types(words string) {
	for word := range strings.FieldsSeq(words) {
		if strings.Trim(word, "0123456789") != "" {
			p.press(device.KeyCode(word))
			continue
		}
		for _, c := range word {
			p.keys <- device.Key{Code: device.KeyDigit, Digit: int(c - '0')}
		}
	}
}

// idle and the others are what the pad of window 1 shows.
func idle(waiting int) device.PadFrame { return device.PadFrame{Waiting: waiting, State: "idle"} }

func at(number, state string, waiting int) device.PadFrame {
	return device.PadFrame{Number: number, Waiting: waiting, State: state}
}

// desk is an open window 1 with a pad, and so many people who wait for it.
func desk(t *testing.T, waiting int) (*pad, *hall.Hall) {
	t.Helper()
	p := newPad()
	h := open(t, pads.Pad{Name: "window-1.pad", Device: p, Window: "1"})
	do(t, h, queue.Open{Window: "1"})
	for n := range waiting {
		do(t, h, queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n+1)), Queue: "A", Channel: hallsync.AtKiosk})
	}
	p.until(t, idle(waiting))
	return p, h
}

func state(h *hall.Hall, id hallsync.TicketID) (t queue.Ticket) {
	h.Read(func(s *queue.State, _ hallsync.Seq) { t, _ = s.Ticket(id) })
	return t
}

// Each verb of the window's page can be reached from a pad with digits and 确认, or has a key.
func TestEveryVerb(t *testing.T) {
	p, h := desk(t, 4)
	for _, step := range []struct {
		types string
		want  device.PadFrame
	}{
		{"next", at("A001", "called", 3)},
		{"1 confirm", at("A001", "serving", 3)},
		{"0 confirm", idle(3)}, // held
		{"next", at("A002", "called", 2)},
		{"start", at("A002", "serving", 2)},
		{"8 confirm", idle(2)},
		{"3 confirm", at("A001", "serving", 2)}, // the held one is back
		{"hold", idle(2)},
		{"return", at("A001", "serving", 2)},
		{"finish", idle(2)},
		{"next", at("A003", "called", 1)},
		{"5 confirm", idle(1)},                // passed
		{"return", at("A003", "called", 1)},   // no one is held: the one passed last
		{"pass", idle(1)},                     // again
		{"003 next", at("A003", "called", 1)}, // by its number
		{"rate", idle(1)},                     // its service has ended, and the citizen is asked
		{"next", at("A004", "called", 0)},     //
		{"6 confirm", idle(0)},                // given up
		{"pause", at("", "paused", 0)},        //
		{"resume", idle(0)},                   //
		{"9 confirm", at("", "closed", 0)},    //
		{"18 login", idle(0)},                 // somebody's number
		{"logout", device.PadFrame{State: "closed"}},
	} {
		p.types(step.types)
		p.until(t, step.want)
	}
	for id, want := range map[hallsync.TicketID]hallsync.TicketState{
		"t1": hallsync.Done, "t2": hallsync.Done, "t3": hallsync.Done, "t4": hallsync.Abandoned,
	} {
		if got := state(h, id).State; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	if n := p.refused(); n != 0 {
		t.Errorf("%d keys were refused", n)
	}
}

// Pads have no key to begin with: somebody who was called and comes can be put aside at once.
func TestHoldOfWhoWasJustCalled(t *testing.T) {
	p, h := desk(t, 1)
	p.types("next")
	p.until(t, at("A001", "called", 0))
	p.types("hold")
	p.until(t, idle(0))
	if tk := state(h, "t1"); tk.State != hallsync.Held || tk.StartedAt.IsZero() {
		t.Errorf("it is %s, started %s", tk.State, tk.StartedAt)
	}
}

func TestPassedTicketGoesBackInLine(t *testing.T) {
	p, h := desk(t, 1)
	p.types("next")
	p.until(t, at("A001", "called", 0))
	p.types("pass")
	p.until(t, idle(0))
	p.types("7 confirm")
	p.until(t, idle(1))
	if got := state(h, "t1").State; got != hallsync.Waiting {
		t.Errorf("it is %s", got)
	}
}

// Digits before 转移 are a window, or with a 0 before them the place of a queue in the hall's list.
func TestTransfer(t *testing.T) {
	p, h := desk(t, 2)
	do(t, h, queue.Open{Window: "2"})
	p.types("next")
	p.until(t, at("A001", "called", 1))
	p.types("2 transfer")
	p.until(t, idle(2)) // still in the line of A
	if tk := state(h, "t1"); tk.Target != "2" || tk.Queue != "A" {
		t.Errorf("it went to window %q, queue %q", tk.Target, tk.Queue)
	}
	p.types("next")
	p.until(t, at("A002", "called", 1))
	p.types("02 transfer")
	p.until(t, idle(1))
	if tk := state(h, "t2"); tk.Target != "" || tk.Queue != "B" {
		t.Errorf("it went to window %q, queue %q", tk.Target, tk.Queue)
	}
}

func TestLoginByNumber(t *testing.T) {
	p, h := desk(t, 0)
	staff := func() (id hallsync.StaffID) {
		h.Read(func(s *queue.State, _ hallsync.Seq) {
			w, _ := s.Window("1")
			id = w.Staff
		})
		return id
	}
	p.types("18 login")
	drivertest.Until(t, "somebody at work", func() bool { return staff() == "w018" })
	p.types("logout")
	p.until(t, device.PadFrame{State: "closed"})
	p.keys <- device.Key{Code: device.KeyLogin, Operator: 18} // entered at the pad itself
	p.until(t, idle(0))
	drivertest.Until(t, "somebody at work", func() bool { return staff() == "w018" })
	p.types("19 login")
	drivertest.Until(t, "the refusal", func() bool { return p.refused() == 1 })
	if got := staff(); got != "w018" {
		t.Errorf("%q works there", got)
	}
}

// A key that did nothing is told of, once, and changes nothing.
func TestKeysThatDoNothing(t *testing.T) {
	for _, types := range []string{
		"recall", "start", "finish", "pass", "hold", "return", "abandon", "transfer", "resume", "confirm", "4 confirm", "12 confirm", "7 confirm",
		"99 next", "2 next", // nobody has that number; somebody else is before that one
		"9 transfer", "09 transfer", "5 pass", "19 login", "dance", "rate rate",
	} {
		t.Run(types, func(t *testing.T) {
			p, h := desk(t, 2)
			var before, after hallsync.Seq
			h.Read(func(_ *queue.State, seq hallsync.Seq) { before = seq })
			p.types(types)
			drivertest.Until(t, "the refusal", func() bool { return p.refused() == 1 })
			h.Read(func(_ *queue.State, seq hallsync.Seq) { after = seq })
			if before != after {
				t.Error("it changed something")
			}
		})
	}
	t.Run("nobody waits", func(t *testing.T) {
		p, _ := desk(t, 0)
		p.types("next")
		drivertest.Until(t, "the refusal", func() bool { return p.refused() == 1 })
	})
}

// Digits that were given up, or are too many, mean nothing later.
func TestForgottenDigits(t *testing.T) {
	p, h := desk(t, 2)
	p.types("6 cancel next")
	p.until(t, at("A001", "called", 1))
	p.types("1234567802 transfer") // after eight digits they begin anew
	p.until(t, idle(1))
	if tk := state(h, "t1"); tk.Queue != "B" {
		t.Errorf("it went to queue %q", tk.Queue)
	}
	if _, err := h.Do(context.Background(), queue.CallNext{Window: "1"}); err != nil {
		t.Fatal(err)
	}
	p.until(t, at("A002", "called", 0))
}

// Keys that came between two polls of a pad are lost: what is left of a number is another number, and 叫号 without its number calls
// somebody else.
func TestLostKeysActForNobody(t *testing.T) {
	for name, keys := range map[string][]device.Key{
		"a digit before another one": {{Code: device.KeyDigit, Digit: 2, Lost: 1}, {Code: device.KeyTransfer}},
		"a digit before the verb":    {{Code: device.KeyDigit, Digit: 1}, {Code: device.KeyTransfer, Lost: 1}},
		"all digits":                 {{Code: device.KeyNext, Lost: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			p, h := desk(t, 2)
			p.types("next")
			p.until(t, at("A001", "called", 1))
			var before, after hallsync.Seq
			h.Read(func(_ *queue.State, seq hallsync.Seq) { before = seq })
			for _, k := range keys {
				p.keys <- k
			}
			drivertest.Until(t, "the refusal", func() bool { return p.refused() == 1 })
			h.Read(func(_ *queue.State, seq hallsync.Seq) { after = seq })
			if before != after {
				t.Error("it changed something")
			}
			p.types("start") // the next key counts again
			p.until(t, at("A001", "serving", 1))
		})
	}
	t.Run("and are given up by hand", func(t *testing.T) {
		p, _ := desk(t, 2)
		p.keys <- device.Key{Code: device.KeyDigit, Digit: 2, Lost: 1}
		p.types("cancel next")
		p.until(t, at("A001", "called", 1))
	})
}
