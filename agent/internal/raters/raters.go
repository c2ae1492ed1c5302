// Package raters gives the rating devices of windows: each asks about the service that has just ended at its window, as the tablet's page
// does, and what is pressed becomes a rating. Nobody answered is a fact of its own, never a grade.
package raters

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

const (
	patience   = 30 * time.Second // for an answer
	retryAfter = 2 * time.Second  // when the device did not ask, or the answer was not stored
)

// Hall is what raters read and order.
type Hall interface {
	Look(func(m queue.Moment))
	Watch() (dirty <-chan struct{}, cancel func())
	Do(ctx context.Context, c queue.Command) ([]hallsync.Payload, error)
}

// Asks tells when somebody at a window wants the citizen asked once more.
type Asks interface {
	Watch() (dirty <-chan struct{}, cancel func())
	// Newest is the number of the last time, and the ticket that it was wanted for, empty for none.
	Newest() (n uint64, ticket hallsync.TicketID)
}

// Rater is one device and its window.
type Rater struct {
	Name   string
	Device device.RatingPad
	Window hallsync.WindowID
	Again  Asks
}

// Desk runs the rating devices of a hall.
type Desk struct {
	hall   Hall
	raters []Rater
	log    *slog.Logger
}

// New prepares the rating devices.
func New(hall Hall, raters []Rater, log *slog.Logger) *Desk {
	return &Desk{hall: hall, raters: raters, log: log}
}

// Run serves until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, r := range d.raters {
		all.Go(func() { d.serve(ctx, r) })
	}
	all.Wait()
	<-ctx.Done()
	return ctx.Err()
}

// asking is what one device is about.
type asking struct {
	*Desk
	Rater
	changed, wanted <-chan struct{}
	tag             uint16            // of the last question
	again           uint64            // the last time that somebody wanted a ticket asked about once more and it was
	told            hallsync.TicketID // the log was told that it could not be asked about
}

func (d *Desk) serve(ctx context.Context, r Rater) {
	changed, cancel := d.hall.Watch()
	defer cancel()
	wanted, ignore := r.Again.Watch()
	defer ignore()
	a := &asking{Desk: d, Rater: r, changed: changed, wanted: wanted}
	a.again, _ = r.Again.Newest()
	for ctx.Err() == nil {
		var retry <-chan time.Time
		if t, wish, due := a.due(); due {
			if a.ask(ctx, t) {
				a.again = wish
				continue
			}
			retry = time.After(retryAfter)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-wanted:
		case <-retry:
		}
	}
}

// due gives the ticket to ask about now, and the last time that somebody wanted it: of the service that ended last, once, and again if the
// window wants it.
func (a *asking) due() (t queue.Ticket, wish uint64, due bool) {
	wish, wanted := a.Again.Newest()
	a.hall.Look(func(m queue.Moment) { t, due = m.State.ToRate(a.Window, m.Now) })
	return t, wish, due && (t.Unrated == "" || t.ID == wanted && wish > a.again)
}

// ask asks about a ticket until somebody answers or the window has called somebody else. It gives false when nothing came of it that can
// be told, and it should be tried again.
func (a *asking) ask(ctx context.Context, t queue.Ticket) (done bool) {
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	if a.tag++; a.tag == 0 {
		a.tag = 1
	}
	prompt := "请您评价"
	if t.Staff != "" {
		prompt = "工号" + string(t.Staff) + "为您服务"
	}
	var (
		rating device.Rating
		err    error
	)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		rating, err = a.Device.Ask(asked, device.RatingRequest{Session: a.tag, Prompt: prompt, Timeout: patience})
	}()
	next := a.await(asked, t.ID, answered)
	cancel()
	<-answered
	return a.settle(ctx, t, next, rating, err)
}

// await waits for the answer. It gives true when the question is over before: the window has called somebody else, or the citizen has
// rated on a phone.
func (a *asking) await(ctx context.Context, id hallsync.TicketID, answered <-chan struct{}) (over bool) {
	for {
		select {
		case <-answered:
			return false
		case <-ctx.Done():
			return false
		case <-a.changed:
			a.hall.Look(func(m queue.Moment) {
				t, still := m.State.ToRate(a.Window, m.Now)
				over = !still || t.ID != id
			})
			if over {
				return true
			}
		}
	}
}

// settle stores what came of a question.
func (a *asking) settle(ctx context.Context, t queue.Ticket, next bool, rating device.Rating, err error) (done bool) {
	by := hallsync.By{Kind: "kiosk", ID: a.Name} // a machine for citizens
	var (
		c  queue.Command
		de *device.Error
	)
	grade, known := grades()[rating.Stars]
	switch {
	case ctx.Err() != nil: // the program ends; it asks again when it is back
		return true
	case err == nil && known:
		c = queue.Rate{Ticket: t.ID, Grade: grade, By: by}
	case next:
		c = queue.LeaveUnrated{Ticket: t.ID, Why: hallsync.UnratedNextCall, By: by}
	case errors.As(err, &de) && de.Code == device.CodeTimeout:
		c = queue.LeaveUnrated{Ticket: t.ID, Why: hallsync.UnratedTimeout, By: by}
	default:
		if a.told != t.ID {
			a.told = t.ID
			a.log.Info("rating device did not ask", "device", a.Name, "stars", rating.Stars, "error", err)
		}
		return false
	}
	_, err = a.hall.Do(ctx, c)
	var refusal *queue.Refusal
	if errors.As(err, &refusal) && refusal.Code == queue.AlreadyRated { // elsewhere, meanwhile
		return true
	}
	if err != nil {
		a.log.Warn("rating not stored", "device", a.Name, "error", err)
	}
	return err == nil
}

// grades gives the words for a device's stars.
func grades() map[int]hallsync.Grade {
	return map[int]hallsync.Grade{
		1: hallsync.VeryDissatisfied, 2: hallsync.Dissatisfied, 3: hallsync.Fair, 4: hallsync.Satisfied, 5: hallsync.VerySatisfied,
	}
}
