package queue_test

import (
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// While the key of the hall's index changes a person has two names. Whichever was used first, and however he comes, he is one and the same:
// there is no second number for him.
func TestWhoHasTwoNamesIsOnePerson(t *testing.T) {
	now, before := "by-the-new-key", "by-the-old-key"
	as := func(id hallsync.TicketID, person string, aliases ...string) func(c *queue.Take) {
		return func(c *queue.Take) { c.Ticket, c.Person, c.Aliases = id, person, aliases }
	}
	for name, ways := range map[string]struct{ first, second func(c *queue.Take) }{
		"the old name alone, then both":    {as("T1", before), as("T2", now, before)},
		"both, the old one first":          {as("T1", before, now), as("T2", now, before)},
		"both, the new one first":          {as("T1", now, before), as("T2", before, now)},
		"both, then the new name alone":    {as("T1", now, before), as("T2", now)},
		"three names, then one of them":    {as("T1", "own", before), as("T2", now, before, "own")},
		"the new one alone, the old first": {as("T1", now), as("T2", before, now)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBenchOf(t, office(func(p *queue.Plan) { p.MaxOpen = 1 }))
			b.at(moment(9, 0))
			b.wantTake("", ways.first)
			b.wantTake(queue.TooManyOpen, ways.second)
			if mine := b.s.Live(now, before, "own"); len(mine) != 1 {
				t.Errorf("%d numbers", len(mine))
			}
		})
	}
}

// Who finished goes on under the name that he has today, so that his first ticket, opened again, still is one of his.
func TestWhoHasTwoNamesKeepsThatOfTheDay(t *testing.T) {
	b := booked(t) // AP1 is p's
	b.at(moment(10, 0))
	f, _ := b.wantTake("", func(c *queue.Take) { c.Ticket, c.Queue, c.Person, c.Aliases = "T1", "A", "new", []string{"p"} })
	if f.Person != "p" {
		t.Errorf("he is called %q, and had an appointment as p", f.Person)
	}
}

func TestAppointmentIsHisByEitherName(t *testing.T) {
	b := booked(t)
	b.at(moment(10, 0))
	if mine := b.s.BookingsOf([]string{"new", "p"}, b.now); len(mine) != 1 {
		t.Fatalf("%+v", mine)
	}
	set := hallsync.BookingSet{Booking: "AP1", Queue: "A", Start: moment(10, 0), End: moment(10, 30), Person: "new"}
	if news := b.must(queue.SetBooking{BookingSet: set, Aliases: []string{"p"}}); len(news) != 0 {
		t.Errorf("the same appointment is news: %v", news)
	}
	b.wantTake(queue.BookingUsed, func(c *queue.Take) { c.Booking, c.Person, c.Aliases = "AP1", "another", []string{"his other name"} })
	b.wantTake("", func(c *queue.Take) { c.Booking, c.Person, c.Aliases = "AP1", "new", []string{"p"} })
}

func TestBlocksHoldForEveryNameAndEnd(t *testing.T) {
	b := newBenchOf(t, office(func(*queue.Plan) {}))
	b.at(moment(9, 0))
	block := queue.SetBlock{Person: "old", Until: moment(9, 0).AddDate(0, 0, 30), Everywhere: true, Reason: "多次爽约", By: hallsync.By{Staff: "1"}}
	b.must(block)
	both := func(c *queue.Take) { c.Person, c.Aliases = "new", []string{"old"} }
	b.wantTake(queue.PersonBlocked, both)

	block.Person, block.Aliases, block.Until = "new", []string{"old"}, block.Until.AddDate(0, 0, 1) // longer, by the new name
	b.must(block)
	if blocks := b.s.Blocks(b.now); len(blocks) != 1 || blocks["new"].Until != block.Until {
		t.Fatalf("%+v", blocks)
	}
	block.Person, block.Aliases, block.Until = "newest", []string{"new", "old"}, b.now // over
	b.must(block)
	if blocks := b.s.Blocks(b.now); len(blocks) != 0 {
		t.Fatalf("%+v", blocks)
	}
	b.at(b.now.Add(time.Minute)).wantTake("", both)
}
