// Package sse gives server-sent events (WHATWG HTML, section 9.2): a stream to one reader with heartbeats and resumption. Who
// serves many gives each reader a signal that something changed and lets it read on from its own place; a reader that does not
// keep up is cut off and comes back by itself with Last-Event-ID. It never holds up anybody else.
package sse

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Event is one message. Name is the event type ("snapshot", "change"), ID what the reader sends back as Last-Event-ID; ID 0
// is not sent. Data may hold line breaks.
type Event struct {
	Name string
	ID   uint64
	Data []byte
}

// Options of Start. The zero value is good.
type Options struct {
	Heartbeat  time.Duration // a comment is sent after this much silence, so that dead connections end; 0 means 15 s
	Beat       string        // an event of this name is sent instead of the comment, for readers that watch for silence themselves
	WriteLimit time.Duration // a reader that takes longer to take one message is cut off; 0 means 10 s
	Retry      time.Duration // how long the reader waits before it comes back; 0 means 2 s
}

// Stream is the connection to one reader. Only one goroutine may use it.
type Stream struct {
	w    http.ResponseWriter
	r    *http.Request
	ctl  *http.ResponseController
	opts Options
}

// Start begins the answer to r. Nothing else may be written to w afterwards.
func Start(w http.ResponseWriter, r *http.Request, o Options) (*Stream, error) {
	if o.Heartbeat == 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.WriteLimit == 0 {
		o.WriteLimit = 10 * time.Second
	}
	if o.Retry == 0 {
		o.Retry = 2 * time.Second
	}
	s := &Stream{w: w, r: r, ctl: http.NewResponseController(w), opts: o}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy in front must not collect events
	w.WriteHeader(http.StatusOK)
	return s, s.write([]byte("retry: " + strconv.FormatInt(o.Retry.Milliseconds(), 10) + "\n\n"))
}

// LastEventID gives the ID of the last event the reader saw: from the header of a reader that reconnects, or from the query
// parameter last_event_id of one that starts anew. ok is false when there is none or it is not a number.
func LastEventID(r *http.Request) (id uint64, ok bool) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("last_event_id")
	}
	id, err := strconv.ParseUint(text, 10, 64)
	return id, err == nil
}

// Send writes one event and flushes it. An error means that the reader is gone or too slow.
func (s *Stream) Send(e Event) error { return s.write(e.encode()) }

// Follow keeps the stream until the reader goes away, too slow or on purpose. It calls next at once and after each signal on
// dirty, and sends the events next gives. It returns nil when the request's context ended or dirty was closed, else the
// error of next or of writing. A HEAD request has its whole answer with the header, so that nothing is followed.
func (s *Stream) Follow(dirty <-chan struct{}, next func() ([]Event, error)) error {
	if s.r.Method == http.MethodHead {
		return nil
	}
	beat := time.NewTimer(s.opts.Heartbeat)
	defer beat.Stop()
	for {
		events, err := next()
		if err != nil {
			return fmt.Errorf("follow: %w", err)
		}
		for _, e := range events {
			if err := s.Send(e); err != nil {
				return err
			}
			beat.Reset(s.opts.Heartbeat)
		}
		if more, err := s.wait(dirty, beat); err != nil || !more {
			return err
		}
	}
}

// wait returns when there may be something to send; it keeps the connection alive until then. A signal that brings nothing to send
// is no sign of life to the reader, so that it does not put off the next beat.
func (s *Stream) wait(dirty <-chan struct{}, beat *time.Timer) (more bool, err error) {
	for {
		select {
		case <-s.r.Context().Done():
			return false, nil
		case _, open := <-dirty:
			return open, nil
		case <-beat.C:
			if err := s.beat(); err != nil {
				return false, err
			}
			beat.Reset(s.opts.Heartbeat)
		}
	}
}

func (s *Stream) beat() error {
	if s.opts.Beat == "" {
		return s.write([]byte(":\n\n"))
	}
	return s.Send(Event{Name: s.opts.Beat, Data: []byte("1")}) // an event without data is not given to the reader
}

func (s *Stream) write(b []byte) error {
	// A recorder in a test knows no deadlines; every real connection does.
	if err := s.ctl.SetWriteDeadline(time.Now().Add(s.opts.WriteLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("event stream: %w", err)
	}
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	if err := s.ctl.Flush(); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	return nil
}

// oneLine keeps a name from ending its own line.
var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

func (e Event) encode() []byte {
	var b bytes.Buffer
	if e.ID > 0 {
		fmt.Fprintf(&b, "id: %d\n", e.ID)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, "event: %s\n", oneLine.Replace(e.Name))
	}
	data := bytes.ReplaceAll(bytes.ReplaceAll(e.Data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		b.WriteString("data: ")
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}
