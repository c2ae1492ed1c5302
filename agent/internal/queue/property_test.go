package queue_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// drawer draws what is left to chance: rapid, which finds the smallest example, or a plain source, which is quick.
type drawer interface {
	below(n int, what string) int
}

type byRapid struct{ *rapid.T }

func (d byRapid) below(n int, what string) int { return rapid.IntRange(0, n-1).Draw(d.T, what) }

type bySource struct{ *rand.Rand }

func (d bySource) below(n int, _ string) int { return d.IntN(n) }

func oneOf[T any](d drawer, what string, list ...T) T { return list[d.below(len(list), what)] }

// failer is a test, or a check of rapid.
type failer interface {
	Fatalf(format string, args ...any)
}

// randomCommand draws any command, about known and unknown tickets and windows alike.
func randomCommand(d drawer, n int, taken []hallsync.TicketID) queue.Command {
	w := oneOf[hallsync.WindowID](d, "window", "1", "2", "3", "9")
	t := oneOf(d, "ticket", append([]hallsync.TicketID{"", "nobody"}, taken...)...)
	q := oneOf[hallsync.QueueID](d, "queue", "A", "B", "Z")
	reason := oneOf(d, "reason", "", "误按")
	commands := []func() queue.Command{
		func() queue.Command {
			return queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: q, Channel: hallsync.AtKiosk, Printer: reason, Person: oneOf(d, "person", "", "p"),
				Class: oneOf(d, "class", "", hallsync.Elder, hallsync.Priority, "king"), Because: reason, Then: oneOf(d, "then", nil, []hallsync.QueueID{"B"}, []hallsync.QueueID{"B", "B"})}
		},
		func() queue.Command {
			return queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: "A", Channel: hallsync.AtDesk}
		},
		func() queue.Command { return queue.Open{Window: w} },
		func() queue.Command { return queue.Close{Window: w} },
		func() queue.Command { return queue.Pause{Window: w} },
		func() queue.Command { return queue.Unpause{Window: w} },
		func() queue.Command { return queue.CallNext{Window: w} },
		func() queue.Command { return queue.CallNext{Window: w} },
		func() queue.Command { return queue.CallNext{Window: w} },
		func() queue.Command { return queue.CallTicket{Window: w, Ticket: t, Reason: reason} },
		func() queue.Command { return queue.Recall{Window: w, Ticket: t} },
		func() queue.Command { return queue.Start{Window: w, Ticket: t} },
		func() queue.Command { return queue.Finish{Window: w, Ticket: t} },
		func() queue.Command { return queue.Pass{Window: w, Ticket: t} },
		func() queue.Command { return queue.Hold{Window: w, Ticket: t} },
		func() queue.Command { return queue.Resume{Window: w, Ticket: t} },
		func() queue.Command {
			return queue.Transfer{Window: w, Ticket: t, ToQueue: q, Position: oneOf(d, "position", "", hallsync.AtFront, hallsync.AtEnd), Reason: reason}
		},
		func() queue.Command { return queue.Transfer{Window: w, Ticket: t, ToWindow: "3"} },
		func() queue.Command { return queue.Abandon{Window: w, Ticket: t, Reason: reason} },
		func() queue.Command { return queue.Reopen{Window: w, Ticket: t, Reason: reason} },
		func() queue.Command {
			return queue.SetClass{Ticket: t, Class: oneOf(d, "grant", hallsync.Normal, hallsync.Priority, "king"), Reason: reason}
		},
		func() queue.Command { return queue.Withdraw{Ticket: t} },
		func() queue.Command { return queue.Requeue{Ticket: t} },
		func() queue.Command { return queue.Reprint{Ticket: t, Printer: "kiosk-1"} },
		func() queue.Command {
			return queue.Reprint{Ticket: t, Printer: "kiosk-1", By: hallsync.By{Kind: "kiosk"}}
		},
		func() queue.Command {
			return queue.SlipProgress{Spare: d.below(2, "spare") == 1, SlipChanged: hallsync.SlipChanged{
				Ticket: t, State: oneOf(d, "slip", hallsync.SlipPrinting, hallsync.SlipPrinted, hallsync.SlipFailed),
				Out: oneOf(d, "out", hallsync.OutNothing, hallsync.OutPart, hallsync.OutUnknown),
			}}
		},
		func() queue.Command { return queue.Rate{Ticket: t, Grade: hallsync.Satisfied} },
		func() queue.Command { return queue.LeaveUnrated{Ticket: t, Why: hallsync.UnratedTimeout} },
		func() queue.Command { return queue.TurnDay{} },
		func() queue.Command { return queue.EndDay{} },
		func() queue.Command { return queue.SetRoll{Queue: q, On: reason == "", Next: 7} },
		func() queue.Command { return queue.SetDuty{Window: w, Queue: q, Until: start.Add(time.Hour)} },
	}
	return oneOf(d, "command", commands...)()
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
			facts, err := b.try(randomCommand(byRapid{rt}, n, taken))
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
func check(rt failer, b *bench, taken []hallsync.TicketID) {
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
