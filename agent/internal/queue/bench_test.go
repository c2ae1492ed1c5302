package queue_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// happens runs a command that must not be refused.
func happens(b *testing.B, s *queue.State, c queue.Command, now time.Time) {
	b.Helper()
	facts, err := s.Decide(c, now)
	if err != nil {
		b.Fatalf("%T: %v", c, err)
	}
	for _, f := range facts {
		s.Apply(f, now)
	}
}

// busyDay is a hall in the afternoon: 5,000 tickets were taken, 500 wait, every fiftieth was passed.
func busyDay(b *testing.B) (*queue.State, time.Time) {
	b.Helper()
	s, now := queue.New(plan()), start
	do := func(c queue.Command) { happens(b, s, c, now) }
	do(queue.TurnDay{})
	do(queue.Open{Window: "1"})
	for n := range 5000 {
		now = now.Add(5 * time.Second)
		do(queue.Take{Ticket: hallsync.TicketID(fmt.Sprintf("01J%023d", n)), Queue: "A", Channel: hallsync.AtKiosk})
		switch {
		case n < 500:
		case n%50 == 0:
			do(queue.CallNext{Window: "1"})
			do(queue.Pass{Window: "1"})
		default:
			do(queue.CallNext{Window: "1"})
		}
	}
	return s, now
}

func BenchmarkTakeOnABusyDay(b *testing.B) {
	s, now := busyDay(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decide(queue.Take{Ticket: "x", Queue: "A", Channel: hallsync.AtKiosk}, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallNextOnABusyDay(b *testing.B) {
	s, now := busyDay(b)
	now = now.Add(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decide(queue.CallNext{Window: "1"}, now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMissed is what each screen costs at each change.
func BenchmarkMissed(b *testing.B) {
	s, _ := busyDay(b)
	b.ReportAllocs()
	for b.Loop() {
		if len(s.Missed(30)) != 30 {
			b.Fatal("nobody was missed")
		}
	}
}

// BenchmarkCopy is what a failed commit costs.
func BenchmarkCopy(b *testing.B) {
	s, _ := busyDay(b)
	b.ReportAllocs()
	for b.Loop() {
		raw, err := json.Marshal(s)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := queue.Restore(plan(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

// fullHall is larger than any hall: a hundred windows, each at work, and ten thousand people who wait, a quarter with privilege.
func fullHall(b *testing.B) (*queue.State, time.Time) {
	b.Helper()
	p := plan()
	p.Queues, p.Windows = nil, nil
	for i := range 10 {
		p.Queues = append(p.Queues, queue.QueuePlan{ID: hallsync.QueueID(rune('A' + i)), Order: line.Order{
			Weights: map[hallsync.Class]int{hallsync.Elder: 150, hallsync.Priority: 200}, MaxWait: 30 * time.Minute, PriorityRun: 2,
		}})
	}
	for w := range 100 {
		wp := queue.WindowPlan{ID: hallsync.WindowID(fmt.Sprint(w + 1))}
		for i := range 4 {
			wp.Queues = append(wp.Queues, p.Queues[(w+3*i)%10].ID)
		}
		p.Windows = append(p.Windows, wp)
	}
	s, now := queue.New(p), start
	do := func(c queue.Command) { happens(b, s, c, now) }
	do(queue.TurnDay{})
	for n := range 10100 {
		now = now.Add(100 * time.Millisecond)
		c := queue.Take{Ticket: hallsync.TicketID(fmt.Sprintf("01J%023d", n)), Queue: p.Queues[n%10].ID, Channel: hallsync.AtKiosk}
		if n%4 == 0 {
			c.Class = hallsync.Elder
		}
		do(c)
	}
	for _, w := range p.Windows {
		do(queue.Open{Window: w.ID})
		do(queue.CallNext{Window: w.ID})
	}
	return s, now
}

func BenchmarkCallNextInAFullHall(b *testing.B) {
	s, now := fullHall(b)
	now = now.Add(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decide(queue.CallNext{Window: "1"}, now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkForecastOfAFullHall is what each change costs once, for all who look.
func BenchmarkForecastOfAFullHall(b *testing.B) {
	s, now := fullHall(b)
	b.ReportAllocs()
	for b.Loop() {
		if f := s.Forecast(now); len(f.Tickets) != 10000 {
			b.Fatal(len(f.Tickets))
		}
	}
}
