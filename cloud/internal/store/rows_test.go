package store_test

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

func ptr[T any](v T) *T { return &v }

func TestRowsComeBackAsTheyWentIn(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	at := time.UnixMilli(start.UnixMilli())
	full := store.Ticket{
		Hall: hall, ID: "T1", Number: "A001", FlowNo: "20261123000001", BusinessDay: "2026-11-23", Queue: "A", Class: hallsync.Elder,
		Channel: hallsync.AtKiosk, Place: "1", Proof: hallsync.ProofIDCard, State: hallsync.Done, Window: "3", Taken: at,
		Called: ptr(at.Add(time.Second)), Started: ptr(at.Add(2 * time.Second)), Ended: ptr(at.Add(time.Hour)), Calls: 2,
		ServiceS: ptr(int64(90)), Print: hallsync.SlipPrinted, Reprints: 1, Grade: hallsync.Fair,
	}
	bare := store.Ticket{Hall: hall, ID: "T2", Queue: "B", State: hallsync.Waiting, BusinessDay: "2026-11-24", Taken: at.Add(time.Minute)}
	cursor := store.Cursor{
		Hall: hall, Epoch: "e", Ordinal: 3, Contiguous: 7, Highest: 9, Refused: 1, Gone: 2, Stale: true,
		Skew: ptr(-1500 * time.Millisecond), Received: at, Created: at, SealedFrom: 2, Faults: 3,
	}
	window := store.Window{Hall: hall, ID: "10", State: hallsync.WindowPaused, Said: store.FactRef{Epoch: "e", Seq: 6}, Staff: "s1", Since: at, Ticket: "T1"}
	call := store.Call{Hall: hall, Epoch: "e", Seq: 5, At: at, Ticket: "T1", Number: "A001", Queue: "A", Window: "10", How: "next", Times: 1, Rule: "arrival", WaitedS: 4}
	write(t, st, func(tx *store.Tx) error {
		for _, err := range []error{
			tx.PutTicket(full), tx.PutTicket(bare), tx.PutCursor(cursor), tx.PutWindow(window), tx.AddCall(call),
			tx.PutWindow(store.Window{Hall: hall, ID: "2", State: hallsync.WindowOpen, Since: at}),
			tx.PutDay(hall, store.Day{BusinessDay: "2026-11-23", Open: true, Thousands: 2}),
			tx.PutPresence(store.Presence{Hall: hall, Seen: at, Report: []byte(`{"x":1}`)}),
			tx.PutPresence(store.Presence{Hall: "440900000000002", Seen: at}),
		} {
			if err != nil {
				return err
			}
		}
		got, found, err := tx.Ticket(hall, "T1")
		if !found || !reflect.DeepEqual(got, full) {
			t.Errorf("ticket in the transaction %+v", got)
		}
		return err
	})
	ctx := t.Context()
	tickets, total, err := st.Tickets(ctx, store.TicketQuery{Hall: hall, Limit: 10})
	expect(t, "tickets", err, tickets, []store.Ticket{bare, full})
	expect(t, "total", nil, total, 2)
	for name, q := range map[string]store.TicketQuery{
		"day": {Day: "2026-11-23"}, "state": {State: hallsync.Done}, "queue": {Queue: "A"}, "window": {Window: "3"}, "number": {Number: "A001"},
	} {
		q.Hall, q.Limit = hall, 10
		tickets, total, err := st.Tickets(ctx, q)
		expect(t, name, err, tickets, []store.Ticket{full})
		expect(t, name, nil, total, 1)
	}
	tickets, total, err = st.Tickets(ctx, store.TicketQuery{Hall: hall, Limit: 1, Offset: 1})
	expect(t, "second page", err, tickets, []store.Ticket{full})
	expect(t, "total of second page", nil, total, 2)
	counts, err := st.QueueCounts(ctx, hall, "2026-11-23")
	expect(t, "counts", err, counts, []store.QueueCount{{Queue: "A", State: hallsync.Done, Count: 1}})
	cursors, err := st.Cursors(ctx, hall)
	expect(t, "cursors", err, cursors, []store.Cursor{cursor})
	windows, err := st.Windows(ctx, hall)
	expect(t, "windows", err, windows, []store.WindowRow{
		{Window: store.Window{Hall: hall, ID: "2", State: hallsync.WindowOpen, Since: at}},
		{Window: window, Number: "A001", TicketState: hallsync.Done},
	})
	calls, err := st.Calls(ctx, hall, "e", 10)
	expect(t, "calls", err, calls, []store.Call{call})
	day, err := st.Day(ctx, hall)
	expect(t, "day", err, day, store.Day{BusinessDay: "2026-11-23", Open: true, Thousands: 2})
	presences, err := st.Presences(ctx)
	expect(t, "presences", err, presences, []store.Presence{{Hall: hall, Seen: at, Report: []byte(`{"x":1}`)}, {Hall: "440900000000002", Seen: at}})
}

func expect[T any](t *testing.T, what string, err error, got, want T) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v, %v", what, got, want, err)
	}
}

func TestConfigUsersFollowTheFile(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	signIn := func(name string, n byte) {
		write(t, st, func(tx *store.Tx) error {
			return tx.AddSession(store.Session{TokenHash: [32]byte{n}, Name: name, Created: start, Used: start, Expires: start.Add(time.Hour)}, start)
		})
	}
	signedIn := func(n byte) bool {
		_, _, found, err := st.Session(t.Context(), [32]byte{n})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	write(t, st, func(tx *store.Tx) error {
		return tx.ReplaceConfigUsers([]store.User{{Name: "a", Password: "1", Created: start}, {Name: "b", Password: "1", Created: start}})
	})
	write(t, st, func(tx *store.Tx) error {
		return tx.PutUser(store.User{Name: "c", Password: "1", Origin: store.FromCLI, Created: start})
	})
	signIn("a", 1)
	signIn("b", 2)
	signIn("c", 3)
	write(t, st, func(tx *store.Tx) error {
		return tx.ReplaceConfigUsers([]store.User{{Name: "b", Password: "2", FullName: "乙", Created: start}})
	})
	if signedIn(1) || signedIn(2) || !signedIn(3) {
		t.Errorf("signed in: removed user %t, changed password %t, untouched user %t", signedIn(1), signedIn(2), signedIn(3))
	}
	if _, found, _ := st.User(t.Context(), "a"); found {
		t.Error("a user removed from the file is still there")
	}
	if u, found, _ := st.User(t.Context(), "b"); !found || u.FullName != "乙" || u.Origin != store.FromConfig {
		t.Errorf("user b %+v", u)
	}
}
