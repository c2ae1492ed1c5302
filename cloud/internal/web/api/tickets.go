package api

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"time"

	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

func (a *API) listTickets(c *call) error {
	q := a.query(c)
	s := q.hall()
	want := store.TicketQuery{
		Hall: s.ID, Day: q.text("day", nil), State: hallsync.TicketState(q.text("state", ticketStates)),
		Queue: hallsync.QueueID(q.text("queue", nil)), Window: hallsync.WindowID(q.text("window", nil)), Number: q.text("number", nil),
	}
	if _, err := time.Parse(time.DateOnly, want.Day); err != nil && want.Day != "" {
		q.refuse("day")
	}
	w := q.page()
	if q.bad != nil {
		return q.bad
	}
	want.Limit, want.Offset = w.size, w.offset
	rows, total, err := a.Store.Tickets(c.r.Context(), want)
	if err != nil {
		return err
	}
	page := Page[Ticket]{Items: []Ticket{}, Total: total}
	for _, k := range rows {
		page.Items = append(page.Items, a.ticket(k))
	}
	return a.write(c, http.StatusOK, page)
}

func (a *API) ticket(k store.Ticket) Ticket {
	t := Ticket{
		ID: k.ID, Hall: k.Hall, Number: k.Number, FlowNo: k.FlowNo, BusinessDay: k.BusinessDay, Queue: k.Queue, Class: k.Class,
		Channel: k.Channel, Place: k.Place, Proof: k.Proof, State: k.State, Window: k.Window, TakenAt: a.local(k.Taken),
		CalledAt: a.maybe(k.Called), StartedAt: a.maybe(k.Started), EndedAt: a.maybe(k.Ended), Calls: k.Calls, ServiceS: k.ServiceS,
		Print: k.Print, Reprints: k.Reprints, Grade: k.Grade,
	}
	if k.Called != nil {
		waited := int64(k.Called.Sub(k.Taken).Seconds())
		t.WaitedS = &waited
	}
	return t
}

func (a *API) maybe(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return a.when(*t)
}

func (a *API) listFacts(c *call) error {
	q := a.query(c)
	s := q.hall()
	want := store.EventQuery{
		Hall: s.ID, Epoch: q.text("epoch", nil), After: hallsync.Seq(q.number("after", 0, 0, math.MaxInt64)),
		Kind: hallsync.Kind(q.text("kind", nil)), Limit: q.size(),
	}
	if q.bad != nil {
		return q.bad
	}
	if want.Epoch == "" {
		want.Epoch = s.Cursor.Epoch
	}
	rows, total, err := a.Store.Events(c.r.Context(), want)
	if err != nil {
		return err
	}
	page := Page[Fact]{Items: []Fact{}, Total: total}
	for _, e := range rows {
		f, err := a.fact(c, e)
		if err != nil {
			return err
		}
		page.Items = append(page.Items, f)
	}
	return a.write(c, http.StatusOK, page)
}

// fact shows a stored fact, opened for those who may. What was refused as unreadable, or erased, has no payload to show.
func (a *API) fact(c *call, e store.Event) (Fact, error) {
	f := Fact{
		Epoch: e.Epoch, Seq: e.Seq, Kind: e.Kind, V: e.V, At: a.local(e.At), ReceivedAt: a.local(e.Received), Refused: e.Refused,
		Hash: hex.EncodeToString(e.Hash[:]), Erased: e.Erased,
	}
	event, err := a.Opener.Open(e, sealed.From(c.r.Context(), a.Store))
	var no *sealed.Error
	var erased *hallsync.ErasedError
	switch {
	case errors.As(err, &erased):
		return f, nil
	case errors.As(err, &no) && no.Why == sealed.Unreadable:
		return f, nil
	case errors.As(err, &no):
		f.Sealed = string(no.Why)
		return f, nil
	case err != nil:
		return f, err
	}
	f.Payload = event.Payload
	if e.Kind == hallsync.KindPlanEdited {
		f.Payload = withoutText(f.Payload)
	}
	if !c.who.May(rights.People) {
		f.Payload = withoutPeople(f.Payload)
		if _, err := event.Decode(); err != nil { // nobody knows what is in it
			f.Payload = nil
		}
	}
	return f, nil
}

// withoutPeople shows a fact without who did it and whom it is about, and without what somebody wrote in his own words, which may say so.
func withoutPeople(payload json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber() // as it was written
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	strip(v)
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return raw
}

func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, field := range append(hallsync.PersonalMembers(), "wraps", "keys") {
			delete(v, field)
		}
		for _, part := range v {
			strip(part)
		}
	case []any:
		for _, part := range v {
			strip(part)
		}
	}
}

// withoutText shows an edit of a hall's plan without the plan: it has the hashes of everybody's PIN in it.
func withoutText(payload json.RawMessage) json.RawMessage {
	var edit hallsync.PlanEdited
	if json.Unmarshal(payload, &edit) != nil {
		return nil
	}
	edit.Text = ""
	raw, err := json.Marshal(edit)
	if err != nil {
		return nil
	}
	return raw
}
