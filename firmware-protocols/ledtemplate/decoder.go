package ledtemplate

import "bytes"

// Decoder cuts a byte stream into frames of a template: the strip's side.
type Decoder struct {
	template *Template
	buf      []byte
	garbage  uint64
}

// NewDecoder makes a decoder.
func NewDecoder(t *Template) *Decoder { return &Decoder{template: t} }

// Push takes received bytes. At most two frames are kept; what is older than that is thrown away.
func (d *Decoder) Push(p []byte) {
	d.buf = append(d.buf, p...)
	if over := len(d.buf) - 2*MaxFrame; over > 0 {
		d.skip(over)
	}
}

// Next gives the next frame, if there is one.
func (d *Decoder) Next() (Message, bool) {
	for i := range d.buf {
		n := d.template.size(d.buf[i:])
		if n == 0 {
			d.skip(i)
			return Message{}, false
		}
		if n < 0 {
			continue
		}
		if m, err := d.template.ParseFrame(d.buf[i : i+n]); err == nil {
			d.skip(i)
			d.buf = append(d.buf[:0], d.buf[n:]...)
			return m, true
		}
	}
	d.skip(len(d.buf))
	return Message{}, false
}

// Garbage counts the bytes that belonged to no frame.
func (d *Decoder) Garbage() uint64 { return d.garbage }

func (d *Decoder) skip(n int) {
	d.garbage += uint64(n)
	d.buf = append(d.buf[:0], d.buf[n:]...)
}

// size says how long the frame beginning with some bytes is: 0 when more are needed, -1 when none can begin so.
func (t *Template) size(b []byte) int {
	at, words := 0, -1
	for _, f := range t.fields[:t.text] {
		if len(b) < at+f.width {
			return 0
		}
		here := b[at : at+f.width]
		switch f.kind {
		case literal:
			if !bytes.Equal(here, f.bytes) {
				return -1
			}
		case length:
			n, err := f.parse(here)
			if err != nil || n < f.more {
				return -1
			}
			words = n - f.more
		}
		at += f.width
	}
	switch width := t.fields[t.text].width; {
	case width > 0:
		words = width
	case words < 0: // it has an end
		if words = bytes.IndexByte(b[at:], t.end); words < 0 {
			words = len(b) - at + 1 // or longer
		}
	}
	switch n := t.fixed + words; {
	case n > MaxFrame:
		return -1
	case n > len(b):
		return 0
	default:
		return n
	}
}
