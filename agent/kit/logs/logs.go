// Package logs gives the program's slog handler: JSON for the journal or plain text for a person's screen, repeating faults
// counted instead of repeated, the last lines kept for the ops page, and as a last net anything that looks like an identity
// card or mobile phone number masked. Personal data should never get this far; their types cannot print themselves.
package logs

import (
	"bytes"
	"io"
	"log/slog"
	"regexp"
	"sync"
)

// Options of New.
type Options struct {
	Level slog.Leveler
	Text  bool // key=value for people; else JSON
	Keep  int  // lines the ring keeps
}

// Log is a program's log. Logger is handed to everybody; Ring has the last lines.
type Log struct {
	Logger *slog.Logger
	Ring   *Ring
	counts *counts
}

// New makes a log that writes to w.
func New(w io.Writer, o Options) *Log {
	ring := NewRing(o.Keep)
	out := &sink{w: w, ring: ring}
	opts := &slog.HandlerOptions{Level: o.Level}
	var inner slog.Handler = slog.NewJSONHandler(out, opts)
	if o.Text {
		inner = slog.NewTextHandler(out, opts)
	}
	c := &counts{seen: map[string]*count{}}
	return &Log{Logger: slog.New(&handler{inner: inner, counts: c}), Ring: ring, counts: c}
}

// Flush writes the counts of repeats that have not been written yet. Call it before the program ends.
func (l *Log) Flush() { l.counts.flush() }

// sink takes one rendered line at a time.
type sink struct {
	mu   sync.Mutex
	w    io.Writer
	ring *Ring
}

func (s *sink) Write(line []byte) (int, error) {
	clean := redact(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring.add(string(clean))
	if _, err := s.w.Write(clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

// What the last net catches: 18 characters that hold a date of birth, as GB 11643 builds identity numbers, and the eleven
// digits of a mobile phone number. Hall codes (15 digits), running numbers (14) and times do not match. The first group is
// there when the number is a JSON number, not part of a text: its place needs a JSON value.
var personal = regexp.MustCompile(`([^\\]":)?\b(?:` +
	`[1-9]\d{5}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]` + `|` + `1[3-9]\d{9}` + `)\b`)

func redact(line []byte) []byte {
	return personal.ReplaceAllFunc(line, func(m []byte) []byte {
		if bytes.HasSuffix(m[:min(3, len(m))], []byte(`":`)) {
			return append(m[:3:3], `"***"`...)
		}
		return []byte("***")
	})
}
