package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"halledge/firmware-protocols/hallsync"
	"halledge/test/demo"
)

// citizens are as many as the simulated reader has cards of. One of them does not come again until the others were there.
const citizens = 6

// A reader is asked for a card every cardLook, and sees another card at once when there was none for a while.
const (
	cardGap  = 700 * time.Millisecond
	cardLook = 300 * time.Millisecond
)

// slipCommits is how often the hall commits between a choice and its slip: the number, the slip that is being printed, the slip that
// is printed.
const slipCommits = 3

// cardTimes is what hall-sim tap-card --timed says, in Unix nanoseconds.
type cardTimes struct{ Laid, Found int64 }

// cards measures from a card that is laid on the kiosk's reader to its slip. The citizen chooses at once: his time is not the hall's.
// hall-sim and this program read the same clock.
func (b *bench) cards(ctx context.Context) error {
	c := newCaller(b.demo, 1)
	defer c.close()
	events, stop, err := b.demo.Follow("kiosk")
	if err != nil {
		return err
	}
	defer stop()
	trips, err := roundTrips(cardTrips(), b.effort.trips)
	if err != nil {
		return err
	}
	var known, own, printed, whole spread
	var disk syncs
	for n := range b.effort.slips {
		// A random part keeps cards from falling into step with the looks for them.
		if err := pause(ctx, cardGap+rand.N(cardLook)); err != nil {
			return err
		}
		tap, err := b.tap(1 + n%citizens)
		if err != nil {
			return err
		}
		identity, at, err := identified(events)
		if err != nil {
			return err
		}
		chosen := time.Now()
		ticket, err := takenFor(ctx, c, identity)
		if err == nil {
			err = slipOut(events)
		}
		if err != nil {
			return err
		}
		slip, lain := time.Since(chosen), at.Sub(time.Unix(0, tap.Laid))
		known, own = append(known, lain), append(own, at.Sub(time.Unix(0, tap.Found)))
		printed, whole = append(printed, slip), append(whole, lain+slip)
		if _, _, err := c.post(ctx, "staff", "/api/v1/tickets/"+ticket+"/withdraw", "{}", http.StatusOK); err != nil {
			return err
		}
		sample, err := probe(b.demo.Dir, diskSample)
		if err != nil {
			return err
		}
		disk = disk.join(sample)
	}
	b.addCards(cardWays{known, own, printed, whole, trips}, disk)
	return nil
}

// cardWays are the parts of the way of each card, and what as many bytes take over a bare line.
type cardWays struct{ known, own, printed, whole, trips spread }

func (b *bench) addCards(w cardWays, disk syncs) {
	const target = 3 * time.Second
	limit50, limit99 := 2*slipCommits*disk.took.at(50), 2*slipCommits*disk.took.at(99)
	from := fmt.Sprintf("%d fdatasyncs: p50 %s, p99 %s", 2*slipCommits, ms(limit50), ms(limit99))
	b.report.add(row{what: fmt.Sprintf("card → slip printed (%d cards)", len(w.whole)), figure: w.whole.String(), limit: from,
		ratio: "p50 " + times(w.whole.at(50), limit50), target: met("p99 < 3 s", w.whole.at(99) < target)})
	b.report.add(row{what: "· of which card → identity at the page", figure: w.known.String(), limit: "looks every 300 ms: p50 150 ms, p99 300 ms",
		ratio: fmt.Sprintf("p50 %s, p99 %s", times(w.known.at(50), cardLook/2), times(w.known.at(99), cardLook)), target: "–"})
	b.report.add(row{what: "· of which the reader has found the card → identity at the page", figure: w.own.String(),
		limit:  "the same bytes to and fro over a pseudo-terminal: " + w.trips.String(),
		ratio:  fmt.Sprintf("p50 %s, p99 %s", times(w.own.at(50), w.trips.at(50)), times(w.own.at(99), w.trips.at(99))),
		target: met("p99 < 20 ms", w.own.at(99) < identityWithin)})
	b.report.add(row{what: "· of which queue chosen → slip printed", figure: w.printed.String(), limit: from, ratio: "p50 " + times(w.printed.at(50), limit50), target: "–"})
}

// identityWithin is what the hall may take to know who laid a card there, once the reader has found it.
const identityWithin = 20 * time.Millisecond

// tap lays a card on the reader until it was read.
func (b *bench) tap(person int) (at cardTimes, err error) {
	out, err := b.sim("tap-card", "--timed", "--person", fmt.Sprint(person))
	if err == nil {
		err = json.Unmarshal([]byte(out), &at)
	}
	return at, err
}

// next gives the next event of the kiosk's stream.
func next(events <-chan demo.Event) (demo.Event, error) {
	select {
	case e, open := <-events:
		if !open {
			return e, errors.New("the event stream ended")
		}
		return e, nil
	case <-time.After(demo.Patience):
		return demo.Event{}, errors.New("nothing comes over the event stream")
	}
}

// identified waits until the kiosk's page knows that a card was read, and gives what stands for the citizen, and when that was.
func identified(events <-chan demo.Event) (identity string, at time.Time, err error) {
	for {
		e, err := next(events)
		if err != nil {
			return "", at, err
		}
		if e.Name != "input" {
			continue
		}
		var in struct{ Kind, Identity string }
		if err := json.Unmarshal([]byte(e.Data), &in); err != nil {
			return "", at, err
		}
		if in.Identity == "" {
			return "", at, fmt.Errorf("the kiosk heard of %s", in.Kind)
		}
		return in.Identity, e.At, nil
	}
}

func takenFor(ctx context.Context, c *caller, identity string) (ticket string, err error) {
	_, answer, err := c.post(ctx, "kiosk", "/api/v1/tickets", fmt.Sprintf(`{"queue":"A","channel":"kiosk","identity":%q}`, identity), http.StatusCreated)
	if err != nil {
		return "", err
	}
	var taken struct{ Ticket demo.Ticket }
	err = json.Unmarshal(answer, &taken)
	return taken.Ticket.ID, err
}

// slipOut waits until the slip that is being printed is out.
func slipOut(events <-chan demo.Event) error {
	for changes := 0; changes < 2; { // it is printing, it is printed
		e, err := next(events)
		if err != nil {
			return err
		}
		var fact struct{ Kind hallsync.Kind }
		if e.Name == "change" && json.Unmarshal([]byte(e.Data), &fact) == nil && fact.Kind == hallsync.KindSlipChanged {
			changes++
		}
	}
	return nil
}
