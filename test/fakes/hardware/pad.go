package hardware

import (
	"io"
	"strings"
	"sync"

	"halledge/firmware-protocols/modbus"
	"halledge/firmware-protocols/pad21"
)

// KeyPad is a call pad with 21 keys, which speaks when a key is pressed.
type KeyPad struct {
	plug plug

	mu  sync.Mutex
	pad *pad21.Pad
}

// NewKeyPad gives a pad with an address.
func NewKeyPad(address byte) *KeyPad { return &KeyPad{pad: pad21.NewPad(address)} }

// Press is a finger on a key; ok is false while the pad is not plugged in.
func (p *KeyPad) Press(k pad21.Key) (ok bool, err error) {
	p.mu.Lock()
	said := p.pad.Press(k)
	p.mu.Unlock()
	return p.plug.send(said)
}

// Shows gives the two numbers of the pad, of three digits at most; empty where it is dark.
func (p *KeyPad) Shows() (waiting, ticket string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	digits := p.pad.Shows()
	half := len(digits) / 2
	return strings.TrimSpace(digits[:half]), strings.TrimSpace(digits[half:])
}

// Serve plays the pad on a line.
func (p *KeyPad) Serve(rw io.ReadWriter) {
	p.plug.in(rw)
	defer p.plug.in(nil)
	readLoop(rw, func(b []byte) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pad.Hear(b)
		return nil
	})
}

// Rater is a rating device with registers.
type Rater struct {
	mu    sync.Mutex
	rater *modbus.Rater
	rx    *modbus.RequestDecoder
}

// NewRater gives a rating device with a unit address.
func NewRater(unit byte) *Rater {
	return &Rater{rater: modbus.NewRater(unit), rx: modbus.NewRequestDecoder(unit)}
}

// Rate is a finger on a grade from 1 (very dissatisfied) to 5; false while nothing is asked.
func (r *Rater) Rate(stars int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rater.End(uint16(stars))
}

// Asks gives what is asked; ok is false while nothing is.
func (r *Rater) Asks() (text string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _, text, ok = r.rater.Asking()
	return text, ok
}

// Serve plays the device on a line.
func (r *Rater) Serve(rw io.ReadWriter) {
	readLoop(rw, func(b []byte) error {
		r.mu.Lock()
		out, err := answers(r.rx, r.rater.Handle, b)
		r.mu.Unlock()
		if err != nil || len(out) == 0 {
			return err
		}
		_, err = rw.Write(out)
		return err
	})
}

// answers gives what a unit answers to the requests that end in b.
func answers(rx *modbus.RequestDecoder, handle func(modbus.Request) (modbus.Response, bool), b []byte) (out []byte, err error) {
	rx.Push(b)
	for {
		q, ok := rx.Next()
		if !ok {
			return out, nil
		}
		if answer, reply := handle(q); reply {
			if out, err = answer.Append(out); err != nil {
				return out, err
			}
		}
	}
}
