// Package supervise keeps the parts of a program running: each is a function that should not return, and is started again when it
// does or panics, after a pause of its own. One part's failure neither ends the program nor holds up another part. At the end the
// parts stop one after the other, last started first, and a part that does not stop is left behind after its time.
//
// It is not built on thejerf/suture: there the back-off belongs to the supervisor, so one part that fails often delays the restart
// of all, and stopping is one signal to everybody with one common time-out, without an order.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// defaultStop is how long a part may take to stop.
const defaultStop = 10 * time.Second

// Part is one piece of the program.
type Part struct {
	Name string
	// Run works until ctx ends. What it returns before that, nil too, is a failure.
	Run func(ctx context.Context) error
	// StopWithin is the longest wait for Run to return at the end; 0 means 10 s.
	StopWithin time.Duration
}

// Group runs parts. It is run once.
type Group struct {
	log   *slog.Logger
	parts []*part
}

// New makes a group whose parts start in the order given and stop in the opposite one.
func New(log *slog.Logger, parts ...Part) *Group {
	g := &Group{log: log}
	for _, p := range parts {
		if p.StopWithin == 0 {
			p.StopWithin = defaultStop
		}
		g.parts = append(g.parts, newPart(p, log.With("part", p.Name)))
	}
	return g
}

// Run runs the parts until ctx ends and every part has stopped or used up its time. The error names those that did not stop,
// whose goroutines are still there; it is nil when all stopped.
func (g *Group) Run(ctx context.Context) error {
	for _, p := range g.parts {
		p.start(context.WithoutCancel(ctx))
	}
	<-ctx.Done()
	var stuck []error
	for _, p := range slices.Backward(g.parts) {
		if !p.stop() {
			g.log.Error("part does not stop", "part", p.Name, "waited", p.StopWithin)
			stuck = append(stuck, fmt.Errorf("%s did not stop within %v", p.Name, p.StopWithin))
		}
	}
	return errors.Join(stuck...)
}

// States gives the condition of every part, in the order of New.
func (g *Group) States() []State {
	states := make([]State, len(g.parts))
	for i, p := range g.parts {
		states[i] = p.get()
	}
	return states
}
