package ingest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"

	"pgregory.net/rapid"
)

// TestAnyArrivalGivesTheSameLog sends the log of a hall in any order, cut anyhow, with repetitions, hellos and restarts of the
// cloud, and checks after each message that the cursor is the contiguous prefix of what has arrived, after each hello that the
// projections are the fold of it, and at the end that everything is there once and that a rebuild changes nothing.
func TestAnyArrivalGivesTheSameLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	st, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	v := openVault(t, filepath.Join(t.TempDir(), "vault"))
	var halls []*arrival
	rapid.Check(t, func(rt *rapid.T) {
		r := &arrival{
			rt: rt, t: t, st: st, vault: v, hall: hallsync.HallID(fmt.Sprintf("4409%011d", len(halls)+1)), arrived: map[hallsync.Seq]bool{},
			log: rapid.SliceOfN(rapid.Custom(anyPayload), 24, 40).Draw(rt, "log"),
		}
		r.in = withVault(st, v, nil)
		r.run(path)
		st = r.st
		r.check(rt)
		halls = append(halls, r)
	})
	if _, err := withVault(st, v, nil).Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range halls {
		r.st = st
		r.check(t)
	}
}

type arrival struct {
	rt      *rapid.T
	t       *testing.T
	st      *store.Store
	vault   *vault.Vault
	signers func(hallsync.HallID) []gm.PublicKey // nil: nothing is signed
	in      *ingest.Ingester
	hall    hallsync.HallID
	log     []hallsync.Payload
	raw     []json.RawMessage  // of the log, as the hall wrote it; nil: in the clear
	keys    []hallsync.KeyMade // that the hall tells in hellos once it is late
	late    bool
	arrived map[hallsync.Seq]bool
}

func (r *arrival) run(path string) {
	for step := 0; len(r.arrived) < len(r.log); step++ {
		r.late = step > 10
		switch evenly(r.rt, 64, "step") {
		case 0:
			r.restart(path)
		case 1, 2, 3, 4, 5, 6, 7, 8:
			r.hello()
		default:
			r.batch(r.late)
		}
	}
}

func (r *arrival) restart(path string) {
	if err := r.st.Close(); err != nil {
		r.rt.Fatal(err)
	}
	var err error
	if r.st, err = store.Open(r.t.Context(), path, store.Options{}); err != nil {
		r.rt.Fatal(err)
	}
	r.in = withVault(r.st, r.vault, r.signers)
}

func (r *arrival) fact(seq hallsync.Seq) json.RawMessage {
	if r.raw != nil {
		return r.raw[seq-1]
	}
	return fact(r.t, r.hall, epoch, seq, r.log[seq-1])
}

// batch sends a few facts from anywhere in the log; late in the run it sends the lowest missing one, as a hall does when asked.
func (r *arrival) batch(late bool) {
	var facts []json.RawMessage
	from := evenly(r.rt, len(r.log), "from") + 1
	if late {
		from = int(r.prefix() + 1)
	}
	for seq := from; seq <= min(len(r.log), from+evenly(r.rt, 12, "more")); seq++ {
		facts = append(facts, r.fact(hallsync.Seq(seq)))
		r.arrived[hallsync.Seq(seq)] = true
	}
	if rapid.Bool().Draw(r.rt, "backwards") {
		slices.Reverse(facts)
	}
	ack, err := r.in.Ingest(r.t.Context(), r.hall, batchOf(r.t, facts...))
	r.acked(ack, err)
}

func (r *arrival) hello() {
	h := hallsync.Hello{Hall: r.hall, Epoch: epoch, First: 1, Next: hallsync.Seq(len(r.log) + 1)}
	if r.late {
		h.Keys = r.keys
	}
	ack, err := r.in.Hello(r.t.Context(), h)
	r.acked(ack, err)
	pay(r.rt, r.in)
	if r.late || r.keys == nil { // else what is sealed with keys that have not come is not in the projections
		r.folded(r.rt)
	}
}

func (r *arrival) prefix() hallsync.Seq {
	seq := hallsync.Seq(0)
	for r.arrived[seq+1] {
		seq++
	}
	return seq
}

func (r *arrival) acked(ack hallsync.Ack, err error) {
	if err != nil {
		r.rt.Fatal(err)
	}
	if ack.EpochStale || ack.UpTo != r.prefix() || ack.Rejected != nil {
		r.rt.Fatalf("ack %+v, contiguous %d", ack, r.prefix())
	}
	above := slices.Sorted(maps.Keys(r.arrived))
	above = slices.DeleteFunc(above, func(s hallsync.Seq) bool { return s <= ack.UpTo })
	if len(above) == 0 != (ack.Want == nil) {
		r.rt.Fatalf("ack %+v, above the gap %v", ack, above)
	}
	if len(above) > 0 && *ack.Want != (hallsync.Range{From: ack.UpTo + 1, To: above[0] - 1}) {
		r.rt.Fatalf("want %+v, above the gap %v", *ack.Want, above)
	}
}

func (r *arrival) check(tb rapid.TB) {
	ctx := r.t.Context()
	events, total, err := r.st.Events(ctx, store.EventQuery{Hall: r.hall, Epoch: epoch, Limit: 1000})
	if err != nil || total != len(r.log) || len(events) != len(r.log) {
		tb.Fatalf("%d facts stored, want %d, %v", total, len(r.log), err)
	}
	for i, e := range events {
		if e.Seq != hallsync.Seq(i+1) || string(e.Body) != string(r.fact(e.Seq)) || e.Hash != store.HashOf(e.Body) {
			tb.Fatalf("fact %d is %+v", i+1, e)
		}
	}
	r.folded(tb)
}

// folded checks that the projections are the fold of the contiguous prefix.
func (r *arrival) folded(tb rapid.TB) {
	want := fmt.Sprint(model(r.log[:r.prefix()]))
	if got := fmt.Sprint(r.projection(tb, len(r.log))); got != want {
		tb.Fatalf("projection\n%v\nfold of the log\n%v", got, want)
	}
}

// view is what the projections say, in a form that can be compared.
type view struct {
	tickets map[hallsync.TicketID]string
	windows map[hallsync.WindowID]string
	calls   []string
	day     string
}

func (r *arrival) projection(tb rapid.TB, facts int) view {
	ctx := r.t.Context()
	v := view{tickets: map[hallsync.TicketID]string{}, windows: map[hallsync.WindowID]string{}}
	tickets, _, err := r.st.Tickets(ctx, store.TicketQuery{Hall: r.hall, Limit: facts})
	if err != nil {
		tb.Fatal(err)
	}
	for _, k := range tickets {
		v.tickets[k.ID] = fmt.Sprint(k.State, k.Queue, k.Window, k.Calls, k.Print, k.Reprints, k.Grade, at(&k.Taken), at(k.Called), at(k.Started), at(k.Ended))
	}
	windows, err := r.st.Windows(ctx, r.hall)
	if err != nil {
		tb.Fatal(err)
	}
	for _, w := range windows {
		v.windows[w.ID] = fmt.Sprint(w.State, r.said(tb, w.Said), w.Staff, w.Ticket)
	}
	calls, err := r.st.Calls(ctx, r.hall, epoch, facts)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range slices.Backward(calls) {
		v.calls = append(v.calls, fmt.Sprint(c.Seq, c.Ticket, c.Window, c.How, c.Times))
	}
	day, err := r.st.Day(ctx, r.hall)
	if err != nil {
		tb.Fatal(err)
	}
	v.day = fmt.Sprint(day)
	return v
}

// said opens the fact that says why a window rests.
func (r *arrival) said(tb rapid.TB, at store.FactRef) string {
	if at.Seq == 0 {
		return ""
	}
	e, _, err := r.st.Event(r.t.Context(), r.hall, at.Epoch, at.Seq)
	if err != nil {
		tb.Fatal(err)
	}
	fact, err := sealed.New(r.vault).Open(e, sealed.From(r.t.Context(), r.st))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := fact.Decode()
	if err != nil {
		tb.Fatal(err)
	}
	return p.(hallsync.WindowWasPaused).Reason
}

// at is seconds since the start, or a dash.
func at(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return fmt.Sprint(t.Sub(start).Seconds())
}

// evenly draws a number below n with about equal chances. The library's own ranges prefer small ones, so that late entries of a
// list would hardly come up.
func evenly(rt *rapid.T, n int, label string) int {
	v := 0
	for _, bit := range rapid.SliceOfN(rapid.Bool(), 8, 8).Draw(rt, label) {
		v <<= 1
		if bit {
			v++
		}
	}
	return v % n
}

// anyPayload draws a fact about few tickets and windows, so that facts meet. It need not make sense: the hall decides.
func anyPayload(rt *rapid.T) hallsync.Payload {
	k := evenly(rt, 3, "ticket") + 1
	id := ticketID(k)
	w := []hallsync.WindowID{"1", "10"}[evenly(rt, 2, "window")]
	by := hallsync.By{Kind: "staff", Staff: []hallsync.StaffID{"s1", "s2"}[evenly(rt, 2, "staff")]}
	n := evenly(rt, 9, "n") + 1
	kinds := []hallsync.Payload{
		taken(k), taken(k), taken(k), called(k, w), called(k, w),
		hallsync.TicketRecalled{Ticket: id, Number: "A001", Window: w, Times: n},
		hallsync.TicketStarted{Ticket: id, Window: w}, hallsync.TicketFinished{Ticket: id, Window: w, ServiceS: int64(n)},
		hallsync.TicketPassed{Ticket: id, Window: w}, hallsync.TicketRequeued{Ticket: id},
		hallsync.TicketTransferred{Ticket: id, From: w, Queue: "B", Position: hallsync.AtEnd},
		hallsync.TicketHeld{Ticket: id, Window: w}, hallsync.TicketResumed{Ticket: id, Window: w},
		hallsync.TicketAbandoned{Ticket: id, Window: w, From: hallsync.Called}, hallsync.TicketWithdrawn{Ticket: id},
		hallsync.TicketReopened{Ticket: id, Window: w, To: hallsync.Serving}, hallsync.TicketReopened{Ticket: id, Window: w, To: hallsync.Waiting},
		hallsync.TicketClosed{Ticket: id}, hallsync.TicketRated{Ticket: id, Window: w, Grade: hallsync.Fair},
		hallsync.SlipAsked{Ticket: id, Copy: n}, hallsync.SlipChanged{Ticket: id, Copy: n, State: hallsync.SlipPrinted},
		hallsync.WindowWasOpened{Window: w, By: by}, hallsync.WindowWasClosed{Window: w, By: by},
		hallsync.WindowWasPaused{Window: w, Reason: "lunch", By: by}, hallsync.WindowWasUnpaused{Window: w, By: by},
		hallsync.DayOpened{BusinessDay: "2026-11-23"}, hallsync.DayClosed{BusinessDay: "2026-11-23"},
		hallsync.DeviceChanged{Device: "kiosk-1.printer", State: "offline"},
	}
	return kinds[evenly(rt, len(kinds), "kind")]
}
