package line_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// drawn is a hall in which people wait, and its windows.
type drawn struct {
	hall  *line.Hall
	posts []line.Post
	now   int64
}

func draw(rt *rapid.T) drawn {
	order := &line.Order{Weights: map[hallsync.Class]int{hallsync.Elder: rapid.IntRange(10, 1000).Draw(rt, "elder")},
		MaxWait: time.Duration(rapid.IntRange(0, 60).Draw(rt, "max_wait")) * time.Minute, PriorityRun: rapid.IntRange(0, 3).Draw(rt, "run")}
	d := drawn{hall: line.New(map[hallsync.QueueID]*line.Order{"A": order, "B": order})}
	for n := range rapid.IntRange(1, 130).Draw(rt, "people") { // more than a replay calls
		d.now += int64(rapid.IntRange(0, 600_000).Draw(rt, "gap"))
		d.hall.Insert(&line.Entry{
			ID: hallsync.TicketID(fmt.Sprint(n)), Queue: rapid.SampledFrom([]hallsync.QueueID{"A", "B"}).Draw(rt, "queue"),
			Class: rapid.SampledFrom([]hallsync.Class{hallsync.Normal, hallsync.Elder}).Draw(rt, "class"), Came: d.now, Base: d.now, Turn: uint64(n + 1),
		})
	}
	for n := range rapid.IntRange(1, 4).Draw(rt, "windows") {
		d.posts = append(d.posts, line.Post{
			Window: &line.Window{ID: hallsync.WindowID(fmt.Sprint(n)), Queues: []hallsync.QueueID{"A", "B"}}, Free: float64(rapid.IntRange(0, 900).Draw(rt, "free")),
		})
	}
	return d
}

// estimates replays the hall with services of which so many are known.
func (d drawn) estimates(median, spread float64, samples int) map[hallsync.TicketID]line.Estimate {
	out := map[hallsync.TicketID]line.Estimate{}
	pace := func(hallsync.QueueID) line.Pace { return line.Pace{Median: median, Spread: spread, Samples: samples} }
	d.hall.Replay(append([]line.Post(nil), d.posts...), d.now, pace).Run(func(e *line.Entry, when line.Estimate, _ bool) bool {
		out[e.ID] = when
		return false
	})
	return out
}

// The less is known about the services, the wider is the range that people are told; it is never less than nothing, and its middle does not
// move.
func TestEstimatesAreWiderWithLessData(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt)
		median, spread := float64(rapid.IntRange(1, 1800).Draw(rt, "median")), float64(rapid.IntRange(1, 900).Draw(rt, "spread"))
		few := rapid.IntRange(1, 19).Draw(rt, "few")
		narrow, wide := d.estimates(median, spread, 20), d.estimates(median, spread, few)
		if len(narrow) != len(wide) {
			rt.Fatalf("%d and %d are called", len(narrow), len(wide))
		}
		wider := 0
		for id, n := range narrow {
			w := wide[id]
			if n.Wait < 0 || n.Spread < 0 || n.P80() < n.Wait || w.Wait != n.Wait {
				rt.Fatalf("%s: %+v of 20, %+v of %d", id, n, w, few)
			}
			switch {
			case w.Spread < n.Spread:
				rt.Fatalf("%s: of %d services %+v is narrower than %+v of 20", id, few, w, n)
			case w.Spread > n.Spread:
				wider++
			}
		}
		if known := len(d.posts); len(narrow) > known && wider < 1 {
			rt.Fatalf("nobody of %d is told a wider range", len(narrow))
		}
	})
}

func TestOneKnownServiceIsAPace(t *testing.T) {
	for _, took := range [][]int64{{0}, {7}, {7, 7, 7}, {1, 2, 3, 4, 100}} {
		if p := line.PaceOf(took); p.Median < 1 || p.Spread < 0 || p.Samples != len(took) {
			t.Errorf("pace of %v is %+v", took, p)
		}
	}
}
