package view

import (
	"slices"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Figures are the day so far in numbers, of the hall, of a queue or of a window: 日报. Each number of the day is in one of Served, Missed,
// Withdrawn, Abandoned and Open, by what it is now; so they add up to Taken. A ticket counts for the queue it is in, or was last, and for
// the window that called it last.
type Figures struct {
	Taken     int                    `json:"taken"`     // numbers given; of a window: called there
	Served    int                    `json:"served"`    // 办结
	Missed    int                    `json:"missed"`    // 过号, and not back
	Withdrawn int                    `json:"withdrawn"` // 退号
	Abandoned int                    `json:"abandoned"` // 弃号
	Open      int                    `json:"open"`      // not over yet, or when the day closed
	Wait      *Spread                `json:"wait"`      // from the number to its call; null while there is none
	Serve     *Spread                `json:"serve"`     // from the call to the end; null while there is none
	Ratings   map[hallsync.Grade]int `json:"ratings"`   // all five grades
	Unrated   int                    `json:"unrated"`   // asked, and did not rate
}

// Spread is how long something took, in seconds.
type Spread struct {
	P50S    int64 `json:"p50_s"`
	P80S    int64 `json:"p80_s"`
	Samples int   `json:"samples"`
}

// tally gathers Figures.
type tally struct {
	Figures
	wait, serve []int64
}

func newTally() *tally {
	t := &tally{}
	t.Ratings = map[hallsync.Grade]int{}
	for _, g := range []hallsync.Grade{hallsync.VerySatisfied, hallsync.Satisfied, hallsync.Fair, hallsync.Dissatisfied, hallsync.VeryDissatisfied} {
		t.Ratings[g] = 0
	}
	return t
}

func (c *tally) add(t *queue.Ticket) {
	c.Taken++
	switch t.State {
	case hallsync.Done:
		c.Served++
		c.serve = seconds(c.serve, t.CalledAt, t.FinishedAt)
	case hallsync.Passed:
		c.Missed++
	case hallsync.Withdrawn:
		c.Withdrawn++
	case hallsync.Abandoned:
		c.Abandoned++
	default:
		c.Open++
	}
	if !t.CalledAt.IsZero() {
		c.wait = seconds(c.wait, t.TakenAt, t.CalledAt)
	}
	switch {
	case t.Rated != "":
		c.Ratings[t.Rated]++
	case t.Unrated != "":
		c.Unrated++
	}
}

// seconds appends how long something took, unless a clock that was set in between makes it less than nothing.
func seconds(list []int64, from, to time.Time) []int64 {
	if d := to.Sub(from); d >= 0 {
		return append(list, int64(d/time.Second))
	}
	return list
}

func (c *tally) figures() Figures {
	c.Wait, c.Serve = spreadOf(c.wait), spreadOf(c.serve)
	return c.Figures
}

// spreadOf gives the median and the 80th percentile of a list by nearest rank; nil if it is empty. It sorts the list.
func spreadOf(list []int64) *Spread {
	if len(list) == 0 {
		return nil
	}
	slices.Sort(list)
	rank := func(percent int) int64 { return list[(len(list)*percent+99)/100-1] }
	return &Spread{P50S: rank(50), P80S: rank(80), Samples: len(list)}
}
