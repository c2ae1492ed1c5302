package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

func TestAckNamesTheContiguousPrefixAndTheGap(t *testing.T) {
	in := newIngester(t, newStore(t))
	steps := []struct {
		seqs []hallsync.Seq
		upTo hallsync.Seq
		want *hallsync.Range
	}{
		{[]hallsync.Seq{1, 2}, 2, nil},
		{[]hallsync.Seq{6, 7}, 2, &hallsync.Range{From: 3, To: 5}},
		{[]hallsync.Seq{4}, 2, &hallsync.Range{From: 3, To: 3}},
		{[]hallsync.Seq{3}, 4, &hallsync.Range{From: 5, To: 5}},
		{[]hallsync.Seq{1, 2, 7}, 4, &hallsync.Range{From: 5, To: 5}}, // all known already
		{[]hallsync.Seq{5}, 7, nil},
	}
	for i, step := range steps {
		var facts []json.RawMessage
		for _, seq := range step.seqs {
			facts = append(facts, fact(t, hall, epoch, seq, taken(int(seq))))
		}
		ack := send(t, in, facts...)
		if ack.UpTo != step.upTo || (ack.Want == nil) != (step.want == nil) || ack.Want != nil && *ack.Want != *step.want {
			t.Fatalf("step %d: upto %d want %v, expected %d and %v", i, ack.UpTo, ack.Want, step.upTo, step.want)
		}
		if ack.Hall != hall || ack.Epoch != epoch || ack.ServerMS == 0 || ack.EpochStale {
			t.Fatalf("step %d: ack %+v", i, ack)
		}
	}
}

// A box that may have to begin a new log is told how many the centre knows of since the hall's last business day began, however long ago.
func TestLogsOfTheLastBusinessDay(t *testing.T) {
	now, v := start.AddDate(0, 0, -3), openVault(t, filepath.Join(t.TempDir(), "vault"))
	in := ingest.New(ingest.Options{
		Store: newStore(t), Vault: v, Opener: sealed.New(v), Changed: func(hallsync.HallID, ingest.Touched) {}, Now: func() time.Time { return now },
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	send(t, in, fact(t, hall, "before", 1, hallsync.DayOpened{BusinessDay: "2026-11-20"}))
	now = start
	send(t, in, fact(t, hall, "first", 1, hallsync.DayOpened{BusinessDay: "2026-11-23"}))
	send(t, in, fact(t, hall, "second", 1, taken(1)))
	now = start.AddDate(0, 0, 9) // the hall was closed over a holiday
	if ack := hello(t, in, "third", 1, 1); ack.Logs != 2 {
		t.Errorf("%d logs at the hello of a new one", ack.Logs)
	}
	if ack := send(t, in, fact(t, hall, "second", 2, taken(2))); !ack.EpochStale || ack.Logs != 2 {
		t.Errorf("%+v", ack)
	}
	if ack := send(t, in, fact(t, hall, "third", 1, taken(3))); ack.Logs != 0 {
		t.Errorf("facts are answered with %d logs", ack.Logs)
	}
}

// A box whose log is lost must not give out numbers of a thousand that was begun without a log that we know: it was set back without us and went
// on behind what it may have given, or a log that was lost never came here.
func TestLogsAreNoFewerThanTheThousandsBegun(t *testing.T) {
	const today, other = "2026-11-23", "2026-11-20"
	for name, c := range map[string]struct {
		opened []hallsync.DayOpened
		want   int
	}{
		"set back without us":              {[]hallsync.DayOpened{{BusinessDay: today}, {BusinessDay: today, After: 1000, Instead: today}}, 2},
		"twice":                            {[]hallsync.DayOpened{{BusinessDay: today}, {BusinessDay: today, After: 2000, Instead: today}}, 3},
		"a lost log that never came":       {[]hallsync.DayOpened{{BusinessDay: today, After: 3000}}, 4},
		"in the midst of a thousand":       {[]hallsync.DayOpened{{BusinessDay: today, After: 1042}}, 2},
		"the highest counts":               {[]hallsync.DayOpened{{BusinessDay: today, After: 2000}, {BusinessDay: today, After: 1000, Instead: today}}, 3},
		"of another day":                   {[]hallsync.DayOpened{{BusinessDay: other, After: 3000}, {BusinessDay: today}}, 1},
		"of a day that never was":          {[]hallsync.DayOpened{{BusinessDay: "2027-01-01", After: 3000}, {BusinessDay: today, After: 23, Instead: "2027-01-01"}}, 4},
		"less than nothing":                {[]hallsync.DayOpened{{BusinessDay: today, After: -9000}}, 1},
		"more than anybody gives in a day": {[]hallsync.DayOpened{{BusinessDay: today, After: math.MaxInt}}, math.MaxInt/1000 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			in := newIngester(t, newStore(t))
			for i, f := range c.opened {
				send(t, in, fact(t, hall, epoch, hallsync.Seq(i+1), f))
			}
			end := hallsync.Seq(len(c.opened) + 1)
			send(t, in, fact(t, hall, epoch, end, hallsync.DayClosed{BusinessDay: today}))
			if ack := hello(t, in, "second", 1, 1); ack.Logs != c.want {
				t.Errorf("%d logs at the hello of a new one, not %d", ack.Logs, c.want)
			}
			if _, err := in.Rebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			if logs, err := in.Logs(t.Context(), hall); err != nil || logs != c.want {
				t.Errorf("%d logs after a rebuild, not %d, %v", logs, c.want, err)
			}
		})
	}
}

func TestHelloAnswersWithTheCursor(t *testing.T) {
	st := newStore(t)
	in := newIngester(t, st)
	if ack := hello(t, in, epoch, 1, 1); ack.UpTo != 0 || ack.EpochStale {
		t.Fatalf("first hello: %+v", ack)
	}
	send(t, in, fact(t, hall, epoch, 1, taken(1)), fact(t, hall, epoch, 2, taken(2)))
	if ack := hello(t, in, epoch, 1, 3); ack.UpTo != 2 || ack.EpochStale {
		t.Fatalf("second hello: %+v", ack)
	}
	cursors, err := st.Cursors(t.Context(), hall)
	if err != nil || len(cursors) != 1 || cursors[0].Skew == nil {
		t.Fatalf("cursors %+v, %v", cursors, err)
	}
}

func TestEpochIsStale(t *testing.T) {
	cases := map[string]func(*testing.T, *ingest.Ingester) hallsync.Ack{
		"hello would give out a stored number again": func(t *testing.T, in *ingest.Ingester) hallsync.Ack {
			return hello(t, in, epoch, 1, 3)
		},
		"hello would give out a number stored above a gap": func(t *testing.T, in *ingest.Ingester) hallsync.Ack {
			send(t, in, fact(t, hall, epoch, 9, taken(9)))
			return hello(t, in, epoch, 1, 8)
		},
		"same key, other bytes": func(t *testing.T, in *ingest.Ingester) hallsync.Ack {
			return send(t, in, fact(t, hall, epoch, 4, taken(4)), fact(t, hall, epoch, 3, taken(99)))
		},
		"same key twice in one batch": func(t *testing.T, in *ingest.Ingester) hallsync.Ack {
			return send(t, in, fact(t, hall, epoch, 4, taken(4)), fact(t, hall, epoch, 4, taken(99)))
		},
		"a newer epoch has begun": func(t *testing.T, in *ingest.Ingester) hallsync.Ack {
			hello(t, in, "newer", 1, 1)
			return send(t, in, fact(t, hall, epoch, 4, taken(4)))
		},
	}
	for name, provoke := range cases {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			in := newIngester(t, st)
			for seq := range hallsync.Seq(3) {
				send(t, in, fact(t, hall, epoch, seq+1, taken(int(seq)+1)))
			}
			if ack := provoke(t, in); !ack.EpochStale || ack.UpTo != 0 {
				t.Fatalf("ack %+v", ack)
			}
			// Nothing more of it is taken, not even what would fit.
			if ack := send(t, in, fact(t, hall, epoch, 4, taken(4))); !ack.EpochStale {
				t.Fatalf("a fact after that: %+v", ack)
			}
			_, total, err := st.Events(t.Context(), store.EventQuery{Hall: hall, Epoch: epoch, After: 3, Limit: 10})
			above := 0
			if strings.Contains(name, "above a gap") {
				above = 1
			}
			if err != nil || total != above {
				t.Fatalf("%d facts above 3 stored, %v", total, err)
			}
			// A new epoch starts afresh.
			if ack := send(t, in, fact(t, hall, "fresh", 1, taken(50))); ack.EpochStale || ack.UpTo != 1 || ack.Epoch != "fresh" {
				t.Fatalf("new epoch: %+v", ack)
			}
		})
	}
}

func TestFactsAboutNoTicketAreKept(t *testing.T) {
	in := newIngester(t, newStore(t))
	raws := []json.RawMessage{fact(t, hall, epoch, 1, taken(1))}
	for i, p := range []hallsync.Payload{
		hallsync.WindowDutySet{Window: "1", Queue: "B", Until: start}, hallsync.RollSet{Queue: "A", On: true, Next: 1},
		hallsync.BookingSet{Booking: "AP1", Queue: "A"}, hallsync.BookingCancelled{Booking: "AP1"}, hallsync.BookingMissed{Booking: "AP1"},
		hallsync.ClockStepped{ByMS: 1}, hallsync.ClockSet{ByMS: 1, Source: "cloud"}, hallsync.DeviceChanged{Device: "kiosk-1.printer"}, hallsync.CameraPinned{Camera: "440900000000001-CM001", MAC: "c0:56:e3:01:02:03"},
	} {
		raws = append(raws, fact(t, hall, epoch, hallsync.Seq(i+2), p))
	}
	if ack := send(t, in, raws...); int(ack.UpTo) != len(raws) || len(ack.Rejected) != 0 {
		t.Fatalf("ack %+v", ack)
	}
	ack := send(t, in, fact(t, hall, epoch, hallsync.Seq(len(raws)+1), hallsync.WindowDutySet{Queue: "B", Until: start}))
	if len(ack.Rejected) != 1 || ack.Rejected[0].Code != ingest.FactPayload {
		t.Fatalf("a duty of no window: %+v", ack)
	}
}

func TestPoisonedFactIsRefusedByNameAndConsumed(t *testing.T) {
	long := taken(2)
	long.Place = strings.Repeat("x", hallsync.MaxEventBytes)
	noTicket := taken(2)
	noTicket.Ticket = ""
	cases := map[string]struct {
		raw  string
		code string
	}{
		"wrong payload":    {`{"hall":"440900000000001","epoch":"7f3a","seq":2,"kind":"ticket.taken","v":1,"at":"2026-11-23T09:00:00+08:00","payload":[1]}`, ingest.FactPayload},
		"null payload":     {`{"hall":"440900000000001","epoch":"7f3a","seq":2,"kind":"ticket.taken","v":1,"at":"2026-11-23T09:00:00+08:00","payload":null}`, ingest.FactPayload},
		"no payload":       {`{"hall":"440900000000001","epoch":"7f3a","seq":2,"kind":"window.opened","v":1,"at":"2026-11-23T09:00:00+08:00"}`, ingest.FactPayload},
		"no ticket":        {string(fact(t, hall, epoch, 2, noTicket)), ingest.FactPayload},
		"no time":          {`{"hall":"440900000000001","epoch":"7f3a","seq":2,"kind":"ticket.taken","v":1,"at":"yesterday","payload":{}}`, ingest.FactUnreadable},
		"kind is a number": {`{"hall":"440900000000001","epoch":"7f3a","seq":"2","kind":7}`, ingest.FactUnreadable},
		"no kind":          {`{"hall":"440900000000001","epoch":"7f3a","seq":2,"kind":"","v":1,"at":"2026-11-23T09:00:00+08:00","payload":{}}`, ingest.FactUnreadable},
		"other hall":       {string(fact(t, "440900000000002", epoch, 2, taken(2))), ingest.FactHall},
		"too large":        {string(fact(t, hall, epoch, 2, long)), ingest.FactTooLarge},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			in := newIngester(t, st)
			send(t, in, fact(t, hall, epoch, 1, taken(1)))
			for range 2 { // and again, as after a lost ack
				ack := send(t, in, json.RawMessage(c.raw), fact(t, hall, epoch, 3, taken(3)))
				if ack.UpTo != 3 || len(ack.Rejected) != 1 || ack.Rejected[0] != (hallsync.Rejection{Seq: 2, Code: c.code}) {
					t.Fatalf("ack %+v", ack)
				}
			}
			events, _, err := st.Events(t.Context(), store.EventQuery{Hall: hall, Epoch: epoch, After: 1, Limit: 1})
			if err != nil || len(events) != 1 || string(events[0].Body) != c.raw || events[0].Refused != c.code {
				t.Fatalf("stored %+v, %v", events, err)
			}
			if _, total, err := st.Tickets(t.Context(), store.TicketQuery{Hall: hall, Limit: 10}); err != nil || total != 2 {
				t.Fatalf("%d tickets, %v", total, err)
			}
		})
	}
}

// A hall that writes nothing but nonsense must not fill the cloud's log with a line for each.
func TestRefusedFactsOfABatchAreOneLine(t *testing.T) {
	var log bytes.Buffer
	v := openVault(t, filepath.Join(t.TempDir(), "vault"))
	in := ingest.New(ingest.Options{
		Store: newStore(t), Vault: v, Opener: sealed.New(v), Changed: func(hallsync.HallID, ingest.Touched) {}, Metrics: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	ack := send(t, in, json.RawMessage(`{"seq":1,"epoch":"7f3a"}`), json.RawMessage(`{"seq":2,"epoch":"7f3a"}`), fact(t, hall, epoch, 3, taken(3)))
	if ack.UpTo != 3 || len(ack.Rejected) != 2 {
		t.Fatalf("ack %+v", ack)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "count=2 first=1 code="+ingest.FactHall) {
		t.Errorf("log:\n%s", text)
	}
}

func TestUnknownKindIsStoredAsItCame(t *testing.T) {
	st := newStore(t)
	in := newIngester(t, st)
	raw := `{"hall":"440900000000001","epoch":"7f3a","seq":1,"kind":"robot.danced","v":3,"at":"2026-11-23T09:00:00+08:00","payload":{"steps":[1,2]},"later":true}`
	newer := `{"hall":"440900000000001","epoch":"7f3a","seq":2,"kind":"ticket.taken","v":2,"at":"2026-11-23T09:00:00+08:00","payload":{"ticket":7}}`
	if ack := send(t, in, json.RawMessage(raw), json.RawMessage(newer)); ack.UpTo != 2 || ack.Rejected != nil {
		t.Fatalf("ack %+v", ack)
	}
	events, _, err := st.Events(t.Context(), store.EventQuery{Hall: hall, Epoch: epoch, Limit: 10})
	if err != nil || len(events) != 2 || string(events[0].Body) != raw || events[0].Kind != "robot.danced" || string(events[1].Body) != newer {
		t.Fatalf("stored %+v, %v", events, err)
	}
}

func TestBatchThatCannotBeTaken(t *testing.T) {
	for name, payload := range map[string]string{
		"no JSON":       `{"events":[`,
		"no facts":      `{"events":[]}`,
		"no names":      `{"events":[{"seq":0,"epoch":"7f3a"},{"seq":5},{"seq":-1,"epoch":"7f3a"},{"seq":1,"epoch":"a b"},7]}`,
		"two epochs":    string(batchOf(t, fact(t, hall, "a", 1, taken(1)), fact(t, hall, "b", 2, taken(2)))),
		"too many":      `{"events":[` + strings.Repeat(`{"seq":1,"epoch":"7f3a"},`, 2000) + `{"seq":1,"epoch":"7f3a"}]}`,
		"beyond bigint": `{"events":[{"seq":"9223372036854775808","epoch":"7f3a"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			st := newStore(t)
			_, err := newIngester(t, st).Ingest(t.Context(), hall, []byte(payload))
			var bad *ingest.BatchError
			if !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			if cursors, err := st.AllCursors(t.Context()); err != nil || len(cursors) != 0 {
				t.Fatalf("cursors %+v, %v", cursors, err)
			}
		})
	}
}

func TestUnnamedElementDoesNotStopItsNeighbours(t *testing.T) {
	in := newIngester(t, newStore(t))
	ack := send(t, in, fact(t, hall, epoch, 1, taken(1)), json.RawMessage(`{"broken":true}`), fact(t, hall, epoch, 3, taken(3)))
	if ack.UpTo != 1 || ack.Want == nil || *ack.Want != (hallsync.Range{From: 2, To: 2}) {
		t.Fatalf("ack %+v", ack)
	}
}

func TestHelloGivesUpWhatTheHallNoLongerHas(t *testing.T) {
	st := newStore(t)
	in := newIngester(t, st)
	send(t, in, fact(t, hall, epoch, 1, taken(1)))
	send(t, in, fact(t, hall, epoch, 4, taken(4)), fact(t, hall, epoch, 5, taken(5)))
	send(t, in, fact(t, hall, epoch, 12, called(4, "1")))
	ack := hello(t, in, epoch, 10, 13) // 2, 3 and 6 to 9 are gone; 10 and 11 are still there
	if ack.UpTo != 9 || ack.Want == nil || *ack.Want != (hallsync.Range{From: 10, To: 11}) {
		t.Fatalf("ack %+v", ack)
	}
	if ack := send(t, in, fact(t, hall, epoch, 10, taken(10)), fact(t, hall, epoch, 11, taken(11))); ack.UpTo != 12 {
		t.Fatalf("ack %+v", ack)
	}
	// A gone fact that comes after all changes nothing that was said.
	if ack := send(t, in, fact(t, hall, epoch, 3, taken(3))); ack.UpTo != 12 || ack.EpochStale {
		t.Fatalf("ack %+v", ack)
	}
	cursors, err := st.Cursors(t.Context(), hall)
	if err != nil || cursors[0].Gone != 6 {
		t.Fatalf("cursor %+v, %v", cursors, err)
	}
	tickets, total, err := st.Tickets(t.Context(), store.TicketQuery{Hall: hall, State: hallsync.Called, Limit: 10})
	if err != nil || total != 1 || tickets[0].ID != ticketID(4) {
		t.Fatalf("called %+v, %v", tickets, err)
	}
	v, err := st.Verify(t.Context(), "")
	if err != nil || len(v.Faults) != 0 || v.Events != 6 {
		t.Fatalf("verify %+v, %v", v, err)
	}
	if ack := hello(t, in, "empty", 40, 40); ack.UpTo != 39 {
		t.Fatalf("hello of an epoch of which all is gone: %+v", ack)
	}
}

func TestHelloThatMakesNoSense(t *testing.T) {
	for name, raw := range map[string]string{
		"no JSON":    `{`,
		"other hall": `{"hall":"440900000000002","epoch":"a","first":1,"next":1}`,
		"no epoch":   `{"hall":"440900000000001","first":1,"next":1}`,
		"next zero":  `{"hall":"440900000000001","epoch":"a","first":0,"next":0}`,
		"first late": `{"hall":"440900000000001","epoch":"a","first":3,"next":2}`,
	} {
		var bad *ingest.BatchError
		if _, err := ingest.ParseHello(hall, []byte(raw)); !errors.As(err, &bad) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzIngest(f *testing.F) {
	f.Add(batchOf(f, fact(f, hall, epoch, 1, taken(1))))
	f.Add([]byte(`{"events":[{"seq":2,"epoch":"7f3a","kind":"ticket.called","v":1,"payload":{"ticket":"x"}}]}`))
	f.Add([]byte(`{"events":[null,{},[],{"seq":"1","epoch":"\u0000"}]}`))
	st := newStore(f)
	in := newIngester(f, st)
	f.Fuzz(func(t *testing.T, payload []byte) {
		ack, err := in.Ingest(t.Context(), hall, payload)
		var bad *ingest.BatchError
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("database error %v", err)
		}
		if err == nil && ack.Want != nil && (ack.Want.From != ack.UpTo+1 || ack.Want.To < ack.Want.From) {
			t.Fatalf("ack %+v", ack)
		}
	})
}

// A log that is full of holes is gone through in pieces: other halls' facts come in between, however many holes one hall has made.
func TestManyHolesKeepNobodyWaiting(t *testing.T) {
	var commits atomic.Int64
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "cloud.db"), store.Options{Committed: func(int, time.Duration) { commits.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	in := newIngester(t, st)
	const facts, message = 2000, 500
	for n := 0; n < facts; n += message {
		var odd []json.RawMessage
		for i := n; i < n+message; i++ {
			odd = append(odd, fact(t, hall, epoch, hallsync.Seq(2*i+2), called(1, "1")))
		}
		send(t, in, odd...)
	}
	before := commits.Load()
	if ack := hello(t, in, epoch, 2*facts+4, 2*facts+5); ack.UpTo != 2*facts+3 || ack.Want != nil {
		t.Errorf("ack %+v", ack)
	}
	if n := commits.Load() - before; n < facts/512 {
		t.Errorf("all of it in %d transactions", n)
	}
	cursors, err := st.Cursors(t.Context(), hall)
	if err != nil || len(cursors) != 1 || cursors[0].Gone != facts+3 {
		t.Errorf("%+v, %v", cursors, err)
	}
}
