package line

import (
	"math"
	"slices"

	"halledge/firmware-protocols/hallsync"
)

// Steps is how many calls a replay makes; who comes later is reckoned from the pace up to there.
const Steps = 100

// z80 is the 80th percentile of the normal distribution.
const z80 = 0.8416

// Pace is how long services of a queue take, in seconds: the median, the spread (a standard deviation), and of how many.
type Pace struct {
	Median, Spread float64
	Samples        int
}

// PaceOf gives the pace of services that took so many seconds each; there must be one at least.
func PaceOf(took []int64) Pace {
	sorted := slices.Sorted(slices.Values(took))
	median, slow := float64(sorted[len(sorted)/2]), float64(sorted[len(sorted)*8/10])
	return Pace{Median: max(1, median), Spread: (slow - median) / z80, Samples: len(took)}
}

// Estimate is a wait in seconds with its uncertainty, a standard deviation.
type Estimate struct{ Wait, Spread float64 }

// P80 is the wait that four of five do not exceed.
func (e Estimate) P80() float64 { return max(0, e.Wait) + z80*e.Spread }

// grown gives the estimate for so many times as many people.
func (e Estimate) grown(by float64) Estimate { return Estimate{e.Wait * by, e.Spread * math.Sqrt(by)} }

// Post is a window that serves, and in how many seconds it is free.
type Post struct {
	Window *Window
	Free   float64
}

// Replay is a hall in which time passes quickly: the windows that are open call one after the other, by the real order and with the
// median service of each queue, until nobody waits or Steps have been called. Ghosts are people who might come; they stand in line but
// take up no time.
type Replay struct {
	hall   *Hall
	posts  []Post
	age    int64
	pace   func(hallsync.QueueID) Pace
	ghosts []*Entry
	steps  int
	last   Estimate // of the last call
}

// Note is told about each call of a replay, and ends it by returning true.
type Note func(e *Entry, when Estimate, ghost bool) (enough bool)

// Replay prepares a replay that begins at a moment of the hall's clock. It takes posts for its own.
func (h *Hall) Replay(posts []Post, age int64, pace func(hallsync.QueueID) Pace, ghosts ...*Entry) *Replay {
	sim := h.clone(math.MaxInt)
	for _, g := range ghosts {
		sim.Insert(g)
	}
	return &Replay{hall: sim, posts: posts, age: age, pace: pace, ghosts: ghosts}
}

// Expect gives when somebody who is about to come would be called; ok is false if no window serves them.
func (h *Hall) Expect(posts []Post, age int64, pace func(hallsync.QueueID) Pace, newcomer *Entry) (when Estimate, ok bool) {
	sim := h.clone(Steps) // who comes later than that is reckoned anyway
	sim.Insert(newcomer)
	r := &Replay{hall: sim, posts: posts, age: age, pace: pace, ghosts: []*Entry{newcomer}}
	if r.run(func(_ *Entry, e Estimate, ghost bool) bool { when = e; return ghost }) {
		return when, true
	}
	if r.steps < Steps {
		return Estimate{}, false
	}
	return r.last.grown(float64(max(Steps, h.Ahead(newcomer, age))) / Steps), true
}

// Run tells note about everybody, in the order of their calls.
func (r *Replay) Run(note Note) {
	if r.run(note) || r.steps < Steps {
		return
	}
	var rest []*Entry
	for _, l := range r.hall.lines {
		for _, lane := range l.all() {
			rest = append(rest, lane...)
		}
	}
	slices.SortFunc(rest, byBase)
	for i, e := range rest {
		if note(e, r.last.grown(float64(r.steps+i)/float64(r.steps)), slices.Contains(r.ghosts, e)) {
			return
		}
	}
}

func (r *Replay) run(note Note) bool {
	windows := float64(len(r.posts))
	var variance, doubt float64 // of the services so far; of their medians
	for len(r.posts) > 0 && r.steps < Steps {
		i := r.earliest()
		p := &r.posts[i]
		choice := r.hall.Choose(p.Window, r.age+int64(p.Free*1000))
		e := choice.First()
		if e == nil {
			r.posts = slices.Delete(r.posts, i, i+1)
			continue
		}
		r.last = Estimate{Wait: p.Free, Spread: math.Sqrt(variance)/windows + doubt/windows}
		r.hall.Remove(e)
		ghost := slices.Contains(r.ghosts, e)
		if note(e, r.last, ghost) {
			return true
		}
		if ghost {
			continue
		}
		pace := r.pace(e.Queue)
		p.Free += pace.Median
		variance += pace.Spread * pace.Spread
		doubt += pace.Spread / math.Sqrt(float64(max(1, pace.Samples)))
		r.hall.Tally(e)
		r.steps++
	}
	return false
}

// earliest gives the window that is free first.
func (r *Replay) earliest() (first int) {
	for i := range r.posts {
		if r.posts[i].Free < r.posts[first].Free {
			first = i
		}
	}
	return first
}
