package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Each case is a ticket's way in facts, and what is shown of it then: state, window, the window that has it, whether it has ended.
func TestWaysOfATicket(t *testing.T) {
	id := ticketID(1)
	call := called(1, "1")
	start := hallsync.TicketStarted{Ticket: id, Window: "1"}
	finish := hallsync.TicketFinished{Ticket: id, Window: "1", ServiceS: 60}
	pass := hallsync.TicketPassed{Ticket: id, Window: "1"}
	hold := hallsync.TicketHeld{Ticket: id, Window: "1"}
	abandon := hallsync.TicketAbandoned{Ticket: id, Window: "1", From: hallsync.Called}
	for name, c := range map[string]struct {
		way  []hallsync.Payload
		want string
	}{
		"taken":            {nil, "waiting - - -"},
		"called":           {[]hallsync.Payload{call}, "called 1 1 -"},
		"recalled":         {[]hallsync.Payload{call, hallsync.TicketRecalled{Ticket: id, Window: "1", Times: 2}}, "called 1 1 -"},
		"started":          {[]hallsync.Payload{call, start}, "serving 1 1 -"},
		"finished":         {[]hallsync.Payload{call, start, finish}, "done 1 - ended"},
		"passed":           {[]hallsync.Payload{call, pass}, "passed 1 - -"},
		"called again":     {[]hallsync.Payload{call, pass, called(1, "2")}, "called 2 2 -"},
		"requeued":         {[]hallsync.Payload{call, pass, hallsync.TicketRequeued{Ticket: id}}, "waiting - - -"},
		"transferred":      {[]hallsync.Payload{call, hallsync.TicketTransferred{Ticket: id, From: "1", Queue: "B"}}, "waiting - - -"},
		"to one window":    {[]hallsync.Payload{call, hallsync.TicketTransferred{Ticket: id, From: "1", Queue: "B", Window: "2"}}, "waiting 2 - -"},
		"held":             {[]hallsync.Payload{call, start, hold}, "held 1 - -"},
		"resumed":          {[]hallsync.Payload{call, start, hold, hallsync.TicketResumed{Ticket: id, Window: "2"}}, "serving 2 2 -"},
		"abandoned":        {[]hallsync.Payload{call, abandon}, "abandoned 1 - ended"},
		"withdrawn":        {[]hallsync.Payload{hallsync.TicketWithdrawn{Ticket: id}}, "withdrawn - - ended"},
		"closed":           {[]hallsync.Payload{call, hallsync.TicketClosed{Ticket: id}}, "closed 1 - ended"},
		"reopened serving": {[]hallsync.Payload{call, start, finish, hallsync.TicketReopened{Ticket: id, Window: "1", To: hallsync.Serving}}, "serving 1 1 -"},
		"reopened called":  {[]hallsync.Payload{call, pass, hallsync.TicketReopened{Ticket: id, Window: "1", To: hallsync.Called}}, "called 1 1 -"},
		"reopened waiting": {[]hallsync.Payload{call, abandon, hallsync.TicketReopened{Ticket: id, Window: "1", To: hallsync.Waiting}}, "waiting - - -"},
		"a new day":        {[]hallsync.Payload{call, hallsync.DayOpened{BusinessDay: "2026-11-24"}}, "called 1 - -"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			in := newIngester(t, st)
			facts := append([]hallsync.Payload{taken(1)}, c.way...)
			for i, p := range facts {
				send(t, in, fact(t, hall, epoch, hallsync.Seq(i+1), p))
			}
			if got := shown(t, st); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func shown(t *testing.T, st *store.Store) string {
	t.Helper()
	tickets, _, err := st.Tickets(t.Context(), store.TicketQuery{Hall: hall, Limit: 2})
	if err != nil || len(tickets) != 1 {
		t.Fatalf("tickets %+v, %v", tickets, err)
	}
	windows, err := st.Windows(t.Context(), hall)
	if err != nil {
		t.Fatal(err)
	}
	k, at, ended := tickets[0], hallsync.WindowID("-"), "-"
	for _, w := range windows {
		if w.Ticket == k.ID {
			at = w.ID
		}
	}
	if k.Ended != nil {
		ended = "ended"
	}
	if k.Window == "" {
		k.Window = "-"
	}
	return fmt.Sprint(k.State, " ", k.Window, " ", at, " ", ended)
}

func TestAGrantedClassIsTheTickets(t *testing.T) {
	st := newStore(t)
	in := newIngester(t, st)
	send(t, in, fact(t, hall, epoch, 1, taken(1)))
	send(t, in, fact(t, hall, epoch, 2, hallsync.TicketClassSet{Ticket: ticketID(1), From: hallsync.Normal, Class: hallsync.Priority, Reason: "现役军人"}))
	tickets, _, err := st.Tickets(t.Context(), store.TicketQuery{Hall: hall, Limit: 2})
	if err != nil || len(tickets) != 1 || tickets[0].Class != hallsync.Priority || tickets[0].State != hallsync.Waiting {
		t.Errorf("%+v, %v", tickets, err)
	}
}

// What a hall writes into a fact comes into the projections cut, and without what nobody sees; the fact stays as it came.
func TestTextsOfFactsAreBounded(t *testing.T) {
	st := newStore(t)
	in := newIngester(t, st)
	p := taken(1)
	p.Place = "\x1b[2J\u202e" + strings.Repeat("粤", 5000)
	send(t, in, fact(t, hall, epoch, 1, p))
	tickets, _, err := st.Tickets(t.Context(), store.TicketQuery{Hall: hall, Limit: 2})
	if want := "\ufffd[2J\ufffd" + strings.Repeat("粤", 195); err != nil || len(tickets) != 1 || tickets[0].Place != want || tickets[0].Number != p.Number || tickets[0].Taken.IsZero() {
		t.Errorf("%.400v, %v", tickets, err)
	}
	e, _, err := st.Event(t.Context(), hall, epoch, 1)
	if err != nil || len(e.Body) < 15000 {
		t.Errorf("%d bytes are kept, %v", len(e.Body), err)
	}
}
