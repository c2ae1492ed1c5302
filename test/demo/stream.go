package demo

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Event is one server-sent event.
type Event struct {
	Name, ID, Data string
	At             time.Time // when it was here
}

// Stream reads the agent's event stream as a role until the test ends. The channel is closed when the server ends it.
func (d *Demo) Stream(t testing.TB, role string) <-chan Event {
	t.Helper()
	events, stop, err := d.Follow(role)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return events
}

// Follow is Stream for who has no test; stop ends it and waits for that.
func (d *Demo) Follow(role string) (_ <-chan Event, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Agent.URL+"/api/v1/stream", nil)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.Agent.Tokens[role])
	res, err := http.DefaultClient.Do(req) //nolint:bodyclose // the goroutine below closes it, which bodyclose does not see
	if err != nil {
		cancel()
		return nil, nil, err
	}
	if res.StatusCode != http.StatusOK {
		cancel()
		res.Body.Close()
		return nil, nil, fmt.Errorf("stream: %d", res.StatusCode)
	}
	events, done := make(chan Event, 1024), make(chan struct{})
	go func() {
		defer close(done)
		defer close(events)
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 4<<20) // the snapshot of a large hall is one line
		pass(ctx, lines, events)
	}()
	return events, func() { cancel(); <-done }, nil
}

// pass reads events from lines and hands them on.
func pass(ctx context.Context, lines *bufio.Scanner, events chan<- Event) {
	var e Event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			e.Name = value
		case "id":
			e.ID = value
		case "data":
			e.Data = value
		case "":
			e.At = time.Now()
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
			e = Event{}
		}
	}
}
