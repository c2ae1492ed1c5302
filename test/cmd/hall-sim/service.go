package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// restartAfter is the pause before a program that died is started again, as a service manager would.
const restartAfter = 200 * time.Millisecond

// service keeps one program running until it is told otherwise.
type service struct {
	name   string
	launch func(ctx context.Context) (*child, error)
	noted  func() // called after each start

	mu     sync.Mutex
	cur    *child
	wanted bool
	wake   chan struct{} // has a value after wanted became true
}

func newService(name string, launch func(ctx context.Context) (*child, error), noted func()) *service {
	return &service{name: name, launch: launch, noted: noted, wake: make(chan struct{}, 1)}
}

// start launches the program for the first time.
func (s *service) start(ctx context.Context) error {
	c, err := s.launch(ctx)
	if err != nil {
		return err
	}
	s.set(c, true)
	return nil
}

func (s *service) set(c *child, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur, s.wanted = c, wanted
}

func (s *service) now() (c *child, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur, s.wanted
}

func (s *service) pid() int {
	if c, _ := s.now(); c != nil {
		return c.cmd.Process.Pid
	}
	return 0
}

// keep starts the program again whenever it ends without having been told to. A program that cannot be started any more ends
// the demo.
func (s *service) keep(ctx context.Context) error {
	for {
		c, _ := s.now()
		select {
		case <-ctx.Done():
			return nil
		case <-c.done:
		}
		for {
			if _, wanted := s.now(); wanted {
				break
			}
			select {
			case <-ctx.Done():
				return nil
			case <-s.wake:
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartAfter):
		}
		c, err := s.launch(ctx)
		if err != nil {
			return fmt.Errorf("%s cannot be started again: %w", s.name, err)
		}
		s.mu.Lock()
		s.cur = c
		s.mu.Unlock()
		s.noted()
	}
}

// halt stops the program gracefully until resume; it also ends it for good when the demo ends.
func (s *service) halt() error {
	s.mu.Lock()
	c := s.cur
	s.wanted = false
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
