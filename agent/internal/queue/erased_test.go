package queue_test

import (
	"strings"
	"testing"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Whoever had himself erased is nobody to the hall: his tickets go on, and what he may was never limited.
func TestAnErasedPersonIsNobody(t *testing.T) {
	const person, other = "digest-of-one", "digest-of-another"
	p := plan()
	for i := range p.Queues {
		p.Queues[i].PerPerson = 1
	}
	b := newBenchOf(t, p)
	by := func(person string) func(*queue.Take) { return func(c *queue.Take) { c.Person, c.Queue = person, "A" } }
	taken, _ := b.wantTake("", by(person))
	b.wantTake("", by(other))
	b.must(queue.SetBooking{BookingSet: hallsync.BookingSet{Booking: "AP1", Queue: "B", Start: moment(10, 0), End: moment(10, 30), Person: person}})
	for _, who := range []string{person, other} {
		b.must(queue.SetBlock{Person: who, Until: moment(23, 0), Reason: "x", By: hallsync.By{Kind: "staff", Staff: "m01"}})
	}
	const note = "腿脚不便"
	b.s.Apply(hallsync.TicketTransferred{Ticket: taken.Ticket, Queue: "A", Position: hallsync.AtEnd, Note: note}, b.now)
	if !strings.Contains(b.dump(), note) {
		t.Fatal("nobody wrote anything")
	}
	erased := hallsync.PersonErased{Order: "o", Tickets: []hallsync.TicketID{taken.Ticket, "gone"}, Bookings: []hallsync.BookingID{"AP1", "gone"}}
	b.s.Apply(erased, b.now)
	if dump := b.dump(); strings.Contains(dump, person) || strings.Contains(dump, note) || !strings.Contains(dump, other) {
		t.Errorf("the state is %s", dump)
	}
	again, err := queue.Restore(p, []byte(b.dump()))
	if err != nil {
		t.Fatal(err)
	}
	again.Apply(erased, b.now)
	b.s = again
	b.wantTake(queue.AlreadyWaiting, by(other))
	b.wantTake("", by(person)) // his old ticket is nobody's
	b.must(queue.Withdraw{Ticket: taken.Ticket})
}

// What the store says of its keys and its chain changes nothing, not even the hall's time.
func TestFactsOfTheLogChangeNothing(t *testing.T) {
	b := newBench(t)
	b.wantTake("", nil)
	before := b.dump()
	for _, f := range []hallsync.Payload{hallsync.KeyMade{Key: "00"}, hallsync.SegmentBegun{}, hallsync.LogCheckpointed{}} {
		b.s.Apply(f, b.now.AddDate(1, 0, 0))
	}
	if after := b.dump(); after != before {
		t.Errorf("the state was %s\nand is %s", before, after)
	}
}
