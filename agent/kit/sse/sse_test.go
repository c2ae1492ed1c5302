package sse_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/kit/sse"
)

func TestEventsAreWrittenAsTheStandardSays(t *testing.T) {
	rec := httptest.NewRecorder()
	s, err := sse.Start(rec, httptest.NewRequest(http.MethodGet, "/", nil), sse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []sse.Event{
		{Name: "snapshot", ID: 7, Data: []byte(`{"a":1}`)},
		{Data: []byte("two\r\nlines\rthree")},
		{Name: "bad\nname: x", Data: nil},
	} {
		if err := s.Send(e); err != nil {
			t.Fatal(err)
		}
	}
	want := "retry: 2000\n\n" +
		"id: 7\nevent: snapshot\ndata: {\"a\":1}\n\n" +
		"data: two\ndata: lines\ndata: three\n\n" +
		"event: bad name: x\ndata: \n\n"
	if got := rec.Body.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if ct := rec.Header().Get("Content-Type"); ct != "text/event-stream; charset=utf-8" || !rec.Flushed {
		t.Errorf("type %q, flushed %v", ct, rec.Flushed)
	}
}

func TestLastEventID(t *testing.T) {
	for _, c := range []struct {
		header, query string
		id            uint64
		ok            bool
	}{
		{"12", "", 12, true},
		{"12", "last_event_id=99", 12, true},
		{"", "last_event_id=99", 99, true},
		{"", "", 0, false},
		{"-1", "", 0, false},
		{"x", "", 0, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?"+c.query, nil)
		if c.header != "" {
			r.Header.Set("Last-Event-ID", c.header)
		}
		if id, ok := sse.LastEventID(r); id != c.id || ok != c.ok {
			t.Errorf("%+v: %d %v", c, id, ok)
		}
	}
}

func TestFollowSendsChangesAndHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		rec := httptest.NewRecorder()
		s, err := sse.Start(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), sse.Options{})
		if err != nil {
			t.Fatal(err)
		}
		dirty := make(chan struct{})
		var n uint64
		done := make(chan error)
		go func() {
			done <- s.Follow(dirty, func() ([]sse.Event, error) {
				n++
				return []sse.Event{{Name: "change", ID: n}}, nil
			})
		}()
		synctest.Wait()
		time.Sleep(31 * time.Second) // two heartbeats
		dirty <- struct{}{}
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := "retry: 2000\n\nid: 1\nevent: change\ndata: \n\n:\n\n:\n\nid: 2\nevent: change\ndata: \n\n"
		if got := rec.Body.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestBeatsDoNotWaitForQuiet has a source that is asked often and has nothing: its reader must hear the beats all the same.
func TestBeatsDoNotWaitForQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := httptest.NewRecorder()
		s, err := sse.Start(rec, httptest.NewRequest(http.MethodGet, "/", nil), sse.Options{Heartbeat: 4 * time.Second, Beat: "beat"})
		if err != nil {
			t.Fatal(err)
		}
		dirty, done := make(chan struct{}), make(chan error)
		go func() { done <- s.Follow(dirty, func() ([]sse.Event, error) { return nil, nil }) }()
		for range 10 {
			time.Sleep(time.Second)
			dirty <- struct{}{}
		}
		close(dirty)
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := "retry: 2000\n\n" + strings.Repeat("event: beat\ndata: 1\n\n", 2)
		if got := rec.Body.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestFollowEnds(t *testing.T) {
	s, err := sse.Start(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), sse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	close(closed)
	if err := s.Follow(closed, func() ([]sse.Event, error) { return nil, nil }); err != nil {
		t.Error("closed signal:", err)
	}
	broken := errors.New("store is gone")
	if err := s.Follow(nil, func() ([]sse.Event, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error("broken source:", err)
	}
}

func TestHeadEndsAtOnce(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sse.Start(w, r, sse.Options{})
		if err != nil {
			t.Error(err)
			return
		}
		if err := s.Follow(make(chan struct{}), func() ([]sse.Event, error) { return nil, errors.New("asked for events") }); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	client := srv.Client()
	client.Timeout = 20 * time.Second
	res, err := client.Head(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%d %v, %v", res.StatusCode, res.Header, err)
	}
}

// A reader that takes nothing must not hold its goroutine for ever.
func TestASlowReaderIsCutOff(t *testing.T) {
	ended := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sse.Start(w, r, sse.Options{WriteLimit: 20 * time.Millisecond})
		for err == nil {
			err = s.Send(sse.Event{Data: []byte(strings.Repeat("x", 1<<20))})
		}
		ended <- err
	}))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "retry: 2000\n" {
		t.Fatalf("%q, %v", line, err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the slow reader is still served")
	}
}
