package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"
)

// moments says when things happened at the devices after a key was pressed, for measurements from outside.
type moments struct {
	mu    sync.Mutex
	now   pressTimes
	shown chan struct{} // closed when the panel has changed; nil while nobody measures
}

// pressTimes are Unix times in nanoseconds: the press, the first thing the pad heard from the agent after it, and the frame that
// changed the panel.
type pressTimes struct {
	Pressed int64 `json:"pressed"`
	Asked   int64 `json:"asked"`
	Shown   int64 `json:"shown"`
}

// tapTimes are Unix times in nanoseconds: the card was laid on the reader, the reader told the agent that one is there.
type tapTimes struct {
	Laid  int64 `json:"laid"`
	Found int64 `json:"found"`
}

// begin starts a measurement.
func (m *moments) begin() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now, m.shown = pressTimes{Pressed: time.Now().UnixNano()}, make(chan struct{})
	return m.shown
}

// asked notes that the agent spoke to the pad.
func (m *moments) asked() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shown != nil && m.now.Asked == 0 {
		m.now.Asked = time.Now().UnixNano()
	}
}

// changed notes that the panel shows something else.
func (m *moments) changed([]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shown != nil {
		m.now.Shown = time.Now().UnixNano()
		close(m.shown)
		m.shown = nil
	}
}

func (m *moments) times() pressTimes {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// listening passes on what is read and says that something was.
type listening struct {
	io.ReadWriter
	heard func()
}

func (l listening) Read(b []byte) (int, error) {
	n, err := l.ReadWriter.Read(b)
	if n > 0 {
		l.heard()
	}
	return n, err
}

// showWait is how long a key may take to change the panel.
const showWait = 10 * time.Second

// timedPress presses a key and gives as JSON when it happened and when the panel changed.
func (s *station) timedPress(ctx context.Context, r pressRequest) (string, error) {
	shown := s.moments.begin()
	if err := s.press(r); err != nil {
		return "", err
	}
	select {
	case <-shown:
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(showWait):
		return "", errors.New("the panel did not change")
	}
	raw, err := json.Marshal(s.moments.times())
	return string(raw), err
}
