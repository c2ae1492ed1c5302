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

// cards measures from a card that is laid on the kiosk's reader to its slip. The citizen chooses at once: his time is not the hall's.
func (b *bench) cards(ctx context.Context) error {
	c := newCaller(b.demo, 1)
	defer c.close()
	events, stop, err := b.demo.Follow("kiosk")
	if err != nil {
		return err
	}
	defer stop()
	var known, printed, whole spread
	var disk syncs
	for n := range b.effort.slips {
		// A random part keeps cards from falling into step with the looks for them.
		if err := pause(ctx, cardGap+rand.N(cardLook)); err != nil {
			return err
		}
		laid := time.Now()
		if _, err := b.sim("tap-card", "--person", fmt.Sprint(1+n%citizens)); err != nil {
			return err
		}
		identity, err := identified(events)
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
		known, printed, whole = append(known, chosen.Sub(laid)), append(printed, time.Since(chosen)), append(whole, time.Since(laid))
		if _, _, err := c.post(ctx, "staff", "/api/v1/tickets/"+ticket+"/withdraw", "{}", http.StatusOK); err != nil {
			return err
		}
		sample, err := probe(b.demo.Dir, diskSample)
		if err != nil {
			return err
		}
		disk = disk.join(sample)
	}
	const target = 3 * time.Second
	limit50, limit99 := 2*slipCommits*disk.took.at(50), 2*slipCommits*disk.took.at(99)
	from := fmt.Sprintf("%d fdatasyncs: p50 %s, p99 %s", 2*slipCommits, ms(limit50), ms(limit99))
	b.report.add(row{what: fmt.Sprintf("card → slip printed (%d cards)", len(whole)), figure: whole.String(), limit: from,
		ratio: "p50 " + times(whole.at(50), limit50), target: met("p99 < 3 s", whole.at(99) < target)})
	b.report.add(row{what: "· of which card → identity at the page", figure: known.String(), limit: "looks every 300 ms: p50 150 ms, p99 300 ms",
		ratio: fmt.Sprintf("p50 %s, p99 %s", times(known.at(50), cardLook/2), times(known.at(99), cardLook)), target: "–"})
	b.report.add(row{what: "· of which queue chosen → slip printed", figure: printed.String(), limit: from, ratio: "p50 " + times(printed.at(50), limit50), target: "–"})
	return nil
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

// identified waits until the kiosk's page knows that a card was read, and gives what stands for the citizen.
func identified(events <-chan demo.Event) (identity string, err error) {
	for {
		e, err := next(events)
		if err != nil {
			return "", err
		}
		if e.Name != "input" {
			continue
		}
		var in struct{ Kind, Identity string }
		if err := json.Unmarshal([]byte(e.Data), &in); err != nil {
			return "", err
		}
		if in.Identity == "" {
			return "", fmt.Errorf("the kiosk heard of %s", in.Kind)
		}
		return in.Identity, nil
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
