package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"halledge/test/demo"
)

// pressTimes is what hall-sim press --timed says, in Unix nanoseconds.
type pressTimes struct{ Pressed, Asked, Shown int64 }

// The pad ignores a second 下一位 within 300 ms, so presses are further apart; padPoll is how often the agent asks a pad.
const (
	pressGap = 350 * time.Millisecond
	padPoll  = 50 * time.Millisecond
)

// diskSample is how long the disk is probed after each press, so that its limit is of the same minute.
const diskSample = 5 * time.Millisecond

// presses measures from a finger on window 1's pad to the LED panel's far end and to a screen's event stream. hall-sim and this
// program read the same clock.
func (b *bench) presses(ctx context.Context) error {
	c := newCaller(b.demo, 1)
	defer c.close()
	if _, _, err := c.post(ctx, "staff", "/api/v1/windows/1/open", "{}", http.StatusOK); err != nil {
		return err
	}
	for range b.effort.presses {
		if _, _, err := c.post(ctx, "staff", "/api/v1/tickets", online, http.StatusCreated); err != nil {
			return err
		}
	}
	events, stop, err := b.demo.Follow("screen")
	if err != nil {
		return err
	}
	defer stop()
	calls := make(chan time.Time, 1)
	go noteCalls(events, calls)
	var m moments
	var disk syncs
	for range b.effort.presses {
		// A random part keeps presses from falling into step with the polls.
		if err := pause(ctx, pressGap+rand.N(padPoll)); err != nil {
			return err
		}
		p, seen, err := b.press(calls)
		if err != nil {
			return err
		}
		m.add(p, seen)
		sample, err := probe(b.demo.Dir, diskSample)
		if err != nil {
			return err
		}
		disk = disk.join(sample)
		if _, _, err := c.post(ctx, "staff", "/api/v1/windows/1/finish", "{}", http.StatusOK); err != nil {
			return err
		}
	}
	b.addPresses(m, disk)
	return nil
}

// moments are the parts of the way of each press.
type moments struct{ poll, panel, screen, ownPanel, ownScreen spread }

func (m *moments) add(p pressTimes, seen time.Time) {
	pressed, asked := time.Unix(0, p.Pressed), time.Unix(0, p.Asked)
	m.poll = append(m.poll, asked.Sub(pressed))
	m.panel = append(m.panel, time.Duration(p.Shown-p.Pressed))
	m.ownPanel = append(m.ownPanel, time.Duration(p.Shown-p.Asked))
	m.screen = append(m.screen, seen.Sub(pressed))
	m.ownScreen = append(m.ownScreen, seen.Sub(asked))
}

// noteCalls passes on when each call was seen.
func noteCalls(events <-chan demo.Event, calls chan<- time.Time) {
	defer close(calls)
	for e := range events {
		if e.Name == "change" && strings.Contains(e.Data, `"kind":"ticket.called"`) {
			calls <- time.Now()
		}
	}
}

// press presses 下一位 and waits for both ends.
func (b *bench) press(calls <-chan time.Time) (p pressTimes, seen time.Time, err error) {
	out, err := b.sim("press", "next", "--timed")
	if err == nil {
		err = json.Unmarshal([]byte(out), &p)
	}
	if err != nil {
		return p, seen, err
	}
	select {
	case at, open := <-calls:
		if !open {
			return p, seen, errors.New("the event stream ended")
		}
		return p, at, nil
	case <-time.After(demo.Patience):
		return p, seen, errors.New("the call did not reach the event stream")
	}
}

func (b *bench) addPresses(m moments, disk syncs) {
	add := func(what string, took spread, limit50, limit99 time.Duration, from, target string) {
		b.report.add(row{
			what: what, figure: took.String(), limit: fmt.Sprintf("%s: p50 %s, p99 %s", from, ms(limit50), ms(limit99)),
			ratio: fmt.Sprintf("p50 %s, p99 %s", times(took.at(50), limit50), times(took.at(99), limit99)), target: target,
		})
	}
	n := fmt.Sprintf(" (%d presses)", len(m.panel))
	commit50, commit99 := 2*disk.took.at(50), 2*disk.took.at(99)
	whole50, whole99 := padPoll/2+commit50, padPoll+commit99
	add("press → change event at a screen"+n, m.screen, whole50, whole99, "the pad's poll and 2 fdatasyncs",
		met("p99 < 100 ms", m.screen.at(99) < 100*time.Millisecond))
	add("· of which the pad waits for its poll", m.poll, padPoll/2, padPoll, "polls every 50 ms", "–")
	add("· of which ours, poll → event", m.ownScreen, commit50, commit99, "2 fdatasyncs", "–")
	add("press → frame at the LED panel"+n, m.panel, whole50, whole99, "the pad's poll and 2 fdatasyncs", "–")
	add("· of which ours, poll → frame", m.ownPanel, commit50, commit99, "2 fdatasyncs", "–")
}
