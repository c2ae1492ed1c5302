package demo

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
)

// Event is one server-sent event.
type Event struct{ Name, ID, Data string }

// Stream reads the agent's event stream as a role until the test ends. The channel is closed when the server ends it.
func (d *Demo) Stream(t testing.TB, role string) <-chan Event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Agent.URL+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.Agent.Tokens[role])
	res, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("stream: %d", res.StatusCode)
	}
	events, done := make(chan Event, 1024), make(chan struct{})
	go func() {
		defer close(done)
		defer close(events)
		defer res.Body.Close()
		var e Event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				e.Name = value
			case "id":
				e.ID = value
			case "data":
				e.Data = value
			case "":
				select {
				case events <- e:
				case <-ctx.Done():
					return
				}
				e = Event{}
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return events
}
