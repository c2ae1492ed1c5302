package caller

import (
	"context"
	"errors"
	"sync"

	"halledge/agent/internal/caller/hotkey"
)

// Kind says how an outcome is meant.
type Kind int

// The kinds of outcomes.
const (
	Done    Kind = iota // Answer says what came of it
	Refusal             // Err is a *Refused
	Failed              // nobody answered in time; Err says why
	Busy                // the one before is not answered yet: this press counts for nothing
	Taken               // another program has the key, or the keyboard has none
	Ready               // the keys are heard from now on
)

// Outcome is something the clerk should know.
type Outcome struct {
	Kind   Kind
	Verb   string
	Key    hotkey.Chord
	Answer Answer
	Err    error
}

// Listen is hotkey.Listen or what stands for it.
type Listen func(ctx context.Context, chords []hotkey.Chord, ev hotkey.Events) error

// Run hears the keys and sends their verbs, one at a time, until ctx ends. tell is called by several goroutines, never by two at once.
func Run(ctx context.Context, cfg *Config, listen Listen, tell func(Outcome)) error {
	a, err := newAgent(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	say := func(o Outcome) {
		mu.Lock()
		defer mu.Unlock()
		tell(o)
	}
	verbOf := map[hotkey.Chord]string{}
	var chords []hotkey.Chord
	for _, b := range cfg.Keys.Bindings() {
		verbOf[b.Key] = b.Verb
		chords = append(chords, b.Key)
	}
	pressed, working := make(chan Binding, 1), make(chan struct{}, 1) // one at a time: nothing is kept for later
	var worker sync.WaitGroup
	worker.Go(func() {
		for {
			select {
			case b := <-pressed:
				o := outcome(ctx, a, b)
				<-working
				say(o)
			case <-ctx.Done():
				return
			}
		}
	})
	err = listen(ctx, chords, hotkey.Events{
		Ready: func() { say(Outcome{Kind: Ready}) },
		Taken: func(c hotkey.Chord) { say(Outcome{Kind: Taken, Verb: verbOf[c], Key: c}) },
		Pressed: func(c hotkey.Chord) {
			b := Binding{Verb: verbOf[c], Key: c}
			select {
			case working <- struct{}{}:
				pressed <- b
			default:
				say(Outcome{Kind: Busy, Verb: b.Verb, Key: c})
			}
		},
	})
	cancel()
	worker.Wait()
	return err
}

func outcome(ctx context.Context, a *agent, b Binding) Outcome {
	o := Outcome{Verb: b.Verb, Key: b.Key}
	o.Answer, o.Err = a.do(ctx, b.Verb)
	var refused *Refused
	switch {
	case errors.As(o.Err, &refused) && !passing(refused.Status):
		o.Kind = Refusal
	case o.Err != nil:
		o.Kind = Failed
	}
	return o
}
