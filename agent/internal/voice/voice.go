// Package voice calls citizens aloud. A speaker says what the hall's state has to say now, not a list of the past: whenever it is free
// it takes the one call that is due most. So nothing is said that was not stored, a call that came to nothing is not said at all,
// and a speaker that is dead or slow holds up neither the hall nor another speaker.
package voice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Hall is what the announcer reads.
type Hall interface {
	Look(func(m queue.Moment))
	Watch() (dirty <-chan struct{}, cancel func())
}

// Zone is one speaker and the windows it calls for; none: all.
type Zone struct {
	Name    string
	Speaker device.Speaker
	Windows []hallsync.WindowID
}

// Options of New; all but Zones are required.
type Options struct {
	Hall   Hall
	Zones  []Zone
	Rules  func() config.Voice // those in force
	Sounds *Sounds
	Log    *slog.Logger
}

// Announcer lets each zone's speaker say the calls.
type Announcer struct {
	opts Options

	mu   sync.Mutex
	mute map[string]string // speakers that cannot say calls at all → why
}

// New prepares an announcer.
func New(o Options) *Announcer { return &Announcer{opts: o, mute: map[string]string{}} }

const (
	retryAfter = 2 * time.Second  // before a speaker that failed is tried again
	sayWithin  = 90 * time.Second // longer than any sentence; devices have watchdogs of their own
	lookAt     = 32               // latest calls that are looked at: as many as the hall remembers
	restarts   = 15 * time.Second // a call that was made longer before the program began was said by the one before it
	maxRecalls = 3                // in a row while somebody waits to be called for the first time
	pressing   = 6                // a call that has waited for this part of its time is said before another is repeated
)

// Mute names the speakers that cannot say calls though they work, and why: no clips, no program that speaks, a text the module
// refuses.
func (a *Announcer) Mute() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[string]string, len(a.mute))
	for name, why := range a.mute {
		out[name] = why
	}
	return out
}

// Run announces until ctx ends.
func (a *Announcer) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, z := range a.opts.Zones {
		wg.Go(func() { a.serve(ctx, z) })
	}
	wg.Wait()
	<-ctx.Done()
	return ctx.Err()
}

// call is one call that is to be said.
type call struct {
	queue.Call
	serial   string
	age      time.Duration
	sentence Sentence
	volume   int
}

func (a *Announcer) serve(ctx context.Context, z Zone) {
	dirty, cancel := a.opts.Hall.Watch()
	defer cancel()
	said := a.earlier() // serial of each ticket's last call that is done with
	recalls := 0        // since the last fresh call
	for {
		var again <-chan time.Time
		if line := a.line(z, said); len(line) > 0 {
			c := turn(line, recalls)
			said[c.Ticket] = c.serial
			err := a.announce(ctx, z, c, func() bool { return a.pressed(z, said) })
			if !a.failed(ctx, z, c, err) {
				if recalls++; c.Times <= 1 {
					recalls = 0
				}
				continue
			}
			delete(said, c.Ticket)
			again = time.After(retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-dirty:
		case <-again:
		}
	}
}

// earlier gives the calls that were made so long before the program began that the one before it has said them.
func (a *Announcer) earlier() map[hallsync.TicketID]string {
	said := map[hallsync.TicketID]string{}
	a.opts.Hall.Look(func(m queue.Moment) {
		for _, c := range m.State.Calls(lookAt) {
			if m.Now.Sub(c.At) > restarts {
				said[c.Ticket] = serialOf(c)
			}
		}
	})
	return said
}

// line gives the calls that a zone should say, in that order: recalls before fresh calls, then the oldest first. What is too old, or
// falls into silent hours, is done with.
func (a *Announcer) line(z Zone, said map[hallsync.TicketID]string) (out []call) {
	r := a.opts.Rules()
	oldest := time.Duration(r.MaxAgeS) * time.Second
	a.opts.Hall.Look(func(m queue.Moment) {
		volume := VolumeAt(r, m.Now.In(m.State.Plan().Location))
		current := map[hallsync.TicketID]bool{}
		for _, c := range m.State.Calls(lookAt) {
			current[c.Ticket] = true
			serial, age := serialOf(c), m.Now.Sub(c.At)
			if said[c.Ticket] == serial || !z.covers(c.Window) || !waited(m.State, c) {
				continue
			}
			if volume == 0 || age > oldest {
				said[c.Ticket] = serial
				a.opts.Log.Info("call not spoken", "zone", z.Name, "number", c.Number, "silent_hours", volume == 0)
				continue
			}
			out = append(out, call{Call: c, serial: serial, age: age, sentence: SentenceOf(m.State, c.Number, c.Window), volume: volume})
		}
		for id := range said {
			if !current[id] {
				delete(said, id)
			}
		}
	})
	slices.SortFunc(out, inTurn)
	return out
}

// pressed reports whether somebody has waited so long to be called aloud that nobody may be called twice before.
func (a *Announcer) pressed(z Zone, said map[hallsync.TicketID]string) bool {
	longest := time.Duration(a.opts.Rules().MaxAgeS) * time.Second / pressing
	return slices.ContainsFunc(a.line(z, said), func(c call) bool { return c.age > longest })
}

// serialOf tells one call of a ticket from another.
func serialOf(c queue.Call) string { return fmt.Sprint(c.Times, "/", c.At.UnixMilli()) }

func (z Zone) covers(w hallsync.WindowID) bool {
	return len(z.Windows) == 0 || slices.Contains(z.Windows, w)
}

// waited reports whether somebody who was called has not come yet.
func waited(s *queue.State, c queue.Call) bool {
	t, ok := s.Ticket(c.Ticket)
	return ok && t.State == hallsync.Called
}

// inTurn orders two calls: a person who was called in vain already goes first.
func inTurn(a, b call) int {
	if again, other := a.Times > 1, b.Times > 1; again != other {
		if again {
			return -1
		}
		return 1
	}
	return cmp.Or(a.At.Compare(b.At), strings.Compare(string(a.Ticket), string(b.Ticket)))
}

// turn gives the call to say next: the first, unless so many people were called again that one who has not been called aloud yet would be
// kept waiting until it is too late.
func turn(line []call, recalls int) call {
	if recalls >= maxRecalls {
		if i := slices.IndexFunc(line, func(c call) bool { return c.Times <= 1 }); i > 0 {
			return line[i]
		}
	}
	return line[0]
}

// VolumeAt is how loud calls are at an instant of the hall's zone, in percent; 0: they are not spoken. Hours that do not parse were
// refused by the configuration.
func VolumeAt(r config.Voice, now time.Time) int {
	for _, h := range r.Hours {
		if span, ok := config.ParseSpan(h.At); ok && span.Holds(now) {
			return h.Volume
		}
	}
	return r.Volume
}

// announce says a call as often and in as many languages as the rules want, but once when others are pressing. A language that the
// speaker does not have is passed over, as long as it has another.
func (a *Announcer) announce(ctx context.Context, z Zone, c call, pressed func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, sayWithin)
	defer cancel()
	r := a.opts.Rules()
	heard := false
	var lacks error
	for round := range r.Repeat {
		if round > 0 && pressed() {
			break
		}
		for _, language := range r.Languages {
			err := z.Speaker.Say(ctx, a.said(c, language, r.Rate))
			var e *device.Error
			switch {
			case err == nil:
				heard = true
			case errors.As(err, &e) && e.Code == device.CodeUnsupported:
				lacks = err
			case heard: // saying all of it again would keep the next call waiting
				a.opts.Log.Warn("call only partly spoken", "zone", z.Name, "number", c.Number, "language", language, "error", err)
				return nil
			default:
				return err
			}
		}
	}
	if heard {
		return nil
	}
	return lacks
}

// said is a call in one language. Only a speaker that cannot speak by itself asks for the sound.
func (a *Announcer) said(c call, language string, rate int) device.Announcement {
	return device.Announcement{
		ID: string(c.Ticket) + "/" + c.serial, Text: c.sentence.Full, Language: language, Volume: c.volume, Rate: rate,
		Sound: func(ctx context.Context) ([]byte, error) { return a.opts.Sounds.WAV(ctx, c.sentence, language, rate) },
	}
}

// failed reports whether a call must be tried again, and remembers speakers that cannot say it at all.
func (a *Announcer) failed(ctx context.Context, z Zone, c call, err error) (again bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var e *device.Error
	switch {
	case err == nil:
		delete(a.mute, z.Name)
		a.opts.Log.Debug("call spoken", "zone", z.Name, "number", c.Number, "times", c.Times)
		return false
	case ctx.Err() != nil:
		return true
	case errors.As(err, &e) && !e.Retry && z.Speaker.Health().State != device.Unusable:
		if a.mute[z.Name] == "" {
			a.opts.Log.Warn("speaker cannot say calls", "zone", z.Name, "error", err)
		}
		a.mute[z.Name] = err.Error()
		return false
	}
	a.opts.Log.Debug("call not spoken yet", "zone", z.Name, "number", c.Number, "error", err)
	return true
}
