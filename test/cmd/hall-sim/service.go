package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"
)

// restartAfter is the pause before a program that died is started again, as a service manager would.
const restartAfter = 200 * time.Millisecond

// service keeps one program running until it is told otherwise.
type service struct {
	name   string
	launch func(ctx context.Context, begun func(*child)) error // returns when the program is ready
	noted  func()                                              // called when the program runs again as another process

	mu     sync.Mutex
	cur    *child
	wanted bool
	halts  int           // how often it was told to stop
	wake   chan struct{} // has a value after wanted became true
}

func newService(name string, launch func(ctx context.Context, begun func(*child)) error, noted func()) *service {
	return &service{name: name, launch: launch, noted: noted, wake: make(chan struct{}, 1)}
}

// start launches the program for the first time.
func (s *service) start(ctx context.Context) error {
	s.mu.Lock()
	s.wanted = true
	s.mu.Unlock()
	return s.launch(ctx, s.set)
}

func (s *service) set(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur = c
}

func (s *service) now() (c *child, wanted bool, halts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur, s.wanted, s.halts
}

func (s *service) pid() int {
	if c, _, _ := s.now(); c != nil {
		return c.cmd.Process.Pid
	}
	return 0
}

// keep starts the program again whenever it ends without having been told to. A program that cannot be started any more ends
// the demo.
func (s *service) keep(ctx context.Context) error {
	for {
		c, _, _ := s.now()
		select {
		case <-ctx.Done():
			return nil
		case <-c.done:
		}
		if !s.awaitWanted(ctx) {
			return nil
		}
		_, _, before := s.now()
		err := s.launch(ctx, func(c *child) {
			s.set(c)
			s.noted()
		})
		if _, _, halts := s.now(); err != nil && halts == before && !killed(err) && ctx.Err() == nil {
			return fmt.Errorf("%s cannot be started again: %w", s.name, err)
		}
	}
}

// killed reports whether a signal ended the program: who kills it while it starts wants to see it start again.
func killed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && !exit.Exited()
}

// awaitWanted waits until the program should run, and then the pause. It gives false if ctx ended first.
func (s *service) awaitWanted(ctx context.Context) bool {
	for {
		if _, wanted, _ := s.now(); wanted {
			break
		}
		select {
		case <-ctx.Done():
			return false
		case <-s.wake:
		}
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(restartAfter):
		return true
	}
}

// halt stops the program gracefully until resume; it also ends it for good when the demo ends.
func (s *service) halt() error {
	s.mu.Lock()
	c := s.cur
	s.wanted = false
	s.halts++
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.stop()
}

func (s *service) resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted {
		return errors.New(s.name + " runs already")
	}
	s.wanted = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}
