package queue

import (
	"maps"
	"slices"
	"time"

	"halledge/agent/internal/queue/admit"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// Apply folds one fact into the state. It never fails: a fact is the truth, and one about an unknown ticket changes nothing.
func (s *State) Apply(p hallsync.Payload, at time.Time) {
	if p.Kind().OfLog() {
		return
	}
	s.clock, s.latest = s.age(at), at
	s.applyClock(p)
	switch f := p.(type) {
	case hallsync.DayOpened:
		s.openDay(f)
	case hallsync.TicketTaken:
		s.applyTaken(f, at)
	case hallsync.TicketCalled:
		s.applyCalled(f, at)
	case hallsync.TicketRecalled:
		s.onTicket(f.Ticket, func(t *Ticket) {
			t.Calls, t.CalledMS = f.Times, s.age(at)
			s.showCall(t, at)
		})
	case hallsync.TicketStarted:
		s.onTicket(f.Ticket, func(t *Ticket) { t.State, t.StartedAt, t.StartedMS = hallsync.Serving, at, s.age(at) })
	case hallsync.TicketFinished:
		s.applyFinished(f, at)
	case hallsync.TicketStepDone:
		s.onTicket(f.Ticket, func(t *Ticket) {
			s.served(t.Queue, at, max(0, s.age(at)-t.CalledMS)/1000)
			t.Then = t.Then[min(1, len(t.Then)):]
			t.Misses, t.Returned = 0, false // he came
		})
	case hallsync.RollSet:
		s.applyRoll(f, at)
	case hallsync.TicketPassed:
		s.onTicket(f.Ticket, func(t *Ticket) {
			s.leave(t, at)
			s.at(f.Window).MissedMS = t.CalledMS
			t.State, t.PassedAt, t.PassedMS = hallsync.Passed, at, s.age(at)
			if !f.Early {
				t.Misses++
			}
			s.passed = append(s.passed, t)
		})
	case hallsync.TicketRequeued:
		s.onTicket(f.Ticket, func(t *Ticket) {
			s.leave(t, at)
			s.turns++
			t.Turn, t.Front, t.Due, t.Returned = s.turns, false, s.lines.Calls(t.Queue)+uint64(max(0, f.After)), true
			t.Since = s.age(at)
			s.enter(t)
		})
	case hallsync.TicketTransferred:
		s.onTicket(f.Ticket, func(t *Ticket) { s.applyTransferred(t, f, at) })
	case hallsync.TicketHeld:
		s.onTicket(f.Ticket, func(t *Ticket) {
			s.leave(t, at)
			t.State, t.HeldMS = hallsync.Held, 0
			t.leaveNote(f.Reason)
			if !f.Until.IsZero() {
				t.HeldMS = s.age(at) + f.Until.Sub(at).Milliseconds()
			}
			w := s.at(f.Window)
			w.Held = append(w.Held, t.ID)
		})
	case hallsync.TicketResumed:
		s.onTicket(f.Ticket, func(t *Ticket) {
			s.leave(t, at)
			t.State = hallsync.Serving
			s.occupy(f.Window, t, at)
		})
	case hallsync.TicketAbandoned:
		s.onTicket(f.Ticket, func(t *Ticket) {
			if s.leave(t, at); t.State == hallsync.Called {
				s.at(f.Window).MissedMS = t.CalledMS
			}
			t.State, t.Window = hallsync.Abandoned, f.Window
			s.at(f.Window).Last = t.ID
		})
	case hallsync.TicketWithdrawn:
		s.onTicket(f.Ticket, func(t *Ticket) { s.leave(t, at); t.State = hallsync.Withdrawn })
	case hallsync.TicketClosed:
		s.onTicket(f.Ticket, func(t *Ticket) { s.leave(t, at); t.State = hallsync.Closed })
	case hallsync.TicketClassSet:
		s.onTicket(f.Ticket, func(t *Ticket) { s.applyClassSet(t, f) })
	case hallsync.TicketReopened:
		s.onTicket(f.Ticket, func(t *Ticket) { s.applyReopened(t, f, at) })
	case hallsync.TicketRated:
		s.onTicket(f.Ticket, func(t *Ticket) { t.Rated = f.Grade })
	case hallsync.TicketUnrated:
		s.onTicket(f.Ticket, func(t *Ticket) { t.Unrated = f.Why })
	case hallsync.SlipAsked:
		s.onTicket(f.Ticket, func(t *Ticket) { s.applySlipAsked(t, f) })
	case hallsync.SlipChanged:
		s.onTicket(f.Ticket, func(t *Ticket) { s.applySlipChanged(t, f, at) })
	case hallsync.PlanEdited:
		s.edited = f
	case hallsync.DeviceChanged:
		s.devices[f.Device] = f
	case hallsync.CameraPinned:
		s.cameras[f.Camera] = f
	case hallsync.PersonBlocked:
		s.applyBlock(f, at)
	case hallsync.PersonErased:
		s.applyErased(f)
	case hallsync.BookingSet, hallsync.BookingCancelled, hallsync.BookingMissed:
		s.applyBooking(p)
	default:
		s.applyWindow(p, at)
	}
}

func (s *State) applyWindow(p hallsync.Payload, at time.Time) {
	switch f := p.(type) {
	case hallsync.WindowWasOpened:
		s.setWindow(f.Window, hallsync.WindowOpen, f.By.Staff, "", at)
	case hallsync.WindowWasClosed:
		s.setWindow(f.Window, hallsync.WindowClosed, "", "", at)
	case hallsync.WindowWasPaused:
		s.setWindow(f.Window, hallsync.WindowPaused, s.at(f.Window).Staff, f.Reason, at)
	case hallsync.WindowDutySet:
		s.applyDuty(f, at)
	case hallsync.WindowWasUnpaused:
		s.setWindow(f.Window, hallsync.WindowOpen, s.at(f.Window).Staff, "", at)
	}
}

func (s *State) setWindow(id hallsync.WindowID, st hallsync.WindowState, staff hallsync.StaffID, reason string, at time.Time) {
	s.lines.Man(id, st == hallsync.WindowOpen)
	w := s.at(id)
	w.State, w.Staff, w.Reason, w.Since = st, staff, reason, at
}

// maxUsed bounds the days of which it is known which numbers were used.
const maxUsed = 62

// leaveDay notes which numbers of a day were used: a day that was left may be opened once more when a clock is put right.
func (s *State) leaveDay() {
	if s.day == "" {
		return
	}
	s.used[s.day] = max(s.after, (s.flow+99)/100)
	for _, n := range s.ordinals {
		s.used[s.day] = max(s.used[s.day], n)
	}
	for len(s.used) > maxUsed {
		delete(s.used, slices.Min(slices.Collect(maps.Keys(s.used))))
	}
}

// dayBefore is the calendar day before another: its appointments are kept for the day on which a clock turns out to have been ahead.
func (s *State) dayBefore(day string) string {
	at, err := time.ParseInLocation(time.DateOnly, day, s.plan.Location)
	if err != nil {
		return day
	}
	return at.AddDate(0, 0, -1).Format(time.DateOnly)
}

func (s *State) openDay(f hallsync.DayOpened) {
	if f.Instead == f.BusinessDay {
		s.after, s.flow = max(s.after, f.After), max(s.flow, 100*f.After)
		return
	}
	s.leaveDay()
	s.early, s.instead = false, f.Instead
	if f.Instead != "" {
		s.day, s.after, s.flow = f.BusinessDay, max(s.after, f.After), max(s.flow, 100*f.After)
		return
	}
	s.day, s.after, s.flow = f.BusinessDay, f.After, 100*f.After
	var carried []*Ticket
	for _, id := range f.Carried {
		s.onTicket(id, func(t *Ticket) { carried = append(carried, t) })
	}
	clear(s.ordinals)
	clear(s.tickets)
	s.lines.Clear()
	clear(s.services)
	clear(s.given)
	clear(s.persons)
	old := s.dayBefore(f.BusinessDay)
	maps.DeleteFunc(s.bookings, func(_ hallsync.BookingID, b *Booking) bool { return s.businessDay(b.End) < old })
	maps.DeleteFunc(s.blocks, func(_ string, b Block) bool { return !s.latest.Before(b.Until) })
	clear(s.slips)
	clear(s.failed)
	clear(s.rolls)
	s.calls, s.passed = nil, nil
	for _, t := range carried { // its number stays, so the day's begin behind it
		if t.Channel != hallsync.AtRoll { // a roll has numbers of its own
			s.ordinals[t.Home] = max(s.ordinals[t.Home], t.Ordinal)
		}
		t.Due, t.Target = 0, ""
		s.tickets[t.ID] = t
		if t.Person != "" {
			s.persons[t.Person] = append(s.persons[t.Person], t)
		}
		s.setSlip(t, t.Print)
		if t.State == hallsync.Passed {
			s.passed = append(s.passed, t)
		} else {
			s.enter(t)
		}
	}
	s.sortPassed()
	for _, w := range s.windows {
		w.Ticket, w.Last, w.Held, w.Duties = "", "", nil, nil
	}
}

func (s *State) applyTaken(f hallsync.TicketTaken, at time.Time) {
	s.turns++
	s.flow++
	if f.Channel == hallsync.AtRoll {
		s.rolls[f.Queue] = roll{Next: f.Ordinal + 1, Since: s.age(at), Turn: s.turns}
	} else {
		s.ordinals[f.Queue] = f.Ordinal
	}
	t := &Ticket{
		Entry:  line.Entry{ID: f.Ticket, Queue: f.Queue, Class: f.Class, Came: s.age(at), Base: s.age(at), Turn: s.turns},
		Number: f.Number, Ordinal: f.Ordinal, Home: f.Queue, FlowNo: f.FlowNo,
		Channel: f.Channel, Place: f.Place, Proof: f.Proof, TakenAt: at,
		Person: f.Person, Booking: f.Booking, Then: f.Then, Expect: f.Expect, Print: hallsync.SlipNone, Printer: f.Printer,
	}
	if !f.BookedFor.IsZero() {
		t.Base += f.BookedFor.Sub(at).Milliseconds()
	}
	if f.Printer != "" {
		s.setSlip(t, hallsync.SlipPending)
	}
	if b := s.bookings[f.Booking]; b != nil {
		b.State, b.Ticket = hallsync.BookingArrived, t.ID
	}
	s.count(t, at)
	s.tickets[t.ID] = t
	s.enter(t)
}

// count notes a new ticket where quotas and persons are counted.
func (s *State) count(t *Ticket, at time.Time) {
	if t.Person != "" {
		s.persons[t.Person] = append(s.persons[t.Person], t)
	}
	all := append([]hallsync.QueueID{t.Queue}, t.Then...)
	if t.Booking != "" {
		all = t.Then
	}
	for _, q := range all {
		rules := &admit.Rules{}
		if p := s.plan.queue(q); p != nil {
			rules = &p.Rules
		}
		s.given[q] = rules.Add(s.given[q], at.In(s.plan.Location))
	}
}

func (s *State) applyCalled(f hallsync.TicketCalled, at time.Time) {
	s.onTicket(f.Ticket, func(t *Ticket) {
		s.leave(t, at)
		t.State, t.CalledAt, t.Calls, t.Front, t.Due, t.Target = hallsync.Called, at, 1, false, 0, ""
		s.noteWait(t, f.How, s.age(at))
		t.CalledMS, t.FirstMS = s.age(at), s.age(at)
		s.lines.Tally(&t.Entry)
		t.StartedAt, t.Why = time.Time{}, f.Why
		s.occupy(f.Window, t, at)
		s.showCall(t, at)
	})
}

func (s *State) applyFinished(f hallsync.TicketFinished, at time.Time) {
	s.onTicket(f.Ticket, func(t *Ticket) {
		s.leave(t, at)
		t.State, t.FinishedAt, t.Staff = hallsync.Done, at, f.By.Staff
		s.served(t.Queue, at, max(0, s.age(at)-t.CalledMS)/1000)
	})
}

func (s *State) applyTransferred(t *Ticket, f hallsync.TicketTransferred, at time.Time) {
	s.leave(t, at)
	t.Queue, t.Target, t.Front = f.Queue, f.Window, f.Position == hallsync.AtFront
	t.Since = s.age(at)
	t.Due, t.Expect = 0, hallsync.Expectation{} // what was expected was of another place in line
	t.leaveNote(f.Note)
	if f.Position == hallsync.AtEnd {
		s.turns++
		t.Turn, t.Base = s.turns, s.age(at)
	}
	s.enter(t)
}

func (s *State) applyReopened(t *Ticket, f hallsync.TicketReopened, at time.Time) {
	s.leave(t, at)
	switch f.To {
	case hallsync.Waiting:
		s.enter(t)
	case hallsync.Called:
		t.State, t.CalledAt, t.CalledMS, t.FirstMS = hallsync.Called, at, s.age(at), s.age(at)
		s.occupy(f.Window, t, at)
		s.showCall(t, at)
	case hallsync.Serving:
		t.State, t.Unrated = hallsync.Serving, "" // asked anew when it is finished again
		s.occupy(f.Window, t, at)
	}
}

func (s *State) setSlip(t *Ticket, to hallsync.PrintState) {
	t.Print = to
	delete(s.slips, t.ID)
	delete(s.failed, t.ID)
	switch to {
	case hallsync.SlipPending:
		s.slips[t.ID] = t
	case hallsync.SlipFailed:
		s.failed[t.ID] = t
	}
}

func (s *State) onTicket(id hallsync.TicketID, do func(*Ticket)) {
	if t := s.tickets[id]; t != nil {
		do(t)
	}
}

// at gives the record of a window, making it on its first fact.
func (s *State) at(id hallsync.WindowID) *Window {
	w := s.windows[id]
	if w == nil {
		w = &Window{ID: id, State: hallsync.WindowClosed}
		s.windows[id] = w
	}
	return w
}

// enter puts a ticket into its line.
func (s *State) enter(t *Ticket) {
	t.State = hallsync.Waiting
	s.lines.Insert(&t.Entry)
}

// leave takes a ticket out of wherever it is: line, window, the window's held tickets or those that were passed.
func (s *State) leave(t *Ticket, at time.Time) {
	switch t.State {
	case hallsync.Waiting:
		s.lines.Remove(&t.Entry)
	case hallsync.Called, hallsync.Serving:
		if w := s.windows[t.Window]; w != nil && w.Ticket == t.ID {
			w.Ticket, w.Last, w.Since = "", t.ID, at
		}
	case hallsync.Held:
		if w := s.windows[t.Window]; w != nil {
			w.Held = slices.DeleteFunc(w.Held, func(id hallsync.TicketID) bool { return id == t.ID })
			w.Last = t.ID
		}
	case hallsync.Passed:
		s.passed = slices.DeleteFunc(s.passed, func(p *Ticket) bool { return p == t })
	}
}

func (s *State) occupy(id hallsync.WindowID, t *Ticket, at time.Time) {
	w := s.at(id)
	w.Ticket, w.Since, w.MissedMS, t.Window = t.ID, at, 0, id
}

// showCall records a call for the screens; a recall replaces the earlier call of the same ticket.
func (s *State) showCall(t *Ticket, at time.Time) {
	s.calls = slices.DeleteFunc(s.calls, func(c Call) bool { return c.Ticket == t.ID })
	s.calls = append(s.calls, Call{Ticket: t.ID, Number: t.Number, Window: t.Window, At: at, Times: t.Calls})
	s.calls = s.calls[max(0, len(s.calls)-maxCalls):]
}
