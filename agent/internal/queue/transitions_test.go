package queue_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// into brings a fresh ticket "t" at window 1 into a state.
func into(t *testing.T, st hallsync.TicketState) *bench {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("t", "A", "")
	call := func() { b.must(queue.CallNext{Window: "1"}) }
	switch st {
	case hallsync.Waiting:
	case hallsync.Called:
		call()
	case hallsync.Serving:
		call()
		b.must(queue.Start{Window: "1"})
	case hallsync.Held:
		call()
		b.must(queue.Start{Window: "1"})
		b.must(queue.Hold{Window: "1"})
	case hallsync.Passed:
		call()
		b.must(queue.Pass{Window: "1"})
	case hallsync.Done:
		call()
		b.must(queue.Finish{Window: "1"})
	case hallsync.Abandoned:
		b.must(queue.Abandon{Window: "1", Ticket: "t", Reason: "取错号"})
	case hallsync.Withdrawn:
		b.must(queue.Withdraw{Ticket: "t"})
	case hallsync.Closed:
		// The day's tickets are forgotten when the next day opens, so the fact is applied by itself.
		b.s.Apply(hallsync.TicketClosed{Ticket: "t", From: hallsync.Waiting}, b.now)
	}
	if got := b.ticket("t").State; got != st {
		t.Fatalf("set-up ended in %s, want %s", got, st)
	}
	return b
}

var verbs = map[string]queue.Command{
	"call":     queue.CallTicket{Window: "1", Ticket: "t", Reason: "叫错"},
	"recall":   queue.Recall{Window: "1", Ticket: "t"},
	"start":    queue.Start{Window: "1", Ticket: "t"},
	"pass":     queue.Pass{Window: "1", Ticket: "t"},
	"requeue":  queue.Requeue{Ticket: "t"},
	"transfer": queue.Transfer{Window: "1", Ticket: "t", ToQueue: "B", Reason: "走错队"},
	"hold":     queue.Hold{Window: "1", Ticket: "t"},
	"resume":   queue.Resume{Window: "1", Ticket: "t"},
	"abandon":  queue.Abandon{Window: "1", Ticket: "t", Reason: "取错号"},
	"finish":   queue.Finish{Window: "1", Ticket: "t"},
	"rate":     queue.Rate{Ticket: "t", Grade: hallsync.Satisfied},
	"unrated":  queue.LeaveUnrated{Ticket: "t", Why: hallsync.UnratedTimeout},
	"withdraw": queue.Withdraw{Ticket: "t"},
	"class":    queue.SetClass{Ticket: "t", Class: hallsync.Elder, Reason: "走路慢"},
	"reopen":   queue.Reopen{Window: "1", Ticket: "t", Reason: "误按"},
}

// table is the state table of the contract; a verb that is missing in a row is refused with ticket_state.
var table = map[hallsync.TicketState]map[string]hallsync.TicketState{
	hallsync.Waiting: {"call": hallsync.Called, "transfer": hallsync.Waiting, "abandon": hallsync.Abandoned, "withdraw": hallsync.Withdrawn,
		"class": hallsync.Waiting},
	hallsync.Called: {"recall": hallsync.Called, "start": hallsync.Serving, "pass": hallsync.Passed, "transfer": hallsync.Waiting,
		"abandon": hallsync.Abandoned, "finish": hallsync.Done},
	hallsync.Serving: {"transfer": hallsync.Waiting, "hold": hallsync.Held, "abandon": hallsync.Abandoned, "finish": hallsync.Done},
	hallsync.Held:    {"transfer": hallsync.Waiting, "resume": hallsync.Serving, "abandon": hallsync.Abandoned, "finish": hallsync.Done},
	hallsync.Passed: {"call": hallsync.Called, "requeue": hallsync.Waiting, "abandon": hallsync.Abandoned, "withdraw": hallsync.Withdrawn,
		"reopen": hallsync.Called, "class": hallsync.Passed},
	hallsync.Done:      {"rate": hallsync.Done, "unrated": hallsync.Done, "reopen": hallsync.Serving},
	hallsync.Abandoned: {"reopen": hallsync.Waiting},
	hallsync.Withdrawn: {},
	hallsync.Closed:    {"reopen": hallsync.Waiting},
}

func TestStateTable(t *testing.T) {
	for from, row := range table {
		for verb, c := range verbs {
			t.Run(string(from)+"/"+verb, func(t *testing.T) {
				b := into(t, from)
				_, err := b.try(c)
				want, allowed := row[verb]
				if !allowed {
					var r *queue.Refusal
					if !errors.As(err, &r) || (r.Code != queue.TicketState && r.Code != queue.WindowBusy) {
						t.Fatalf("got %v, want a refusal for the ticket's state", err)
					}
					if r.Code == queue.TicketState && r.State != from {
						t.Errorf("refusal says state %s, want %s", r.State, from)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := b.ticket("t").State; got != want {
					t.Errorf("state %s, want %s", got, want)
				}
			})
		}
	}
}

func TestCallNextFinishesAndCalls(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("t1", "A", "")
	b.take("t2", "A", "")
	if got := calledNumber(b.must(queue.CallNext{Window: "1"})); got != "A001" {
		t.Fatalf("called %q first", got)
	}
	b.refused(queue.CallNext{Window: "1"}, queue.TicketJustCalled)
	b.after(5 * time.Second)
	if got := calledNumber(b.must(queue.CallNext{Window: "1"})); got != "A002" {
		t.Fatalf("called %q second", got)
	}
	if got := b.ticket("t1"); got.State != hallsync.Done || got.StartedAt.IsZero() {
		t.Errorf("first ticket is %s, started %v", got.State, got.StartedAt)
	}
	b.after(time.Minute)
	if facts := b.must(queue.CallNext{Window: "1"}); calledNumber(facts) != "" || len(facts) != 2 {
		t.Errorf("with nobody waiting got %v", facts)
	}
	if facts := b.must(queue.CallNext{Window: "1"}); len(facts) != 0 {
		t.Errorf("on an empty window and queue got %v", facts)
	}
}

// The page still shows one ticket, or none, and the pad has called another: the press was not meant for that one.
func TestCallNextFinishesOnlyWhomTheCallerSees(t *testing.T) {
	nobody, t1, t2 := hallsync.TicketID(""), hallsync.TicketID("t1"), hallsync.TicketID("t2")
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("t1", "A", "")
	b.take("t2", "A", "")
	if got := calledNumber(b.must(queue.CallNext{Window: "1", Holds: &nobody})); got != "A001" {
		t.Fatalf("called %q first", got)
	}
	b.after(time.Minute)
	b.refused(queue.CallNext{Window: "1", Holds: &nobody}, queue.WindowChanged)
	if got := calledNumber(b.must(queue.CallNext{Window: "1", Holds: &t1})); got != "A002" {
		t.Fatalf("called %q second", got)
	}
	// Right after the call, too: it is not the time that is wrong.
	if r := b.refused(queue.CallNext{Window: "1", Holds: &t1}, queue.WindowChanged); r.Ticket != t2 || r.State != hallsync.Called || r.Window != "1" {
		t.Errorf("%+v", r)
	}
	b.refused(queue.CallNext{Window: "1", Holds: &t2}, queue.TicketJustCalled)
	b.after(time.Minute)
	b.must(queue.Finish{Window: "1"}) // by the pad: who presses now wants the next all the same
	b.take("t3", "A", "")
	if got := calledNumber(b.must(queue.CallNext{Window: "1", Holds: &t2})); got != "A003" {
		t.Errorf("called %q third", got)
	}
}

func TestCallNextWaitsForArrivalWhenConfigured(t *testing.T) {
	b := newBench(t)
	p := plan()
	p.ArrivalPressed = true
	b.s = queue.New(p)
	b.must(queue.TurnDay{})
	b.must(queue.Open{Window: "1"})
	b.take("t1", "A", "")
	b.must(queue.CallNext{Window: "1"})
	b.after(time.Hour)
	b.refused(queue.CallNext{Window: "1"}, queue.TicketState)
	b.must(queue.Start{Window: "1"})
	b.must(queue.CallNext{Window: "1"})
}

func TestOrderIsClassThenTurn(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "2"})
	b.take("n1", "A", hallsync.Normal)
	b.take("n2", "B", hallsync.Normal)
	b.take("e1", "A", hallsync.Elder)
	b.after(-24 * time.Hour) // a clock that jumps back changes no order
	b.take("n3", "A", hallsync.Normal)
	b.take("p1", "B", hallsync.Priority)
	b.now = start.Add(time.Minute)
	var got []string
	for range 5 {
		got = append(got, calledNumber(b.must(queue.CallNext{Window: "2"})))
		b.after(10 * time.Second)
	}
	want := []string{"B002", "A002", "A001", "B001", "A003"}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("order %v, want %v", got, want)
		}
	}
}

func TestWhyNamesRuleAndRunnerUp(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("n1", "A", hallsync.Normal)
	b.after(time.Minute)
	b.take("e1", "A", hallsync.Elder)
	b.after(200 * time.Second)
	facts := b.must(queue.CallNext{Window: "1"})
	why := facts[len(facts)-1].(hallsync.TicketCalled).Why
	if why.Rule != string(line.Weight) || why.Next != "A001" || why.WaitedS != 200 || why.Score != 300 {
		t.Errorf("why is %+v", why)
	}
}

func TestTransferPositions(t *testing.T) {
	for _, tc := range []struct {
		pos  hallsync.Position
		want string
	}{{hallsync.AtFront, "A001"}, {hallsync.ByArrival, "A001"}, {hallsync.AtEnd, "B001"}} {
		t.Run(string(tc.pos), func(t *testing.T) {
			b := newBench(t)
			b.must(queue.Open{Window: "1"})
			b.must(queue.Open{Window: "3"})
			b.take("a1", "A", "")
			b.take("b1", "B", "")
			b.must(queue.CallNext{Window: "1"})
			b.must(queue.Transfer{Window: "1", ToQueue: "B", Position: tc.pos})
			if got := calledNumber(b.must(queue.CallNext{Window: "3"})); got != tc.want {
				t.Errorf("called %s, want %s", got, tc.want)
			}
		})
	}
}

func TestTransferToWindowIsOnlyForThatWindow(t *testing.T) {
	b := newBench(t)
	for _, w := range []hallsync.WindowID{"1", "2", "3"} {
		b.must(queue.Open{Window: w})
	}
	b.take("a1", "A", "")
	b.must(queue.CallNext{Window: "1"})
	b.must(queue.Transfer{Window: "1", ToWindow: "3"})
	if got := calledNumber(b.must(queue.CallNext{Window: "2"})); got != "" {
		t.Errorf("window 2 called %s", got)
	}
	if got := calledNumber(b.must(queue.CallNext{Window: "3"})); got != "A001" {
		t.Errorf("window 3 called %q", got)
	}
	b.refused(queue.Transfer{Window: "3"}, queue.TargetRequired)
	b.refused(queue.Transfer{Window: "3", ToQueue: "Z"}, queue.UnknownQueue)
	b.refused(queue.Transfer{Window: "3", ToWindow: "9"}, queue.UnknownWindow)
}

func TestPassedTicketIsCalledAgainOnlyByItsWindowOrWithReason(t *testing.T) {
	b := into(t, hallsync.Passed)
	b.must(queue.Open{Window: "2"})
	b.refused(queue.CallTicket{Window: "2", Ticket: "t"}, queue.ReasonRequired)
	b.after(11 * time.Minute)
	b.refused(queue.CallTicket{Window: "1", Ticket: "t"}, queue.ReasonRequired)
	facts := b.must(queue.CallTicket{Window: "2", Ticket: "t", Reason: "群众返回"})
	if got := facts[0].(hallsync.TicketCalled).How; got != queue.HowPassedRecall {
		t.Errorf("how is %s", got)
	}
}

func TestPassedTicketIsNeverCalledByCallNext(t *testing.T) {
	b := into(t, hallsync.Passed)
	if got := calledNumber(b.after(time.Minute).must(queue.CallNext{Window: "1"})); got != "" {
		t.Errorf("called %s", got)
	}
}

func TestWindowStates(t *testing.T) {
	b := newBench(t)
	b.refused(queue.Open{Window: "9"}, queue.UnknownWindow)
	b.refused(queue.CallNext{Window: "9"}, queue.UnknownWindow)
	b.refused(queue.CallNext{Window: "1"}, queue.WindowClosed)
	b.refused(queue.Pause{Window: "1"}, queue.WindowClosed)
	b.must(queue.Open{Window: "1"})
	if facts := b.must(queue.Open{Window: "1"}); len(facts) != 0 {
		t.Errorf("opening twice gave %v", facts)
	}
	b.refused(queue.Recall{Window: "1"}, queue.NoTicket)
	b.must(queue.Pause{Window: "1", Reason: "休息"})
	b.take("t1", "A", "")
	b.must(queue.CallNext{Window: "1"})
	if w, _ := b.s.Window("1"); w.State != hallsync.WindowOpen {
		t.Errorf("call-next left the window %s", w.State)
	}
	b.refused(queue.Pause{Window: "1"}, queue.WindowBusy)
	b.refused(queue.Close{Window: "1"}, queue.WindowBusy)
	b.refused(queue.CallTicket{Window: "1", Ticket: "t1"}, queue.WindowBusy)
	b.must(queue.Open{Window: "2"})
	b.refused(queue.Finish{Window: "2", Ticket: "t1"}, queue.TicketOtherWindow)
	b.refused(queue.Finish{Window: "1", Ticket: "nobody"}, queue.UnknownTicket)
	b.must(queue.Finish{Window: "1"})
	b.must(queue.Close{Window: "1"})
}

func TestWindowCallsOnlyItsQueues(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "3"})
	b.take("t1", "A", "")
	if got := calledNumber(b.must(queue.CallNext{Window: "3"})); got != "" {
		t.Errorf("window 3 called %s", got)
	}
	b.refused(queue.CallTicket{Window: "3", Ticket: "t1"}, queue.WindowNotEntitled)
}

func TestReopen(t *testing.T) {
	b := into(t, hallsync.Done)
	b.refused(queue.Reopen{Window: "1"}, queue.ReasonRequired)
	b.must(queue.Open{Window: "2"})
	b.refused(queue.Reopen{Window: "2", Ticket: "t", Reason: "误按"}, queue.TicketOtherWindow)
	b.take("t2", "A", "")
	b.must(queue.CallNext{Window: "1"})
	b.refused(queue.Reopen{Window: "1", Ticket: "t", Reason: "误按"}, queue.WindowBusy)
	b.must(queue.Finish{Window: "1"})
	b.must(queue.Reopen{Window: "1", Reason: "误按"}) // without a ticket: the last one
	if got := b.ticket("t2").State; got != hallsync.Serving {
		t.Errorf("reopened ticket is %s", got)
	}
}

func TestRateOnce(t *testing.T) {
	b := into(t, hallsync.Done)
	b.refused(queue.Rate{Ticket: "t", Grade: "perfect"}, queue.GradeInvalid)
	b.must(queue.Rate{Ticket: "t", Grade: hallsync.VerySatisfied})
	b.refused(queue.Rate{Ticket: "t", Grade: hallsync.Fair}, queue.AlreadyRated)
}

// TestUnratedIsNoGrade has somebody who did not answer at the window and rates later, by the slip.
func TestUnratedIsNoGrade(t *testing.T) {
	b := into(t, hallsync.Done)
	left := queue.LeaveUnrated{Ticket: "t", Why: hallsync.UnratedTimeout}
	b.refused(queue.LeaveUnrated{Ticket: "none"}, queue.UnknownTicket)
	b.must(left)
	if got := b.ticket("t"); got.Unrated != hallsync.UnratedTimeout || got.Rated != "" {
		t.Errorf("unrated %q, rated %q", got.Unrated, got.Rated)
	}
	if facts := b.must(left); len(facts) != 0 {
		t.Errorf("the second time gave %v", facts)
	}
	b.must(queue.Reopen{Window: "1", Ticket: "t", Reason: "误按"})
	b.must(queue.Finish{Window: "1", Ticket: "t"})
	if got := b.ticket("t").Unrated; got != "" {
		t.Errorf("after it was finished again it is still unrated: %s", got)
	}
	b.must(left)
	b.must(queue.Rate{Ticket: "t", Grade: hallsync.Satisfied})
	b.refused(left, queue.AlreadyRated)
}

func TestSlips(t *testing.T) {
	b := newBench(t)
	b.must(queue.Take{Ticket: "t", Queue: "A", Channel: hallsync.AtKiosk, Printer: "kiosk-1"})
	if got := b.s.Slips(); len(got) != 1 {
		t.Fatalf("%d slips wait", len(got))
	}
	b.refused(queue.Reprint{Ticket: "t", Printer: "kiosk-1"}, queue.SlipBusy)
	progress := func(st hallsync.PrintState) {
		b.must(queue.SlipProgress{SlipChanged: hallsync.SlipChanged{Ticket: "t", State: st}})
	}
	progress(hallsync.SlipPrinting)
	if got := b.s.Slips(); len(got) != 0 {
		t.Fatalf("%d slips wait while printing", len(got))
	}
	progress(hallsync.SlipPrinted)
	b.must(queue.Reprint{Ticket: "t", Printer: "kiosk-2"})
	if got := b.s.Slips(); len(got) != 1 || got[0].Reprints != 1 || got[0].Printer != "kiosk-2" {
		t.Fatalf("slips %+v", got)
	}
}

// fails says that a slip did not come out.
func (b *bench) fails(spare bool, out hallsync.Outcome) {
	b.t.Helper()
	b.must(queue.SlipProgress{Spare: spare, SlipChanged: hallsync.SlipChanged{
		Ticket: "t", Copy: b.ticket("t").Reprints, State: hallsync.SlipFailed, Code: "paper_out", Out: out,
	}})
}

// A slip goes to the second printer by itself only if it cannot be whole, and only once.
func TestSpareSlips(t *testing.T) {
	for out, again := range map[hallsync.Outcome]bool{hallsync.OutNothing: true, hallsync.OutPart: true, hallsync.OutUnknown: false} {
		for _, spare := range []bool{true, false} {
			b := newBench(t)
			b.must(queue.Take{Ticket: "t", Queue: "A", Channel: hallsync.AtKiosk, Printer: "kiosk-1"})
			b.fails(spare, out)
			tk := b.ticket("t")
			if !again || !spare {
				if tk.Print != hallsync.SlipFailed || tk.Reprints != 0 || tk.Slip.Out != out || tk.Slip.Code != "paper_out" || len(b.s.Slips()) != 0 {
					t.Errorf("%q, spare %v: %+v", out, spare, tk)
				}
				continue
			}
			if tk.Print != hallsync.SlipPending || tk.Reprints != 1 || !tk.Slip.Spare || tk.Printer != "kiosk-1" || tk.Number != "A001" {
				t.Errorf("%q: %+v", out, tk)
			}
			b.fails(true, hallsync.OutNothing)
			if tk := b.ticket("t"); tk.Print != hallsync.SlipFailed || tk.Reprints != 1 || len(b.s.FailedSlips()) != 1 {
				t.Errorf("after the spare failed too: %+v", tk)
			}
			b.must(queue.Reprint{Ticket: "t", Printer: "kiosk-1"})
			if b.ticket("t").Slip.Spare {
				t.Error("a copy that somebody asks for begins at the spare printer")
			}
		}
	}
	b := newBench(t)
	b.must(queue.Take{Ticket: "t", Queue: "A", Channel: hallsync.AtKiosk, Printer: "kiosk-1"})
	b.must(queue.Withdraw{Ticket: "t"})
	if b.fails(true, hallsync.OutNothing); b.ticket("t").Print != hallsync.SlipFailed {
		t.Error("a slip was printed for somebody who has gone")
	}
}

func TestKiosksReprintSeldom(t *testing.T) {
	b := newBench(t)
	b.s.Plan().Reprints = 2
	atKiosk := queue.Reprint{Ticket: "t", Printer: "kiosk-1", By: hallsync.By{Kind: "kiosk", ID: "1"}}
	byStaff := queue.Reprint{Ticket: "t", Printer: "kiosk-1", By: hallsync.By{Kind: "staff", Staff: "w001"}}
	printed := func() {
		b.must(queue.SlipProgress{SlipChanged: hallsync.SlipChanged{Ticket: "t", State: hallsync.SlipPrinted}})
	}
	b.must(queue.Take{Ticket: "t", Queue: "A", Channel: hallsync.AtKiosk, Printer: "kiosk-1"})
	printed()
	if r := b.after(4*time.Second).refused(atKiosk, queue.SlipJustPrinted); r.After != 6*time.Second {
		t.Errorf("after %s", r.After)
	}
	b.must(byStaff)
	printed()
	b.after(10 * time.Second).must(atKiosk)
	b.fails(true, hallsync.OutNothing) // the spare makes it, and it is still the one that was asked for
	printed()
	b.after(time.Minute).must(atKiosk)
	b.fails(false, hallsync.OutNothing) // nothing came out, so it does not count
	b.must(atKiosk)
	b.fails(false, hallsync.OutUnknown)
	b.refused(atKiosk, queue.ReprintLimit)
	b.must(byStaff)
	printed()
	if tk := b.ticket("t"); tk.Reprints != 6 || tk.Slip.Copies != 2 {
		t.Errorf("%+v", tk)
	}
	b.after(time.Minute).refused(atKiosk, queue.ReprintLimit)
	b.must(queue.Withdraw{Ticket: "t"})
	b.refused(byStaff, queue.TicketState)
}

func TestDayTurn(t *testing.T) {
	b := into(t, hallsync.Serving)
	b.take("t2", "A", "")
	b.after(24 * time.Hour)
	b.refused(queue.Take{Ticket: "t3", Queue: "A", Channel: hallsync.AtKiosk}, queue.DayNotOpen)
	closed := 0
	for _, f := range b.must(queue.TurnDay{}) {
		if _, ok := f.(hallsync.TicketClosed); ok {
			closed++
		}
	}
	if closed != 2 {
		t.Errorf("%d tickets closed, want 2", closed)
	}
	b.take("t3", "A", "")
	if got := b.ticket("t3"); got.Number != "A001" || got.FlowNo != "20260303000001" {
		t.Errorf("first ticket of the day is %s, %s", got.Number, got.FlowNo)
	}
	if w, _ := b.s.Window("1"); w.State != hallsync.WindowClosed {
		t.Errorf("window is %s on the new morning", w.State)
	}
	b.after(-48 * time.Hour)
	if facts := b.must(queue.TurnDay{}); len(facts) != 0 {
		t.Errorf("a clock set back turned the day: %v", facts)
	}
}

func TestDeviceFactsAreChanges(t *testing.T) {
	b := newBench(t)
	note := func(state string) int {
		t.Helper()
		return len(b.must(queue.Note{Fact: hallsync.DeviceChanged{Device: "kiosk-1.printer", Class: "printer", State: state}}))
	}
	if note("ok") != 1 || note("ok") != 0 || note("offline") != 1 {
		t.Error("a device's state is not told once")
	}
	s, err := queue.Restore(plan(), []byte(b.dump()))
	if err != nil {
		t.Fatal(err)
	}
	b.s = s
	if note("offline") != 0 || note("ok") != 1 || b.s.Device("kiosk-1.printer").State != "ok" {
		t.Error("a restart forgets how devices were")
	}
}

func TestCamerasAreKnownAgain(t *testing.T) {
	b := newBench(t)
	pinned := hallsync.CameraPinned{Camera: "440900000000001-CM001", MAC: "c0:56:e3:01:02:03", By: hallsync.By{Kind: "system"}}
	b.must(queue.PinCamera{Fact: pinned})
	s, err := queue.Restore(plan(), []byte(b.dump()))
	if err != nil {
		t.Fatal(err)
	}
	if s.Camera(pinned.Camera) != pinned || s.Camera("440900000000001-CM002") != (hallsync.CameraPinned{}) {
		t.Error("a restart forgets how cameras are known")
	}
}

func TestNumbersBeyond999(t *testing.T) {
	for n, want := range map[int]string{1: "A001", 999: "A999", 1000: "A1000"} {
		if got := queue.Number("A", n); got != want {
			t.Errorf("number %d is %s", n, got)
		}
	}
}

func TestWaitNeedsSamplesAndAnOpenWindow(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	for i := range 5 {
		if got := b.s.Forecast(b.now).Next["A"]; got != nil {
			t.Fatalf("after %d services the wait is %+v", i, got)
		}
		b.take(string(rune('a'+i)), "A", "")
		b.must(queue.CallNext{Window: "1"})
		b.after(10 * time.Minute)
		b.must(queue.Finish{Window: "1"})
	}
	for i := range 3 {
		b.take(fmt.Sprint("w", i), "A", "")
	}
	got := b.s.Forecast(b.now).Next["A"]
	if got == nil || got.LowS != 1800 || got.HighS != 1800 {
		t.Errorf("wait is %+v, want 30 minutes: three services of always 10", got)
	}
	b.must(queue.Close{Window: "1"})
	if got := b.s.Forecast(b.now).Next["A"]; got != nil {
		t.Errorf("with no window open the wait is %+v", got)
	}
}

func TestCallsLeaveOutWhoIsNotWaitedFor(t *testing.T) {
	b := into(t, hallsync.Called)
	if got := b.s.Calls(5); len(got) != 1 || got[0].Number != "A001" {
		t.Fatalf("calls %+v", got)
	}
	b.must(queue.Pass{Window: "1"})
	if got := b.s.Calls(5); len(got) != 0 {
		t.Errorf("a passed ticket is still called: %+v", got)
	}
	b.must(queue.CallTicket{Window: "1", Ticket: "t"})
	if got := b.s.Calls(5); len(got) != 1 {
		t.Errorf("a ticket called again is not shown: %+v", got)
	}
}

func TestWhoeverOpensAnOpenWindowWorksThere(t *testing.T) {
	b := newBench(t)
	staff := func(id hallsync.StaffID) hallsync.By { return hallsync.By{Kind: "staff", Staff: id} }
	b.must(queue.Open{Window: "1"})
	b.must(queue.Open{Window: "1", By: staff("1001")})
	if w, _ := b.s.Window("1"); w.Staff != "1001" {
		t.Errorf("at the window works %q", w.Staff)
	}
	for _, by := range []hallsync.By{staff("1001"), {Kind: "pad"}} {
		if facts := b.must(queue.Open{Window: "1", By: by}); len(facts) != 0 {
			t.Errorf("opening again gave %v", facts)
		}
	}
}
