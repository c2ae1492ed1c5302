package pads

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

const (
	maxTyped = 8                // digits
	typedFor = 20 * time.Second // digits that no other key followed are forgotten
)

// typed are the digits that wait for the key that they belong to.
type typed struct {
	digits string
	gap    bool // some keys never came: nobody knows what the next one is about
	last   time.Time
}

// lost says that keys before the next one never came.
func (t *typed) lost(now time.Time) { t.digits, t.gap, t.last = "", true, now }

// add takes a digit. More of them than any number has begin anew.
func (t *typed) add(k device.Key, now time.Time) {
	if len(t.digits) >= maxTyped && !t.gap || now.Sub(t.last) > typedFor {
		t.digits, t.gap = "", false
	}
	t.digits, t.last = t.digits+strconv.Itoa(k.Digit), now
}

// take gives the digits and forgets them; whole is false when keys are missing.
func (t *typed) take(now time.Time) (digits string, whole bool) {
	was := *t
	*t = typed{}
	if now.Sub(was.last) > typedFor {
		return "", true
	}
	return was.digits, !was.gap
}

// confirmed is what 确认 does after digits: the way to the verbs that pads have no key for. 6, 0 and 3 are those of the common 21-key pad.
func confirmed(digits string) device.KeyCode {
	return map[string]device.KeyCode{
		"0": device.KeyHold, "1": device.KeyStart, "3": device.KeyReturn, "5": device.KeyPass, "6": device.KeyAbandon,
		"7": keyRequeue, "8": device.KeyFinish, "9": device.KeyLogout,
	}[digits]
}

// keyRequeue has no key on any pad: 过号排回, of the ticket that the window passed last.
const keyRequeue device.KeyCode = "requeue"

// order gives the command that a key, with the digits before it, stands for at the pad's window as it is; nil for none. Digits that a key
// has no use for make it none: they were meant for another one.
func (d *Desk) order(s *queue.State, p Pad, k device.Key, digits string) queue.Command {
	if k.Code == device.KeyConfirm {
		k.Code, digits = confirmed(digits), ""
	}
	w, _ := s.Window(p.Window)
	by := hallsync.By{Kind: "pad", ID: p.Name, Staff: w.Staff} // whoever has opened the window works there, and is who a citizen rates
	switch k.Code {
	case device.KeyNext:
		if digits != "" {
			return queue.CallTicket{Window: p.Window, Ticket: numbered(s, w, digits), By: by}
		}
		return queue.CallNext{Window: p.Window, By: by}
	case device.KeyTransfer:
		return transfer(s, p.Window, digits, by)
	case device.KeyLogin:
		return d.login(p, k, digits, by)
	}
	if digits != "" {
		return nil
	}
	switch k.Code {
	case device.KeyRecall:
		return queue.Recall{Window: p.Window, By: by}
	case device.KeyStart:
		return queue.Start{Window: p.Window, By: by}
	case device.KeyPass:
		return queue.Pass{Window: p.Window, By: by}
	case device.KeyFinish, device.KeyRate: // 评价 asks the citizen, who is asked when the service has ended
		return queue.Finish{Window: p.Window, By: by}
	case device.KeyAbandon:
		return queue.Abandon{Window: p.Window, By: by}
	case device.KeyHold:
		return queue.Hold{Window: p.Window, By: by}
	case device.KeyReturn:
		if len(w.Held) == 0 {
			return queue.CallTicket{Window: p.Window, Ticket: passed(s, p.Window), By: by}
		}
		return queue.Resume{Window: p.Window, By: by}
	case keyRequeue:
		return queue.Requeue{Ticket: passed(s, p.Window), By: by}
	case device.KeyPause:
		return queue.Pause{Window: p.Window, By: by}
	case device.KeyResume:
		return queue.Unpause{Window: p.Window, By: by}
	case device.KeyLogout:
		return queue.Close{Window: p.Window, By: by}
	}
	return nil
}

// login opens the window, for the person whose number was entered if one was. A number that nobody has opens nothing.
func (d *Desk) login(p Pad, k device.Key, digits string, by hallsync.By) queue.Command {
	if k.Operator != 0 {
		digits = strconv.Itoa(k.Operator)
	}
	by.Staff = ""
	if digits != "" {
		staff, ok := d.staff(p.Window, digits)
		if !ok {
			return nil
		}
		by.Staff = staff
	}
	return queue.Open{Window: p.Window, By: by}
}

// transfer is 转号: digits that begin with 0 are the place of a queue in the hall's list, others a window. Without digits it leads nowhere,
// and is refused.
func transfer(s *queue.State, window hallsync.WindowID, digits string, by hallsync.By) queue.Command {
	c := queue.Transfer{Window: window, By: by}
	place, isQueue := strings.CutPrefix(digits, "0")
	if !isQueue {
		c.ToWindow = hallsync.WindowID(digits)
		return c
	}
	n, err := strconv.Atoi(place)
	if queues := s.Plan().Queues; err == nil && n >= 1 && n <= len(queues) {
		c.ToQueue = queues[n-1].ID
	}
	return c
}

// numbered finds the ticket that digits mean at a window: of those that wait for it or that it passed, the one with that number. It is
// empty when there is none, or more than one.
func numbered(s *queue.State, w queue.Window, digits string) (id hallsync.TicketID) {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return ""
	}
	mine := queuesOf(s, w.ID)
	for _, t := range s.Tickets() {
		switch {
		case t.Ordinal != n:
		case t.State == hallsync.Waiting && slices.Contains(mine, t.Queue), t.State == hallsync.Passed && t.Window == w.ID:
			if id != "" {
				return ""
			}
			id = t.ID
		}
	}
	return id
}

// passed gives the ticket that a window passed last and that did not come back, empty for none.
func passed(s *queue.State, window hallsync.WindowID) (id hallsync.TicketID) {
	var at time.Time
	for _, t := range s.Tickets() {
		if t.State == hallsync.Passed && t.Window == window && !t.PassedAt.Before(at) {
			id, at = t.ID, t.PassedAt
		}
	}
	return id
}

func queuesOf(s *queue.State, window hallsync.WindowID) []hallsync.QueueID {
	for _, w := range s.Plan().Windows {
		if w.ID == window {
			return w.Queues
		}
	}
	return nil
}
