package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"halledge/test/demo"
)

// victim is the agent: killed again and again, and started again by hall-sim each time.
type victim struct {
	demo *demo.Demo

	mu     sync.Mutex
	pid    int
	up     chan struct{} // closed while the agent lives
	life   int           // counts its lives
	left   int           // steps until it is killed
	delay  time.Duration // and then this much longer
	killed chan error    // has the outcome of the kill; nil while none is ordered
}

func newVictim(d *demo.Demo) *victim {
	v := &victim{demo: d, pid: d.Agent.PID, up: make(chan struct{})}
	close(v.up)
	return v
}

// alive waits until the agent lives and gives the number of that life.
func (v *victim) alive(ctx context.Context) (life int, err error) {
	for {
		v.mu.Lock()
		up, life := v.up, v.life
		v.mu.Unlock()
		select {
		case <-up:
			return life, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// died reports whether that life is over.
func (v *victim) died(life int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.up:
		return v.life != life
	default:
		return true
	}
}

// step counts one thing that happened: a request is about to be sent, or was answered. The last step before a kill kills here
// and now, while the others that were committed together with this one have their answers still to come.
func (v *victim) step() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.killed == nil {
		return
	}
	if v.left--; v.left > 0 {
		return
	}
	killed := v.killed
	v.killed = nil
	if v.delay == 0 {
		killed <- v.kill()
		return
	}
	time.AfterFunc(v.delay, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		killed <- v.kill()
	})
}

// kill is called with mu held.
func (v *victim) kill() error {
	v.up = make(chan struct{})
	return syscall.Kill(v.pid, syscall.SIGKILL)
}

// A kill comes after some steps; every other one is late by as much as a command takes, so that kills fall between its arrival,
// its commit and its answer.
const (
	maxSteps = 120
	maxDelay = 6 * time.Millisecond
)

// order orders a kill at a moment drawn from rng.
func (v *victim) order(rng *rand.Rand) <-chan error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.killed, v.left, v.delay = make(chan error, 1), 1+rng.IntN(maxSteps), 0
	if rng.IntN(2) == 0 {
		v.delay = time.Duration(rng.Int64N(int64(maxDelay)))
	}
	return v.killed
}

// killOnce lets the agent work for a while, kills it and waits until it is back. It fails when nothing moves any more.
func (v *victim) killOnce(t *testing.T, rng *rand.Rand) {
	t.Helper()
	select {
	case err := <-v.order(rng):
		if err != nil {
			t.Fatalf("kill the agent: %v", err)
		}
	case <-time.After(demo.Patience):
		t.Fatal("the clients stand still")
	}
	now := demo.Demo{Dir: v.demo.Dir} // one of our own: the clients read the other
	demo.Until(t, demo.Patience, "the agent is back", func() error {
		err := now.Reload() // hall-sim writes demo.json anew whenever it starts a program again
		if err == nil && now.Agent.PID == v.pid {
			err = fmt.Errorf("demo.json still names %d", v.pid)
		}
		if err == nil {
			err = now.Ready(now.Agent.URL)
		}
		return err
	})
	v.revive(now.Agent.PID)
}

func (v *victim) revive(pid int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pid = pid
	v.life++
	close(v.up)
}
