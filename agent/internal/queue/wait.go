package queue

import (
	"math"
	"time"

	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// Bounds of what is known about services and estimates, per queue.
const (
	maxServices = 20 // finished services
	maxErrors   = 50 // estimates that have come true or not
	minErrors   = 10 // of them, before one way to estimate is preferred to the other
)

// waitStep is what estimates are rounded to, in seconds: an exact minute would promise what nobody can keep.
const waitStep = 300

// usualService is taken for a queue about which nothing is known, in seconds.
const usualService = 300

// Moment is a state as it is at one time. Waits gives the forecast, which is made when it is first asked for.
type Moment struct {
	State *State
	Seq   hallsync.Seq // of the last fact
	Now   time.Time
	Waits func() *Forecast
}

// Ahead counts the people before a waiting ticket.
func (m *Moment) Ahead(id hallsync.TicketID) int { return m.State.Ahead(id, m.Now) }

// Forecast is when those who wait are likely to be called, as seen from one moment. It never changes. What is missing in it is not
// known well enough.
type Forecast struct {
	Tickets map[hallsync.TicketID]*hallsync.WaitRange
	Next    map[hallsync.QueueID]*hallsync.WaitRange // for somebody who comes now
}

// Forecast replays the order in which everybody will be called from now on.
func (s *State) Forecast(now time.Time) *Forecast {
	f := &Forecast{Tickets: map[hallsync.TicketID]*hallsync.WaitRange{}, Next: map[hallsync.QueueID]*hallsync.WaitRange{}}
	var ghosts []*line.Entry
	for i := range s.plan.Queues {
		ghosts = append(ghosts, &line.Entry{Queue: s.plan.Queues[i].ID, Class: hallsync.Normal, Base: s.age(now), Turn: s.turns + 1})
	}
	said := map[hallsync.QueueID]func(*line.Entry, line.Estimate) *hallsync.WaitRange{}
	s.lines.Replay(s.posts(now), s.age(now), s.paces(now), ghosts...).Run(func(e *line.Entry, when line.Estimate, ghost bool) bool {
		say := said[e.Queue]
		if say == nil {
			say = s.say(e.Queue, now)
			said[e.Queue] = say
		}
		if ghost {
			f.Next[e.Queue] = say(e, when)
		} else {
			f.Tickets[e.ID] = say(e, when)
		}
		return false
	})
	return f
}

// expect gives what is expected for a ticket about to be taken, and what its citizen is told.
func (s *State) expect(e *line.Entry, now time.Time) (hallsync.Expectation, *hallsync.WaitRange) {
	when, ok := s.lines.Expect(s.posts(now), s.age(now), s.paces(now), e)
	if !ok {
		return hallsync.Expectation{}, nil
	}
	told := s.say(e.Queue, now)(e, when)
	if told == nil { // nobody is told what the plan expects, so it cannot be wrong
		return hallsync.Expectation{}, nil
	}
	return hallsync.Expectation{ReplayS: int64(when.Wait), HeadS: s.lines.Head(e.Queue, s.age(now)) / 1000}, told
}

// posts gives the windows that serve now, and when each is free.
func (s *State) posts(now time.Time) (posts []line.Post) {
	for i := range s.plan.Windows {
		plan := &s.plan.Windows[i]
		w := s.windows[plan.ID]
		if w == nil || w.State != hallsync.WindowOpen {
			continue
		}
		p := line.Post{Window: s.reach(plan, s.age(now))}
		if t := s.tickets[w.Ticket]; t != nil {
			usual, _ := s.pace(t.Queue, now)
			p.Free = max(usual.Median-float64(s.age(now)-t.CalledMS)/1000, usual.Median/4)
		}
		posts = append(posts, p)
	}
	return posts
}

// say words the estimates of a queue as people see them, from P50 to P80 in steps of five minutes; nil when too little is known about
// the queue. Where the replay was worse lately, everybody is expected to wait as long in all as the first in line has waited, so who has
// waited for a while already has less before him.
func (s *State) say(q hallsync.QueueID, now time.Time) func(*line.Entry, line.Estimate) *hallsync.WaitRange {
	p, known := s.pace(q, now)
	if !known {
		return func(*line.Entry, line.Estimate) *hallsync.WaitRange { return nil }
	}
	age, likeFirst := s.age(now), s.accuracy[q].headIsBetter()
	first := s.lines.Head(q, age)
	return func(e *line.Entry, when line.Estimate) *hallsync.WaitRange {
		if likeFirst {
			when = line.Estimate{Wait: float64(first-(age-e.Base)) / 1000, Spread: p.Spread * 2}
		}
		low, high := int(max(0, when.Wait)), int(math.Ceil(when.P80()))
		return &hallsync.WaitRange{LowS: low / waitStep * waitStep, HighS: max(waitStep, (high+waitStep-1)/waitStep*waitStep)}
	}
}

// slot is an hour of the week.
func (s *State) slot(at time.Time) int {
	at = at.In(s.plan.Location)
	return int(at.Weekday())*24 + at.Hour()
}

// pace gives what is known about a queue: of today, else of this hour of the week. ok is false if that is too little to tell anybody
// about; the pace is then what the plan expects.
func (s *State) pace(q hallsync.QueueID, now time.Time) (p line.Pace, ok bool) {
	enough := max(1, s.plan.WaitSamples)
	for _, got := range [][]int64{s.services[q], s.past[q][s.slot(now)]} {
		if len(got) >= enough {
			return line.PaceOf(got), true
		}
	}
	usual := float64(usualService)
	if plan := s.plan.queue(q); plan != nil && plan.Service > 0 {
		usual = plan.Service.Seconds()
	}
	return line.Pace{Median: usual, Spread: usual / 2, Samples: enough}, false
}

// paces is pace, asked once for each queue.
func (s *State) paces(now time.Time) func(hallsync.QueueID) line.Pace {
	known := map[hallsync.QueueID]line.Pace{}
	return func(q hallsync.QueueID) line.Pace {
		p, ok := known[q]
		if !ok {
			p, _ = s.pace(q, now)
			known[q] = p
		}
		return p
	}
}

// served records how long a service took.
func (s *State) served(q hallsync.QueueID, at time.Time, took int64) {
	s.services[q] = latest(s.services[q], took, maxServices)
	if s.past[q] == nil {
		s.past[q] = map[int][]int64{}
	}
	s.past[q][s.slot(at)] = latest(s.past[q][s.slot(at)], took, maxServices)
}

// latest appends to a list of which only the newest n are kept.
func latest(list []int64, v int64, n int) []int64 {
	list = append(list, v)
	return list[max(0, len(list)-n):]
}

// accuracy is how far estimates were off, newest last, in seconds: those of the replay, and those that would have been made from the
// wait of the first in line.
type accuracy struct {
	Replay []int64 `json:"replay,omitempty"`
	Head   []int64 `json:"head,omitempty"`
}

// noteWait compares a ticket's first wait with what was expected of it. One that was named by staff says nothing about the order, not
// even when it is called again later.
func (s *State) noteWait(t *Ticket, how string, age int64) {
	expect := t.Expect
	t.Expect = hallsync.Expectation{}
	if expect == (hallsync.Expectation{}) || how != HowNext {
		return
	}
	a := s.accuracy[t.Queue]
	if a == nil {
		a = &accuracy{}
		s.accuracy[t.Queue] = a
	}
	waited := t.waited(age)
	a.Replay = latest(a.Replay, max(expect.ReplayS-waited, waited-expect.ReplayS), maxErrors)
	a.Head = latest(a.Head, max(expect.HeadS-waited, waited-expect.HeadS), maxErrors)
}

func (a *accuracy) headIsBetter() bool {
	return a != nil && len(a.Replay) >= minErrors && sum(a.Head) < sum(a.Replay)
}

func sum(v []int64) (n int64) {
	for _, x := range v {
		n += x
	}
	return n
}

// Accuracy tells how far the estimates of a queue were off on average, in seconds, over how many tickets, and whether they are made
// from the wait of the first in line because the replay was worse.
type Accuracy struct {
	ReplayS int64 `json:"replay_s"`
	HeadS   int64 `json:"head_s"`
	Samples int   `json:"samples"`
	Head    bool  `json:"head"`
}

// Accuracy tells how good the estimates of a queue are.
func (s *State) Accuracy(q hallsync.QueueID) Accuracy {
	a := s.accuracy[q]
	if a == nil || len(a.Replay) == 0 {
		return Accuracy{}
	}
	n := int64(len(a.Replay))
	return Accuracy{ReplayS: sum(a.Replay) / n, HeadS: sum(a.Head) / n, Samples: int(n), Head: a.headIsBetter()}
}
