package pin

import (
	"context"
	"sync"
)

// Camera is one camera as it is known, and as it was seen last.
type Camera struct {
	code    string
	written Machine // by hand
	book    *Book

	mu   sync.Mutex
	seen Machine
}

// NewCamera gives a camera that nobody has seen since the start. written is by what somebody says in the configuration that it is known.
func NewCamera(code string, written Machine, book *Book) *Camera {
	return &Camera{code: code, written: written, book: book}
}

// Standing is how a camera stands.
type Standing struct {
	Known   Machine `json:"known"`
	Seen    Machine `json:"seen"`    // at its address, last
	Verdict Verdict `json:"verdict"` // empty: nothing was seen since the start
	Written bool    `json:"written"` // known by what the configuration says, which nobody changes from a page
}

// Standing tells by what the camera is known, and what was seen.
func (c *Camera) Standing() Standing {
	c.mu.Lock()
	seen := c.seen
	c.mu.Unlock()
	s := Standing{Known: Known(c.book.Learnt(c.code), c.written), Seen: seen, Written: c.written != Machine{}}
	if seen != (Machine{}) {
		s.Verdict = Judge(s.Known, seen)
	}
	return s
}

// See tells whether a machine that answers is the camera.
func (c *Camera) See(seen Machine) Verdict {
	c.mu.Lock()
	c.seen = seen
	c.mu.Unlock()
	return c.Standing().Verdict
}

// Hear adds what the machine that was seen says of itself.
func (c *Camera) Hear(says string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.Says = says
}

// Learn writes down by what the camera is known from now on, after the machine that was seen has shown to be one.
func (c *Camera) Learn(ctx context.Context) error {
	s := c.Standing()
	if s.Verdict != First && s.Verdict != Same {
		return nil
	}
	return c.book.Write(ctx, c.code, Learn(s.Known, s.Seen, c.written))
}
