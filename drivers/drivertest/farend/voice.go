package farend

import (
	"io"
	"sync"
)

// Converse passes what the host writes to hear and sends what hear gives, until the line fails.
func Converse(rw io.ReadWriter, hear func([]byte) []byte) {
	buf := make([]byte, 4096)
	for {
		n, err := rw.Read(buf)
		if err != nil {
			return
		}
		if out := hear(buf[:n]); len(out) > 0 {
			if _, err := rw.Write(out); err != nil {
				return
			}
		}
	}
}

// Answer sends what answer gives to each frame that d finds in what the host writes, until the line fails.
func Answer[F any](rw io.ReadWriter, d interface {
	Push([]byte)
	Next() (F, bool)
}, answer func(F) []byte) {
	Converse(rw, func(b []byte) (out []byte) {
		d.Push(b)
		for f, ok := d.Next(); ok; f, ok = d.Next() {
			out = append(out, answer(f)...)
		}
		return out
	})
}

// Voice is the line of hardware that speaks unasked, such as a pad or a scanner. The hardware's state may be changed within With, Hear
// and what Say is given: never two of them run at once.
type Voice struct {
	Hear func([]byte) []byte // gives the answer to what the host wrote; nil: there is none

	mu    sync.Mutex
	line  io.Writer // nil while unplugged
	heard []byte
}

// Serve implements farend.Serve. Of several lines the newest is the one that is spoken on.
func (v *Voice) Serve(rw io.ReadWriter) {
	v.With(func() { v.line = rw })
	defer v.With(func() {
		if v.line == rw {
			v.line = nil
		}
	})
	Converse(rw, func(b []byte) (out []byte) {
		v.With(func() {
			v.heard = append(v.heard, b...)
			if v.Hear != nil {
				out = v.Hear(b)
			}
		})
		return out
	})
}

// With lets act look at the hardware, or change it, whether it is plugged in or not.
func (v *Voice) With(act func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	act()
}

// Say sends what finger makes the hardware say. It gives false, and nobody touches the hardware, while it is not plugged in.
func (v *Voice) Say(finger func() []byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.line == nil {
		return false
	}
	_, err := v.line.Write(finger())
	return err == nil
}

// Send sends b. It gives false while the hardware is not plugged in.
func (v *Voice) Send(b []byte) bool { return v.Say(func() []byte { return b }) }

// Here reports whether the hardware stands at the end of its cable.
func (v *Voice) Here() bool { return v.Send(nil) }

// Heard gives all that the host ever wrote.
func (v *Voice) Heard() (all string) {
	v.With(func() { all = string(v.heard) })
	return all
}
