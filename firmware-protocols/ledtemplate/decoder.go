package ledtemplate

import (
	"bytes"

	"halledge/firmware-protocols/internal/stream"
)

// Decoder cuts a byte stream into frames of a template: the strip's side.
type Decoder struct {
	stream.Window
	template *Template
}

// NewDecoder makes a decoder.
func NewDecoder(t *Template) *Decoder { return &Decoder{template: t} }

// Next gives the next frame, if there is one.
func (d *Decoder) Next() (m Message, ok bool) {
	ok = d.Find(func(b []byte) int {
		n := d.template.size(b)
		if n <= 0 {
			return n
		}
		var err error
		if m, err = d.template.ParseFrame(b[:n]); err != nil {
			return -1
		}
		return n
	})
	return m, ok
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
