package transport

import "time"

// An adapter that gives back what is written does so at once: echoWithin is more than the bytes of a frame take at 1200 baud. Of more
// than echoMost bytes nobody writes at a time.
const (
	echoWithin = 300 * time.Millisecond
	echoMost   = 1 << 10
)

// echo takes out of what arrives what was just written: some adapters of a two-wire line hear themselves, and orders to a pad that come
// back look like its keys. A pad that says at this very moment what was written, byte for byte, is not heard: its key must be pressed
// again, which is better than a call that nobody pressed.
type echo struct {
	mine  []byte    // what was written and may come back
	came  int       // bytes of it that did
	until time.Time // and when it can come no more
}

// wrote takes what is about to be written.
func (e *echo) wrote(b []byte, now time.Time) {
	if !now.Before(e.until) {
		e.mine, e.came = e.mine[:0], 0
	}
	if len(e.mine)+len(b) <= echoMost {
		e.mine = append(e.mine, b...)
	}
	e.until = now.Add(echoWithin)
}

// strip gives what of b is not ours. What could still become an echo is kept until it cannot.
func (e *echo) strip(b []byte, now time.Time) []byte {
	if len(e.mine) == 0 {
		return b
	}
	if now.Before(e.until) {
		for len(b) > 0 && e.came < len(e.mine) && b[0] == e.mine[e.came] {
			b = b[1:]
			e.came++
		}
		switch {
		case e.came == len(e.mine):
			e.mine, e.came = e.mine[:0], 0
			return b
		case len(b) == 0:
			return nil
		}
	}
	kept := append(e.mine[:e.came:e.came], b...)
	e.mine, e.came = nil, 0
	return kept
}
