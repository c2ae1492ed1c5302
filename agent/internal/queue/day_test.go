package queue_test

import (
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/admit"
	"halledge/firmware-protocols/hallsync"
)

// lunch is a hall whose first window rests from noon on with somebody waiting, and half an hour has gone by.
func lunch(t *testing.T, hours []admit.Span, day time.Time) *bench {
	t.Helper()
	p := plan()
	p.EndAfter, p.EndFrom = 30*time.Minute, 17*time.Hour
	for i := range p.Queues {
		p.Queues[i].Hours = hours
	}
	b := &bench{t: t, s: queue.New(p), now: day.Add(9 * time.Hour)}
	b.must(queue.TurnDay{})
	b.must(queue.Open{Window: "1"})
	b.must(queue.Take{Ticket: "w", Queue: "A", Channel: hallsync.AtDesk, Override: "加班"})
	b.at(day.Add(12 * time.Hour)).must(queue.Close{Window: "1"})
	return b.after(31 * time.Minute)
}

func TestTheHallHasNotGoneHomeAtLunch(t *testing.T) {
	workdays := [7]bool{false, true, true, true, true, true, false}
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, start.Location())
	morning := []admit.Span{{Days: workdays, From: 8 * time.Hour, To: 11*time.Hour + 30*time.Minute}}
	for name, b := range map[string]*bench{
		"a Saturday opened by staff":    lunch(t, morning, monday.AddDate(0, 0, 5)),
		"numbers in the mornings alone": lunch(t, morning, monday),
	} {
		if facts := b.must(queue.EndDay{}); len(facts) > 0 {
			t.Errorf("%s: at lunch %+v", name, facts)
		}
		b.at(b.now.Truncate(time.Hour).Add(5*time.Hour + 29*time.Minute)).must(queue.EndDay{}) // 17:29
		if got := b.ticket("w").State; got != hallsync.Waiting {
			t.Errorf("%s: before the end of the day the ticket is %s", name, got)
		}
		b.after(time.Minute).must(queue.EndDay{})
		if got := b.ticket("w").State; got != hallsync.Closed {
			t.Errorf("%s: in the evening the ticket is %s", name, got)
		}
	}
}

// Somebody still works after all: who was sent home by mistake waits on at the old place.
func TestAClosedTicketIsReopenedTheSameDay(t *testing.T) {
	b := lunch(t, []admit.Span{{Days: [7]bool{1: true}, From: 8 * time.Hour, To: 17 * time.Hour}}, time.Date(2026, 3, 2, 0, 0, 0, 0, start.Location()))
	b.at(start.Add(9 * time.Hour)).must(queue.EndDay{})
	b.must(queue.Open{Window: "1"})
	b.must(queue.Open{Window: "3"})
	b.must(queue.Take{Ticket: "later", Queue: "A", Channel: hallsync.AtDesk, Override: "加班"})
	b.refused(queue.Reopen{Window: "1", Ticket: "w"}, queue.ReasonRequired)
	b.refused(queue.Reopen{Window: "3", Ticket: "w", Reason: "还在办"}, queue.WindowNotEntitled)
	b.must(queue.Reopen{Window: "1", Ticket: "w", Reason: "还在办"})
	if c := b.next("1"); c.Ticket != "w" {
		t.Errorf("called %s", c.Number)
	}
	b.at(start.AddDate(0, 0, 1)).must(queue.TurnDay{})
	b.must(queue.Open{Window: "1"})
	b.refused(queue.Reopen{Window: "1", Ticket: "w", Reason: "还在办"}, queue.UnknownTicket)
}
