package queue_test

import (
	"testing"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Who waits is nobody's yet: a window deals out of turn only with whom it may call, and says why.
func TestNobodyPicksAmongThoseWhoWait(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"}) // serves A
	b.must(queue.Open{Window: "3"}) // serves B
	first, last, other := b.take("t1", "A", ""), b.take("t2", "A", ""), b.take("t3", "B", "")
	const why = "走错队"
	for _, c := range []queue.Command{
		queue.Transfer{Window: "1", Ticket: other, ToWindow: "1", Position: hallsync.AtFront, Reason: why},
		queue.Abandon{Window: "1", Ticket: other, Reason: why},
	} {
		b.refused(c, queue.WindowNotEntitled)
	}
	for _, c := range []queue.Command{
		queue.Transfer{Window: "1", Ticket: last, ToWindow: "1", Position: hallsync.AtFront},
		queue.Transfer{Window: "1", Ticket: other, ToQueue: "A", Directs: true},
		queue.Abandon{Window: "1", Ticket: last},
		queue.Abandon{Window: "1", Ticket: other, Directs: true},
		queue.CallTicket{Window: "1", Ticket: last},
	} {
		b.refused(c, queue.ReasonRequired)
	}
	b.must(queue.CallTicket{Window: "1", Ticket: first}) // who is next anyway may be named
	b.must(queue.Abandon{Window: "1"})                   // and who has come to the window is its own
	b.must(queue.CallTicket{Window: "1", Ticket: last, Reason: "行动不便"})
	b.must(queue.Transfer{Window: "1", ToWindow: "3"})
	b.refused(queue.Abandon{Window: "1", Ticket: last, Reason: why}, queue.WindowNotEntitled) // sent to another window, it is that one's
	b.must(queue.Abandon{Window: "1", Ticket: last, Reason: why, Directs: true})
	b.must(queue.Transfer{Window: "1", Ticket: other, ToQueue: "A", Reason: why, Directs: true})
	b.must(queue.Transfer{Window: "1", Ticket: other, ToQueue: "B", Reason: why})
}

// Whom another window has passed is not this one's to give up.
func TestPassedElsewhere(t *testing.T) {
	b := newBench(t)
	for _, w := range []hallsync.WindowID{"1", "2", "3"} {
		b.must(queue.Open{Window: w})
	}
	id := b.take("t1", "A", "")
	b.must(queue.CallNext{Window: "1"})
	b.must(queue.Pass{Window: "1"})
	b.refused(queue.Abandon{Window: "3", Ticket: id, Reason: "没来"}, queue.WindowNotEntitled)
	b.refused(queue.Abandon{Window: "2", Ticket: id}, queue.ReasonRequired)
	b.must(queue.Abandon{Window: "1", Ticket: id})
}
