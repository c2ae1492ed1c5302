// Package hardware gives the devices of a simulated hall: the far ends of the real protocols, played on whatever line they are
// plugged into. Each device's Serve has the shape of farend.Serve.
package hardware

import (
	"io"
	"sync"
)

// readLoop passes what arrives to take until the line fails.
func readLoop(r io.Reader, take func([]byte) error) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if take(buf[:n]) != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// plug remembers the line a device is plugged into, for devices that speak first.
type plug struct {
	mu sync.Mutex
	w  io.Writer
}

func (p *plug) in(w io.Writer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.w = w
}

// send writes to the line; ok is false while nothing is plugged in.
func (p *plug) send(b []byte) (ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w == nil {
		return false, nil
	}
	_, err = p.w.Write(b)
	return true, err
}
