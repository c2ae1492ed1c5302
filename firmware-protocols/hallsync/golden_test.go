package hallsync_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

const (
	hall    = hallsync.HallID("440900000000001")
	epoch   = "01JNB3W2J6Y8Q4T5R7V9X0Z1A2"
	ticket  = hallsync.TicketID("01JNB4A1B2C3D4E5F6G7H8J9K0")
	goldens = "testdata/v1"
)

// wrote is what testdata/v1/<kind>.json says, for ever: the files are facts of the first release, and every later program must
// read them as this table does. A new field is added here only together with a new file.
func wrote() map[hallsync.Kind]hallsync.Payload {
	clerk := hallsync.By{Kind: "staff", ID: "window-1", Staff: "w001"}
	system := hallsync.By{Kind: "system"}
	return map[hallsync.Kind]hallsync.Payload{
		hallsync.KindDayOpened: hallsync.DayOpened{BusinessDay: "2026-03-02"},
		hallsync.KindDayClosed: hallsync.DayClosed{BusinessDay: "2026-03-02"},
		hallsync.KindTicketTaken: hallsync.TicketTaken{Ticket: ticket, Number: "A023", Ordinal: 23, FlowNo: "20260302000057", BusinessDay: "2026-03-02",
			Queue: "A", Class: hallsync.Elder, Channel: hallsync.AtKiosk, Place: "1", Proof: hallsync.ProofIDCard, Ahead: 4,
			Wait: &hallsync.WaitRange{LowS: 600, HighS: 900}, Windows: []hallsync.WindowID{"1", "A12"}, Printer: "1", By: hallsync.By{Kind: "kiosk", ID: "1"}},
		hallsync.KindTicketCalled: hallsync.TicketCalled{Ticket: ticket, Number: "A023", Queue: "A", Window: "1", How: "designated",
			Why: hallsync.Why{Rule: "designated", Score: 1200, WaitedS: 754, Next: "A021"}, Reason: "家属在场", By: clerk},
		hallsync.KindTicketRecalled: hallsync.TicketRecalled{Ticket: ticket, Number: "A023", Window: "1", Times: 2,
			By: hallsync.By{Kind: "pad", ID: "window-1.pad", Staff: "w001"}},
		hallsync.KindTicketStarted:     hallsync.TicketStarted{Ticket: ticket, Window: "1", By: clerk},
		hallsync.KindTicketFinished:    hallsync.TicketFinished{Ticket: ticket, Window: "1", ServiceS: 431, By: clerk},
		hallsync.KindTicketPassed:      hallsync.TicketPassed{Ticket: ticket, Number: "A023", Window: "1", By: clerk},
		hallsync.KindTicketRequeued:    hallsync.TicketRequeued{Ticket: ticket, By: hallsync.By{Kind: "kiosk", ID: "1"}},
		hallsync.KindTicketTransferred: hallsync.TicketTransferred{Ticket: ticket, From: "1", Queue: "B", Window: "3", Position: hallsync.AtFront, Reason: "取错号", By: clerk},
		hallsync.KindTicketHeld:        hallsync.TicketHeld{Ticket: ticket, Window: "1", Reason: "复印材料", By: clerk},
		hallsync.KindTicketResumed:     hallsync.TicketResumed{Ticket: ticket, Window: "1", By: clerk},
		hallsync.KindTicketAbandoned:   hallsync.TicketAbandoned{Ticket: ticket, Window: "1", From: hallsync.Passed, Reason: "三次未到", By: clerk},
		hallsync.KindTicketWithdrawn:   hallsync.TicketWithdrawn{Ticket: ticket, By: hallsync.By{Kind: "citizen"}},
		hallsync.KindTicketClassSet:    hallsync.TicketClassSet{Ticket: ticket, From: hallsync.Normal, Class: hallsync.Priority, Reason: "现役军人，已查看证件", By: clerk},
		hallsync.KindTicketReopened:    hallsync.TicketReopened{Ticket: ticket, Window: "1", From: hallsync.Done, To: hallsync.Serving, Reason: "误按", By: clerk},
		hallsync.KindTicketClosed:      hallsync.TicketClosed{Ticket: ticket, From: hallsync.Waiting},
		hallsync.KindTicketRated: hallsync.TicketRated{Ticket: ticket, Window: "1", Staff: "w001", Grade: hallsync.VeryDissatisfied,
			Reasons: []string{"wait_too_long", "attitude"}, Text: "等了一小时", By: hallsync.By{Kind: "citizen"}},
		hallsync.KindTicketUnrated: hallsync.TicketUnrated{Ticket: ticket, Window: "1", Staff: "w001", Why: hallsync.UnratedTimeout,
			By: hallsync.By{Kind: "kiosk", ID: "rate-1"}},
		hallsync.KindSlipAsked:      hallsync.SlipAsked{Ticket: ticket, Printer: "1", Copy: 1, By: clerk},
		hallsync.KindSlipChanged:    hallsync.SlipChanged{Ticket: ticket, Copy: 1, State: hallsync.SlipFailed, Device: "kiosk-1.printer", Code: "paper_out"},
		hallsync.KindWindowOpened:   hallsync.WindowWasOpened{Window: "1", By: clerk},
		hallsync.KindWindowClosed:   hallsync.WindowWasClosed{Window: "1", By: clerk},
		hallsync.KindWindowPaused:   hallsync.WindowWasPaused{Window: "1", Reason: "开会", By: clerk},
		hallsync.KindWindowUnpaused: hallsync.WindowWasUnpaused{Window: "1", By: system},
		hallsync.KindDeviceChanged:  hallsync.DeviceChanged{Device: "kiosk-1.printer", Class: "printer", State: "degraded", Code: "paper_low"},
		hallsync.KindCameraPinned: hallsync.CameraPinned{Camera: "440900000000001-CM001", MAC: "c0:56:e3:01:02:03",
			Key: "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953", Says: "IP Camera(12345) · Media Server", By: clerk},
		hallsync.KindTicketStepDone: hallsync.TicketStepDone{Ticket: ticket, Window: "1", Queue: "A", ServiceS: 431, By: clerk},
		hallsync.KindPlanEdited:     hallsync.PlanEdited{Revision: 8, Text: "schema: 1\nrevision: 8\n", By: clerk},
		hallsync.KindRollSet:        hallsync.RollSet{Queue: "A", On: true, Next: 17, By: clerk},
		hallsync.KindWindowDuty:     hallsync.WindowDutySet{Window: "1", Queue: "B", Until: time.Date(2026, 3, 2, 3, 30, 0, 0, time.UTC), By: clerk},
		hallsync.KindBookingSet: hallsync.BookingSet{Booking: "AP20260302000007", Queue: "A",
			Start: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), End: time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC), Person: "5f0a3c9d1e2b4a68"},
		hallsync.KindBookingCancelled: hallsync.BookingCancelled{Booking: "AP20260302000007"},
		hallsync.KindBookingMissed:    hallsync.BookingMissed{Booking: "AP20260302000007", Excused: true},
		hallsync.KindPersonBlocked: hallsync.PersonBlocked{Person: "5f0a3c9d1e2b4a68", Until: time.Date(2026, 4, 2, 10, 0, 0, 0, time.UTC),
			Everywhere: true, Reason: "三次预约未到", By: clerk},
		hallsync.KindClockStepped: hallsync.ClockStepped{ByMS: -3_600_000, Dead: true},
		hallsync.KindClockSet:     hallsync.ClockSet{ByMS: 3_600_000, Source: "cloud", By: system},
		hallsync.KindKeyMade: hallsync.KeyMade{Key: "0123456789abcdef", Day: "2026-03-02",
			Wraps: []hallsync.KeyWrap{{For: "fedcba9876543210", Wrapped: []byte{48, 1, 2}}}},
		hallsync.KindSegmentBegun:    hallsync.SegmentBegun{Start: []byte{1, 2, 3}, Keys: []hallsync.KeyWrap{{For: "fedcba9876543210", Wrapped: []byte{48, 3, 4}}}},
		hallsync.KindLogCheckpointed: hallsync.LogCheckpointed{Checkpoint: []byte{0, 254, 255}},
		hallsync.KindPersonErased: hallsync.PersonErased{Order: "0195548c-0000-7000-8000-000000000001", Facts: []hallsync.Range{{From: 7, To: 9}},
			Tickets: []hallsync.TicketID{ticket}, Bookings: []hallsync.BookingID{"AP20260302000007"}},
	}
}

// grown is what testdata/v1/later/<name>.json says: facts with members that came after the first release.
func grown() map[string]hallsync.Payload {
	clerk := hallsync.By{Kind: "staff", ID: "window-1", Staff: "w001"}
	return map[string]hallsync.Payload{
		"ticket.transferred.note": hallsync.TicketTransferred{Ticket: ticket, From: "1", Queue: "B", Position: hallsync.ByArrival,
			Note: "材料已核对，缺复印件", By: clerk},
		"ticket.taken.class_reason": hallsync.TicketTaken{Ticket: ticket, Number: "A023", Ordinal: 23, FlowNo: "20260302000057", BusinessDay: "2026-03-02",
			Queue: "A", Class: hallsync.Priority, ClassReason: "现役军人", Channel: hallsync.AtDesk, Place: "desk", Proof: hallsync.ProofNone, Ahead: 1,
			Windows: []hallsync.WindowID{"1"}, By: clerk},
		"ticket.passed.early": hallsync.TicketPassed{Ticket: ticket, Number: "A023", Window: "1", Early: true, By: clerk},
		"day.opened.instead":  hallsync.DayOpened{BusinessDay: "2026-03-02", After: 23, Carried: []hallsync.TicketID{ticket}, Instead: "2026-03-22"},
		"slip.asked.spare":    hallsync.SlipAsked{Ticket: ticket, Printer: "kiosk-1", Copy: 1, Spare: true, By: hallsync.By{Kind: "system"}},
		"slip.changed.part":   hallsync.SlipChanged{Ticket: ticket, State: hallsync.SlipFailed, Device: "kiosk-1.printer", Code: "paper_out", Out: hallsync.OutPart},
	}
}

func TestLaterMembersStayAsTheyWereWritten(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 26, 53, 589_000_000, time.FixedZone("", 8*3600))
	for name, want := range grown() {
		golden := readGolden(t, hallsync.Kind("later/"+name))
		var e hallsync.Event
		if err := json.Unmarshal(golden, &e); err != nil {
			t.Fatal(err)
		}
		if got, err := e.Decode(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v, %v\nwant %+v", name, got, err, want)
		}
		written, err := hallsync.NewEvent(hall, epoch, 58, at, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(written)
		if err != nil {
			t.Fatal(err)
		}
		var plain bytes.Buffer
		if err := json.Compact(&plain, golden); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, plain.Bytes()) {
			t.Errorf("%s is written as\n%s, was\n%s", name, got, plain.Bytes())
		}
	}
}

func readGolden(t testing.TB, k hallsync.Kind) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(goldens, string(k)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFactsOfTheFirstReleaseAreRead(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 26, 53, 589_000_000, time.FixedZone("", 8*3600))
	for k, want := range wrote() {
		t.Run(string(k), func(t *testing.T) {
			var e hallsync.Event
			if err := json.Unmarshal(readGolden(t, k), &e); err != nil {
				t.Fatal(err)
			}
			if e.Hall != hall || e.Epoch != epoch || e.Seq != 58 || e.Kind != k || e.V != 1 || !e.At.Equal(at) {
				t.Errorf("envelope: %+v", e)
			}
			got, err := e.Decode()
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestFactsAreWrittenAsInTheFirstRelease(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 26, 53, 589_000_000, time.FixedZone("", 8*3600))
	for k, p := range wrote() {
		e, err := hallsync.NewEvent(hall, epoch, 58, at, p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, readGolden(t, k)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is written as\n%s, was\n%s", k, got, want.Bytes())
		}
	}
}

func TestEveryKindHasItsFile(t *testing.T) {
	files, err := filepath.Glob(goldens + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	have := map[hallsync.Kind]bool{}
	for _, f := range files {
		have[hallsync.Kind(filepath.Base(f[:len(f)-len(".json")]))] = true
	}
	for _, k := range declaredKinds(t) {
		if !have[k] {
			t.Errorf("no %s/%s.json", goldens, k)
		}
		if wrote()[k] == nil {
			t.Errorf("nothing says what %s/%s.json means", goldens, k)
		}
		delete(have, k)
	}
	for k := range have {
		t.Errorf("%s/%s.json is of no known kind", goldens, k)
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	e := hallsync.Event{Kind: hallsync.KindTicketClosed, V: 1, Payload: json.RawMessage(`{"ticket":"T","from":"waiting","added_later":{"x":[1]}}`)}
	p, err := e.Decode()
	if err != nil || p != (hallsync.TicketClosed{Ticket: "T", From: hallsync.Waiting}) {
		t.Errorf("%+v, %v", p, err)
	}
}
