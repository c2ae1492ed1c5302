package queue_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// under gives the same hall under another plan, whether it came with a restart or while the hall worked.
func (b *bench) under(p *queue.Plan) {
	b.t.Helper()
	s, err := queue.Restore(p, []byte(b.dump()))
	if err != nil {
		b.t.Fatal(err)
	}
	b.s.Refit(p)
	if got, want := b.dump(), (&bench{t: b.t, s: s}).dump(); got != want {
		b.t.Fatalf("refitted\n%s\nrestored\n%s", got, want)
	}
	b.must(queue.FitPlan{})
	if again := b.must(queue.FitPlan{}); len(again) != 0 {
		b.t.Errorf("fitting again gives %v", again)
	}
}

// onlyWindow2 has neither windows 1 and 3 nor queue A.
func onlyWindow2() *queue.Plan {
	p := plan()
	p.Queues = []queue.QueuePlan{{ID: "B", Name: "社保业务"}}
	p.Windows = []queue.WindowPlan{{ID: "2", Name: "2号窗口", Queues: []hallsync.QueueID{"B"}}}
	return p
}

func TestNobodyIsForgottenWhenThePlanChanges(t *testing.T) {
	for _, st := range []hallsync.TicketState{hallsync.Waiting, hallsync.Called, hallsync.Serving, hallsync.Held, hallsync.Passed} {
		t.Run(string(st), func(t *testing.T) {
			b := into(t, st)
			b.under(onlyWindow2())
			b.must(queue.Open{Window: "2"})
			if st == hallsync.Passed {
				b.must(queue.CallTicket{Window: "2", Ticket: "t", Reason: "窗口撤销"})
			} else if got := calledNumber(b.must(queue.CallNext{Window: "2"})); got != "A001" {
				t.Fatalf("called %q", got)
			}
			b.must(queue.Finish{Window: "2"})
		})
	}
}

func TestTicketSentToAWindowThatIsGoneIsForAll(t *testing.T) {
	b := into(t, hallsync.Called)
	b.must(queue.Transfer{Window: "1", ToQueue: "B", ToWindow: "3"})
	b.must(queue.Open{Window: "2"})
	b.under(onlyWindow2())
	if got := calledNumber(b.must(queue.CallNext{Window: "2"})); got != "A001" {
		t.Fatalf("called %q", got)
	}
}

func TestWindowThatIsGoneIsClosed(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1", By: hallsync.By{Staff: "s1"}})
	b.under(onlyWindow2())
	b.under(plan())
	if w, _ := b.s.Window("1"); w.State != hallsync.WindowClosed || w.Staff != "" {
		t.Errorf("a window that comes back is %s by %s", w.State, w.Staff)
	}
}

// Whatever happened before the plan changed: everybody who waits is called in the end.
func TestAnyHallSurvivesAnyPlan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		var taken []hallsync.TicketID
		for n := range rapid.IntRange(1, 60).Draw(rt, "steps") {
			b.after(time.Duration(rapid.SampledFrom([]int{1, 7}).Draw(rt, "seconds")) * time.Second)
			facts, _ := b.try(randomCommand(byRapid{rt}, n, taken))
			for _, f := range facts {
				if take, ok := f.(hallsync.TicketTaken); ok {
					taken = append(taken, take.Ticket)
				}
			}
		}
		for _, q := range []hallsync.QueueID{"A", "B"} { // a roll has no end
			b.must(queue.SetRoll{Queue: q})
		}
		p := plan()
		p.Queues = p.Queues[rapid.IntRange(0, 1).Draw(rt, "queues"):]
		p.Windows = p.Windows[rapid.IntRange(0, 2).Draw(rt, "first"):]
		for i := range p.Windows {
			p.Windows[i].Queues = []hallsync.QueueID{"B"}
		}
		p.Windows[0].Queues = []hallsync.QueueID{"A", "B"}
		b.under(p)
		check(rt, b, taken)
		b.after(time.Minute)
		for round := range 2 * len(p.Windows) { // twice: somebody may have come for two things
			w := p.Windows[round%len(p.Windows)].ID
			b.must(queue.Open{Window: w})
			for n := 0; calledNumber(b.must(queue.CallNext{Window: w})) != ""; n++ {
				if b.after(time.Minute); n > 2*len(taken) {
					rt.Fatal("somebody is called for ever")
				}
			}
		}
		for _, id := range taken {
			if tk := b.ticket(id); tk.State == hallsync.Waiting {
				rt.Fatalf("%s still waits: %s", tk.Number, fmt.Sprintf("%+v", tk))
			}
		}
	})
}

func TestOneTicketHasOneNumber(t *testing.T) {
	b := into(t, hallsync.Waiting)
	b.refused(queue.Take{Ticket: "t", Queue: "B", Channel: hallsync.AtKiosk}, queue.TicketState)
}

// The contract's order: what is unknown, the closed window, the busy window, and only then the ticket.
func TestOrderOfRefusals(t *testing.T) {
	b := into(t, hallsync.Passed)
	b.take("u", "A", "")
	b.refused(queue.Transfer{Window: "9", Ticket: "t"}, queue.UnknownWindow)
	b.refused(queue.Transfer{Window: "2", Ticket: "t"}, queue.TargetRequired)
	for name, c := range map[string]func(w hallsync.WindowID, id hallsync.TicketID) queue.Command{
		"call": func(w hallsync.WindowID, id hallsync.TicketID) queue.Command {
			return queue.CallTicket{Window: w, Ticket: id}
		},
		"resume": func(w hallsync.WindowID, id hallsync.TicketID) queue.Command {
			return queue.Resume{Window: w, Ticket: id}
		},
		"reopen": func(w hallsync.WindowID, id hallsync.TicketID) queue.Command {
			return queue.Reopen{Window: w, Ticket: id}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.refused(c("9", "nobody"), queue.UnknownWindow)
			b.refused(c("2", "nobody"), queue.UnknownTicket)
			b.refused(c("2", "t"), queue.WindowClosed)
			if w, _ := b.s.Window("1"); w.Ticket == "" {
				b.after(5 * time.Second).must(queue.CallNext{Window: "1"})
			}
			b.refused(c("1", "t"), queue.WindowBusy)
		})
	}
}

func TestTheLaterEditOfThePlanHolds(t *testing.T) {
	b := newBench(t)
	edit := func(revision int64) queue.EditPlan {
		return queue.EditPlan{PlanEdited: hallsync.PlanEdited{Revision: revision, Text: fmt.Sprint("revision: ", revision)}}
	}
	b.must(edit(2))
	b.refused(edit(2), queue.PlanChanged)
	b.refused(edit(1), queue.PlanChanged)
	b.must(edit(4))
	if got := b.s.Edited(); got.Revision != 4 || got.Text != "revision: 4" {
		t.Errorf("%+v", got)
	}
	s, err := queue.Restore(plan(), []byte(b.dump()))
	if err != nil || s.Edited() != b.s.Edited() {
		t.Errorf("restored %+v, %v", s.Edited(), err)
	}
}

func TestAQueueIsLeftOutWhenNobodyWaitsThere(t *testing.T) {
	b := into(t, hallsync.Waiting)
	without := queue.EditPlan{PlanEdited: hallsync.PlanEdited{Revision: 2, Text: "revision: 2"}, Gone: []hallsync.QueueID{"B", "A"}}
	if r := b.refused(without, queue.QueueWaiting); r.Queue != "A" || r.People != 1 {
		t.Errorf("%+v", r)
	}
	b.must(queue.CallNext{Window: "1"})
	b.must(without)
}

// Nobody waits for a window where nobody works: as long as it is closed, who was sent there is everybody's.
func TestWhoWasSentToAClosedWindowIsForAll(t *testing.T) {
	b := into(t, hallsync.Serving)
	b.must(queue.Transfer{Window: "1", ToQueue: "B", ToWindow: "3"})
	b.must(queue.Open{Window: "3"})
	b.must(queue.Open{Window: "2"})
	if c := calledNumber(b.must(queue.CallNext{Window: "2"})); c != "" {
		t.Errorf("window 2 called %s, sent to window 3, which is open", c)
	}
	b.must(queue.Close{Window: "3"})
	restored, err := queue.Restore(plan(), []byte(b.dump()))
	if err != nil {
		t.Fatal(err)
	}
	b.s = restored
	b.must(queue.CallTicket{Window: "2", Ticket: "t"}) // by name, too
	b.must(queue.Transfer{Window: "2", ToQueue: "B", ToWindow: "3"})
	if c := calledNumber(b.must(queue.CallNext{Window: "2"})); c != "A001" {
		t.Errorf("window 2 called %q", c)
	}
}
