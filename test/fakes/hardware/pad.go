package hardware

import (
	"io"
	"strings"
	"sync"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/modbus"
	"halledge/firmware-protocols/pad21"
)

// KeyPad is a call pad with 21 keys, which speaks when a key is pressed.
type KeyPad struct {
	farend.Voice
	pad *pad21.Pad
}

// NewKeyPad gives a pad with an address.
func NewKeyPad(address byte) *KeyPad {
	p := &KeyPad{pad: pad21.NewPad(address)}
	p.Hear = func(b []byte) []byte { p.pad.Hear(b); return nil }
	return p
}

// Press is a finger on a key. It gives false while the pad is not plugged in.
func (p *KeyPad) Press(k pad21.Key) bool { return p.Say(func() []byte { return p.pad.Press(k) }) }

// Shows gives the two numbers of the pad, of three digits at most; empty where it is dark.
func (p *KeyPad) Shows() (waiting, ticket string) {
	var digits string
	p.With(func() { digits = p.pad.Shows() })
	half := len(digits) / 2
	return strings.TrimSpace(digits[:half]), strings.TrimSpace(digits[half:])
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
	farend.Answer(rw, r.rx, func(q modbus.Request) []byte {
		r.mu.Lock()
		defer r.mu.Unlock()
		return answer(r.rater.Handle(q))
	})
}
