package logs

import (
	"strings"
	"sync"
)

// maxLine bounds what the ring keeps of one line, in bytes.
const maxLine = 2048

// Line is one line of the ring. Seq grows by one with each line.
type Line struct {
	Seq  uint64 `json:"seq"`
	Text string `json:"text"`
}

// Ring keeps the last lines of a log. It is safe for concurrent use.
type Ring struct {
	mu    sync.Mutex
	lines []Line
	next  uint64 // seq of the next line, from 1
}

// NewRing makes a ring of size lines; less than one counts as one.
func NewRing(size int) *Ring { return &Ring{lines: make([]Line, max(size, 1)), next: 1} }

func (r *Ring) add(text string) {
	text = strings.TrimRight(text, "\n")
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + " …"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[r.next%uint64(len(r.lines))] = Line{Seq: r.next, Text: text}
	r.next++
}

// After gives the kept lines with a seq greater than seq, oldest first.
func (r *Ring) After(seq uint64) []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := uint64(len(r.lines))
	first := max(seq+1, 1)
	if r.next > size {
		first = max(first, r.next-size)
	}
	var out []Line
	for n := first; n < r.next; n++ {
		out = append(out, r.lines[n%size])
	}
	return out
}
