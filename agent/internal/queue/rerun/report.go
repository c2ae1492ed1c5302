package rerun

import (
	"context"
	"slices"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Figures say how people of a group waited. Waits are in seconds, by nearest rank, of those who were called.
type Figures struct {
	People   int   `json:"people"`
	MedianS  int64 `json:"median_s"`
	P80S     int64 `json:"p80_s"`
	LongestS int64 `json:"longest_s"`
	Starved  int   `json:"starved"` // waited longer than anybody of their queue should, also those who were not called
	Left     int   `json:"left"`    // were not called
}

// Group is the people of one queue and class; both are empty for everybody, and the queue for everybody of a class. Recorded is the day
// as it was, Before as it is played by the plan in force, After by the changed one.
type Group struct {
	Queue    hallsync.QueueID `json:"queue"`
	Class    hallsync.Class   `json:"class"`
	Recorded Figures          `json:"recorded"`
	Before   Figures          `json:"before"`
	After    Figures          `json:"after"`
}

// Idle is how long a window was open and had nobody while somebody waited whom it could call, in seconds.
type Idle struct {
	Window   hallsync.WindowID `json:"window"`
	Recorded int64             `json:"recorded_s"`
	Before   int64             `json:"before_s"`
	After    int64             `json:"after_s"`
}

// Report compares a day with itself under another order.
type Report struct {
	Day     string                     `json:"day"`
	Over    bool                       `json:"over"` // or the day still lasts
	Weights map[hallsync.Class]int     `json:"weights"`
	Limits  map[hallsync.QueueID]int64 `json:"limits_s"` // longer nobody should wait; without one nobody is said to starve
	All     Group                      `json:"all"`
	Classes []Group                    `json:"classes"`
	Groups  []Group                    `json:"groups"` // by queue and class
	Windows []Idle                     `json:"windows"`
	Sooner  map[hallsync.Class]int     `json:"sooner"` // called a minute sooner at least than before
	Later   map[hallsync.Class]int     `json:"later"`
	Gone    []hallsync.WindowID        `json:"gone"` // worked that day, and are not in the plan: their people wait for others
}

// Compare plays a day by a plan and by a change of it. It fails only when ctx ends.
func Compare(ctx context.Context, d *Day, plan *queue.Plan, c Change) (*Report, error) {
	changed := c.Of(plan)
	before, err := d.Play(ctx, plan)
	if err != nil {
		return nil, err
	}
	after, err := d.Play(ctx, changed)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Day: d.Date, Over: d.over, Weights: c.Weights, Limits: map[hallsync.QueueID]int64{}, Classes: []Group{}, Groups: []Group{}, Windows: []Idle{},
		Sooner: map[hallsync.Class]int{}, Later: map[hallsync.Class]int{}, Gone: []hallsync.WindowID{},
	}
	for i := range plan.Queues {
		limit := changed.Queues[i].Order.MaxWait
		if limit == 0 {
			limit = plan.Queues[i].Order.MaxWait
		}
		r.Limits[plan.Queues[i].ID] = int64(limit / time.Second)
	}
	t := tables{r.Limits, [...]*Course{&d.recorded, before, after}}
	r.All = t.group("", "")
	for _, class := range classes() {
		if g := t.group("", class); !g.empty() {
			r.Classes = append(r.Classes, g)
		}
	}
	for _, q := range t.queues(plan) {
		for _, class := range classes() {
			if g := t.group(q, class); !g.empty() {
				r.Groups = append(r.Groups, g)
			}
		}
	}
	for i := range plan.Windows {
		id := plan.Windows[i].ID
		r.Windows = append(r.Windows, Idle{id, seconds(d.recorded.Idle[id]), seconds(before.Idle[id]), seconds(after.Idle[id])})
	}
	r.moves(before, after)
	r.missing(d, plan)
	return r, nil
}

// classes gives all of them, as they are listed.
func classes() []hallsync.Class {
	return []hallsync.Class{hallsync.Normal, hallsync.Appointment, hallsync.Elder, hallsync.Priority}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (g *Group) empty() bool {
	return g.Recorded.People == 0 && g.Before.People == 0 && g.After.People == 0
}

// moves counts who would have been called at another time: the first call of each number counts.
func (r *Report) moves(before, after *Course) {
	was := map[hallsync.TicketID]Call{}
	for _, c := range slices.Backward(before.Calls) {
		was[c.Ticket] = c
	}
	seen := map[hallsync.TicketID]bool{}
	for _, c := range after.Calls {
		first, ok := was[c.Ticket]
		if !ok || seen[c.Ticket] {
			continue
		}
		seen[c.Ticket] = true
		switch later := c.Called - first.Called; {
		case later <= -time.Minute.Milliseconds():
			r.Sooner[c.Class]++
		case later >= time.Minute.Milliseconds():
			r.Later[c.Class]++
		}
	}
}

// missing notes windows that worked on the day and are gone.
func (r *Report) missing(d *Day, plan *queue.Plan) {
	for _, c := range d.recorded.Calls {
		known := slices.ContainsFunc(plan.Windows, func(w queue.WindowPlan) bool { return w.ID == c.Window })
		if !known && !slices.Contains(r.Gone, c.Window) {
			r.Gone = append(r.Gone, c.Window)
		}
	}
}

// tables makes figures of the three courses of a day.
type tables struct {
	limits  map[hallsync.QueueID]int64
	courses [3]*Course
}

// queues gives those of the plan, and those that the plan no longer has.
func (t *tables) queues(plan *queue.Plan) []hallsync.QueueID {
	var out []hallsync.QueueID
	for i := range plan.Queues {
		out = append(out, plan.Queues[i].ID)
	}
	for _, course := range t.courses {
		for _, c := range slices.Concat(course.Calls, course.Left) {
			if !slices.Contains(out, c.Queue) {
				out = append(out, c.Queue)
			}
		}
	}
	return out
}

func (t *tables) group(q hallsync.QueueID, class hallsync.Class) Group {
	g := Group{Queue: q, Class: class}
	for i, to := range [...]*Figures{&g.Recorded, &g.Before, &g.After} {
		*to = t.figures(t.courses[i], q, class)
	}
	return g
}

func (t *tables) figures(course *Course, q hallsync.QueueID, class hallsync.Class) (f Figures) {
	belongs := func(c *Call) bool { return (q == "" || c.Queue == q) && (class == "" || c.Class == class) }
	starves := func(c *Call) bool { return t.limits[c.Queue] > 0 && seconds(c.Waited()) > t.limits[c.Queue] }
	var waits []int64
	for i := range course.Calls {
		if c := &course.Calls[i]; belongs(c) {
			waits = append(waits, seconds(c.Waited()))
			if starves(c) {
				f.Starved++
			}
		}
	}
	for i := range course.Left {
		if c := &course.Left[i]; belongs(c) {
			f.Left++
			if starves(c) {
				f.Starved++
			}
		}
	}
	f.People = len(waits) + f.Left
	if len(waits) == 0 {
		return f
	}
	slices.Sort(waits)
	rank := func(percent int) int64 { return waits[(len(waits)*percent+99)/100-1] }
	f.MedianS, f.P80S, f.LongestS = rank(50), rank(80), waits[len(waits)-1]
	return f
}
