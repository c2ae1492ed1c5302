package onbon

// maxBuffered bounds the undecoded input a decoder keeps: one frame of the largest size, every byte escaped.
const maxBuffered = headCount + 2*maxBody + 1

// Decoder cuts a byte stream into frames, on either side. The zero value is ready.
type Decoder struct {
	input   []byte
	body    []byte // unescaped so far; nil outside a frame
	escape  byte   // 0xA6 or 0x5B when the next byte completes an escape
	garbage uint64
}

// Push takes received bytes. What does not fit the bound is thrown away, oldest first.
func (d *Decoder) Push(p []byte) {
	d.input = append(d.input, p...)
	if over := len(d.input) - maxBuffered; over > 0 {
		d.input = append(d.input[:0], d.input[over:]...)
		d.garbage += uint64(over)
	}
}

// Next gives the next whole frame, if there is one.
func (d *Decoder) Next() (Frame, bool) {
	for i, c := range d.input {
		if f, ok := d.take(c); ok {
			d.input = d.input[i+1:]
			return f, true
		}
	}
	d.input = d.input[:0]
	return Frame{}, false
}

// Garbage counts the bytes thrown away because they belonged to no good frame.
func (d *Decoder) Garbage() uint64 { return d.garbage }

// Reset forgets everything received so far.
func (d *Decoder) Reset() {
	d.garbage += uint64(len(d.input))
	d.input = d.input[:0]
	d.abandon()
}

func (d *Decoder) take(c byte) (Frame, bool) {
	switch {
	case c == head: // never occurs inside a frame, so it always begins one
		d.abandon()
		d.body = []byte{}
	case d.body == nil:
		d.garbage++
	case c == tail:
		return d.finish()
	case d.escape != 0:
		d.unescape(c)
	case c == 0xA6 || c == 0x5B:
		d.escape = c
	case len(d.body) == maxBody:
		d.abandon()
		d.garbage++
	default:
		d.body = append(d.body, c)
	}
	return Frame{}, false
}

func (d *Decoder) unescape(c byte) {
	var b byte
	switch [2]byte{d.escape, c} {
	case [2]byte{0xA6, 1}:
		b = 0xA6
	case [2]byte{0xA6, 2}:
		b = 0xA5
	case [2]byte{0x5B, 1}:
		b = 0x5B
	case [2]byte{0x5B, 2}:
		b = 0x5A
	}
	if b == 0 || len(d.body) == maxBody {
		d.abandon()
		return
	}
	d.escape = 0
	d.body = append(d.body, b)
}

func (d *Decoder) finish() (Frame, bool) {
	if d.escape == 0 {
		if f, err := parseBody(d.body); err == nil {
			d.body = nil
			return f, true
		}
	}
	d.abandon()
	return Frame{}, false
}

// abandon gives up the frame being collected.
func (d *Decoder) abandon() {
	d.garbage += uint64(len(d.body))
	d.body, d.escape = nil, 0
}
