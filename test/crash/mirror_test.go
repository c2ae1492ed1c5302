package crash_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"halledge/firmware-protocols/hallsync"
	"halledge/test/demo"
)

// fact is one line of the cloud's GET /api/v1/facts.
type fact struct {
	Epoch   string
	Seq     uint64
	Kind    hallsync.Kind
	Refused string
	Payload json.RawMessage
}

// seen is a ticket as the facts alone tell it.
type seen struct {
	number, day string
	ordinal     int
	queue       hallsync.QueueID
	state       hallsync.TicketState
	window      hallsync.WindowID
	print       hallsync.PrintState
	reprints    int
}

// mirror folds the cloud's facts, with none of the agent's code: what the hall must look like if no fact is lost.
type mirror struct {
	facts   []fact
	day     string
	order   []hallsync.TicketID // as taken, all days
	tickets map[hallsync.TicketID]*seen
	windows map[hallsync.WindowID]hallsync.WindowState
	effects map[effect]int
	printed map[copyOf]int // slips that a printer confirmed
	begun   map[copyOf]int // slips that were on their way to a printer
}

// copyOf is one copy of a ticket's slip: 0 is the first.
type copyOf struct {
	number string
	copy   int
}

func newMirror() *mirror {
	return &mirror{
		tickets: map[hallsync.TicketID]*seen{}, windows: map[hallsync.WindowID]hallsync.WindowState{},
		effects: map[effect]int{}, printed: map[copyOf]int{}, begun: map[copyOf]int{},
	}
}

// pageSize is the most the cloud gives at once.
const pageSize = 200

// read takes over what the cloud has by now. A hole, a repetition, a second epoch or a refused fact fails the test.
func (m *mirror) read(t *testing.T, d *demo.Demo) {
	t.Helper()
	for {
		var page struct{ Items []fact }
		d.GetCloud(t, fmt.Sprintf("/api/v1/facts?hall=%s&after=%d&size=%d", d.Agent.Hall, len(m.facts), pageSize)).Into(t, &page)
		for _, f := range page.Items {
			if want := uint64(len(m.facts) + 1); f.Seq != want {
				t.Fatalf("fact %d of the cloud has sequence %d", want, f.Seq)
			}
			if f.Refused != "" || len(m.facts) > 0 && f.Epoch != m.facts[0].Epoch {
				t.Fatalf("fact %d: epoch %s, refused %q", f.Seq, f.Epoch, f.Refused)
			}
			m.facts = append(m.facts, f)
			if err := m.apply(f); err != nil {
				t.Fatalf("fact %d: %v", f.Seq, err)
			}
		}
		if len(page.Items) < pageSize {
			return
		}
	}
}

func (m *mirror) apply(f fact) error {
	p, err := (hallsync.Event{Kind: f.Kind, V: 1, Payload: f.Payload}).Decode()
	if err != nil {
		return err
	}
	switch p := p.(type) {
	case hallsync.DayOpened:
		m.day = p.BusinessDay
	case hallsync.WindowWasOpened:
		m.windows[p.Window] = hallsync.WindowOpen
	case hallsync.WindowWasUnpaused:
		m.windows[p.Window] = hallsync.WindowOpen
	case hallsync.WindowWasPaused:
		m.windows[p.Window] = hallsync.WindowPaused
	case hallsync.WindowWasClosed:
		m.windows[p.Window] = hallsync.WindowClosed
	case hallsync.DayClosed, hallsync.DeviceChanged, hallsync.CameraPinned:
	case hallsync.KeyMade, hallsync.SegmentBegun, hallsync.LogCheckpointed: // how the log is kept
	default:
		return m.applyTicket(p)
	}
	return nil
}

// about finds the ticket of a fact and counts the fact.
func (m *mirror) about(p hallsync.Payload) (*seen, error) {
	id := p.Subject().Ticket
	s := m.tickets[id]
	if s == nil {
		return nil, fmt.Errorf("%s about ticket %s, which was never taken", p.Kind(), id)
	}
	m.effects[effect{p.Kind(), id}]++
	return s, nil
}

func (m *mirror) applyTicket(p hallsync.Payload) error {
	if taken, ok := p.(hallsync.TicketTaken); ok {
		return m.take(taken)
	}
	to, at := change(p)
	s, err := m.about(p)
	if err != nil {
		return err
	}
	if to != "" {
		s.state = to
	}
	if at != "" {
		s.window = at
	}
	switch p := p.(type) {
	case hallsync.TicketTransferred:
		s.queue = p.Queue
	case hallsync.SlipAsked:
		if s.reprints++; p.Copy != s.reprints {
			return fmt.Errorf("copy %d of %s was asked for, want %d", p.Copy, s.number, s.reprints)
		}
		s.print = hallsync.SlipPending
	case hallsync.SlipChanged:
		s.print = p.State
		switch p.State {
		case hallsync.SlipPrinting:
			m.begun[copyOf{s.number, p.Copy}]++
		case hallsync.SlipPrinted:
			m.printed[copyOf{s.number, p.Copy}]++
		}
	}
	return nil
}

func (m *mirror) take(p hallsync.TicketTaken) error {
	if m.tickets[p.Ticket] != nil {
		return fmt.Errorf("ticket %s was taken twice", p.Ticket)
	}
	if p.BusinessDay != m.day {
		return fmt.Errorf("ticket of %s on %s", p.BusinessDay, m.day)
	}
	s := &seen{number: p.Number, day: p.BusinessDay, ordinal: p.Ordinal, queue: p.Queue, state: hallsync.Waiting, print: hallsync.SlipNone}
	if p.Printer != "" {
		s.print = hallsync.SlipPending
	}
	m.tickets[p.Ticket] = s
	m.order = append(m.order, p.Ticket)
	m.effects[effect{p.Kind(), p.Ticket}]++
	return nil
}

// change says what state a fact gives its ticket and the window where that is then; empty: as before.
func change(p hallsync.Payload) (to hallsync.TicketState, at hallsync.WindowID) {
	switch p := p.(type) {
	case hallsync.TicketCalled:
		return hallsync.Called, p.Window
	case hallsync.TicketRecalled:
		return "", p.Window
	case hallsync.TicketStarted:
		return hallsync.Serving, p.Window
	case hallsync.TicketFinished:
		return hallsync.Done, p.Window
	case hallsync.TicketPassed:
		return hallsync.Passed, p.Window
	case hallsync.TicketRequeued:
		return hallsync.Waiting, ""
	case hallsync.TicketTransferred:
		return hallsync.Waiting, ""
	case hallsync.TicketHeld:
		return hallsync.Held, p.Window
	case hallsync.TicketResumed:
		return hallsync.Serving, p.Window
	case hallsync.TicketAbandoned:
		return hallsync.Abandoned, p.Window
	case hallsync.TicketWithdrawn:
		return hallsync.Withdrawn, ""
	case hallsync.TicketReopened:
		return p.To, p.Window
	case hallsync.TicketClosed:
		return hallsync.Closed, ""
	}
	return "", ""
}

// printing reports whether a slip of the day still waits for its end.
func (m *mirror) printing() (number string, yes bool) {
	for _, id := range m.order {
		s := m.tickets[id]
		if s.day == m.day && (s.print == hallsync.SlipPending || s.print == hallsync.SlipPrinting) {
			return s.number, true
		}
	}
	return "", false
}

// checkNumbers wants the numbers of each day and queue to be 1, 2, 3 … in the order of the log, each printed as it is counted.
func (m *mirror) checkNumbers(t *testing.T) {
	t.Helper()
	given := map[string]hallsync.TicketID{}
	counts := map[string]int{}
	for _, id := range m.order {
		s := m.tickets[id]
		if other, twice := given[s.day+s.number]; twice {
			t.Errorf("number %s of %s was given twice: %s and %s", s.number, s.day, other, id)
		}
		given[s.day+s.number] = id
		series := s.day + s.number[:1]
		if counts[series]++; s.ordinal != counts[series] || s.number != fmt.Sprintf("%c%03d", s.number[0], s.ordinal) {
			t.Errorf("number %s is the %dth of its queue and says it is %d", s.number, counts[series], s.ordinal)
		}
	}
}

// checkHall wants the hall's own answers to equal the fold of the cloud's facts. Nothing may happen meanwhile.
func (m *mirror) checkHall(t *testing.T, d *demo.Demo) {
	t.Helper()
	waiting := map[string]int{}
	for _, id := range m.order {
		s := m.tickets[id]
		if s.day != m.day {
			continue
		}
		var a struct{ Ticket demo.Ticket }
		d.Get(t, "staff", "/api/v1/tickets/"+string(id)).Into(t, &a)
		got := a.Ticket
		if got.Number != s.number || got.State != string(s.state) || got.Queue != string(s.queue) || got.Print != string(s.print) || got.Reprints != s.reprints {
			t.Errorf("ticket is %+v, its facts say %+v", got, *s)
		}
		if s.state == hallsync.Waiting {
			waiting[string(s.queue)]++
		}
	}
	h := d.Hall(t)
	for _, q := range h.Queues {
		if q.Waiting != waiting[q.ID] {
			t.Errorf("%d wait in queue %s, the facts say %d", q.Waiting, q.ID, waiting[q.ID])
		}
	}
	for _, w := range h.Windows {
		m.checkWindow(t, w)
	}
}

func (m *mirror) checkWindow(t *testing.T, w demo.Window) {
	t.Helper()
	state := m.windows[hallsync.WindowID(w.ID)]
	if state == "" {
		state = hallsync.WindowClosed
	}
	var there []string
	for id, s := range m.tickets {
		if s.day == m.day && s.window == hallsync.WindowID(w.ID) && (s.state == hallsync.Called || s.state == hallsync.Serving) {
			there = append(there, string(id))
		}
	}
	var got []string
	if w.Ticket != nil {
		got = append(got, w.Ticket.ID)
	}
	if w.State != string(state) || !slices.Equal(got, there) {
		t.Errorf("window %s is %s with %v, the facts say %s with %v", w.ID, w.State, got, state, there)
	}
}
