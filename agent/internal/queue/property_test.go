package queue_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// randomCommand draws any command, about known and unknown tickets and windows alike.
func randomCommand(rt *rapid.T, n int, taken []hallsync.TicketID) queue.Command {
	w := rapid.SampledFrom([]hallsync.WindowID{"1", "2", "3", "9"}).Draw(rt, "window")
	t := rapid.SampledFrom(append([]hallsync.TicketID{"", "nobody"}, taken...)).Draw(rt, "ticket")
	q := rapid.SampledFrom([]hallsync.QueueID{"A", "B", "Z"}).Draw(rt, "queue")
	reason := rapid.SampledFrom([]string{"", "误按"}).Draw(rt, "reason")
	commands := []queue.Command{
		queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: q, Channel: hallsync.AtKiosk, Printer: reason,
			Class: rapid.SampledFrom([]hallsync.Class{"", hallsync.Elder, hallsync.Priority, "king"}).Draw(rt, "class")},
		queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: "A", Channel: hallsync.AtDesk},
		queue.Open{Window: w}, queue.Close{Window: w}, queue.Pause{Window: w}, queue.Unpause{Window: w},
		queue.CallNext{Window: w}, queue.CallNext{Window: w}, queue.CallNext{Window: w},
		queue.CallTicket{Window: w, Ticket: t, Reason: reason},
		queue.Recall{Window: w, Ticket: t}, queue.Start{Window: w, Ticket: t}, queue.Finish{Window: w, Ticket: t},
		queue.Pass{Window: w, Ticket: t}, queue.Hold{Window: w, Ticket: t}, queue.Resume{Window: w, Ticket: t},
		queue.Transfer{Window: w, Ticket: t, ToQueue: q, Position: rapid.SampledFrom([]hallsync.Position{"", hallsync.AtFront, hallsync.AtEnd}).Draw(rt, "position")},
		queue.Transfer{Window: w, Ticket: t, ToWindow: "3"},
		queue.Abandon{Window: w, Ticket: t}, queue.Reopen{Window: w, Ticket: t, Reason: reason},
		queue.SetClass{Ticket: t, Class: rapid.SampledFrom([]hallsync.Class{hallsync.Normal, hallsync.Priority, "king"}).Draw(rt, "grant"), Reason: reason},
		queue.Withdraw{Ticket: t}, queue.Requeue{Ticket: t}, queue.Reprint{Ticket: t, Printer: "kiosk-1"},
		queue.Reprint{Ticket: t, Printer: "kiosk-1", By: hallsync.By{Kind: "kiosk"}},
		queue.SlipProgress{Spare: rapid.Bool().Draw(rt, "spare"), SlipChanged: hallsync.SlipChanged{
			Ticket: t, State: rapid.SampledFrom([]hallsync.PrintState{hallsync.SlipPrinting, hallsync.SlipPrinted, hallsync.SlipFailed}).Draw(rt, "slip"),
			Out: rapid.SampledFrom([]hallsync.Outcome{hallsync.OutNothing, hallsync.OutPart, hallsync.OutUnknown}).Draw(rt, "out"),
		}},
		queue.Rate{Ticket: t, Grade: hallsync.Satisfied}, queue.LeaveUnrated{Ticket: t, Why: hallsync.UnratedTimeout}, queue.TurnDay{},
	}
	return commands[rapid.IntRange(0, len(commands)-1).Draw(rt, "command")]
}

func TestAnyOrderOfCommandsKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		var taken []hallsync.TicketID
		numbers := map[string]hallsync.TicketID{}
		day := b.s.Day()
		for n := range rapid.IntRange(1, 120).Draw(rt, "steps") {
			b.after(time.Duration(rapid.SampledFrom([]int{0, 1, 7, 300, -30, 90000}).Draw(rt, "seconds")) * time.Second)
			before := b.dump()
			facts, err := b.try(randomCommand(rt, n, taken))
			if err != nil && b.dump() != before {
				rt.Fatalf("a refused command changed the state")
			}
			if b.s.Day() != day { // numbers begin again with the day
				day, taken, numbers = b.s.Day(), nil, map[string]hallsync.TicketID{}
			}
			for _, f := range facts {
				if take, ok := f.(hallsync.TicketTaken); ok {
					if other, twice := numbers[take.Number]; twice {
						rt.Fatalf("number %s given to %s and %s", take.Number, other, take.Ticket)
					}
					numbers[take.Number] = take.Ticket
					taken = append(taken, take.Ticket)
				}
			}
			check(rt, b, taken)
		}
		refold(rt, b)
	})
}

// check looks at everything a state promises at any moment.
func check(rt *rapid.T, b *bench, taken []hallsync.TicketID) {
	waiting := map[hallsync.QueueID]int{}
	at := map[hallsync.TicketID]hallsync.WindowID{}
	for _, id := range taken {
		tk, ok := b.s.Ticket(id)
		if !ok {
			rt.Fatalf("ticket %s is lost", id)
		}
		if tk.State == hallsync.Waiting {
			waiting[tk.Queue]++
		}
	}
	for _, q := range []hallsync.QueueID{"A", "B"} {
		if b.s.Waiting(q) != waiting[q] {
			rt.Fatalf("line %s has %d tickets, %d tickets wait", q, b.s.Waiting(q), waiting[q])
		}
	}
	for _, id := range []hallsync.WindowID{"1", "2", "3"} {
		w, _ := b.s.Window(id)
		if w.Ticket == "" {
			continue
		}
		if other, twice := at[w.Ticket]; twice {
			rt.Fatalf("ticket %s is at windows %s and %s", w.Ticket, other, id)
		}
		at[w.Ticket] = id
		tk, _ := b.s.Ticket(w.Ticket)
		if tk.Window != id || (tk.State != hallsync.Called && tk.State != hallsync.Serving) {
			rt.Fatalf("window %s has ticket %s, which is %s at %s", id, tk.ID, tk.State, tk.Window)
		}
		if w.State != hallsync.WindowOpen {
			rt.Fatalf("window %s is %s and has a ticket", id, w.State)
		}
	}
	for _, id := range taken {
		tk, _ := b.s.Ticket(id)
		if (tk.State == hallsync.Called || tk.State == hallsync.Serving) && at[id] != tk.Window {
			rt.Fatalf("ticket %s is %s, but window %s does not have it", id, tk.State, tk.Window)
		}
	}
}

// refold checks that the state is the fold of its facts, through JSON as the log keeps them, and survives a snapshot.
func refold(rt *rapid.T, b *bench) {
	again := queue.New(plan())
	for i, f := range b.facts {
		e, err := hallsync.NewEvent("440900000000001", "e", hallsync.Seq(i+1), b.times[i], f)
		if err != nil {
			rt.Fatal(err)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			rt.Fatal(err)
		}
		var back hallsync.Event
		if err := json.Unmarshal(raw, &back); err != nil {
			rt.Fatal(err)
		}
		p, err := back.Decode()
		if err != nil {
			rt.Fatal(err)
		}
		again.Apply(p, back.At)
	}
	want := b.dump()
	if got, err := json.Marshal(again); err != nil || string(got) != want {
		rt.Fatalf("fold differs (%v)\n got %s\nwant %s", err, got, want)
	}
	restored, err := queue.Restore(plan(), []byte(want))
	if err != nil {
		rt.Fatal(err)
	}
	if got, err := json.Marshal(restored); err != nil || string(got) != want {
		rt.Fatalf("snapshot differs (%v)\n got %s\nwant %s", err, got, want)
	}
}
