package evdev

// maxBuffered bounds what a decoder keeps: more than a kernel gives at once to a keypad's reader.
const maxBuffered = 256 * Size

// Decoder finds events in a stream that arrives in pieces of any size. A kernel sends whole events and nothing else, but what stands
// for one, such as a pipe, may not: bytes that begin no possible event are skipped until one does.
type Decoder struct {
	buf     []byte
	garbage uint64
}

// Push takes received bytes. At most 256 events are kept; what is older than that is thrown away.
func (d *Decoder) Push(p []byte) {
	d.buf = append(d.buf, p...)
	if over := len(d.buf) - maxBuffered; over > 0 {
		d.garbage += uint64(over)
		d.drop(over)
	}
}

// Next gives the next event, if it is whole.
func (d *Decoder) Next() (Event, bool) {
	for i := 0; i+Size <= len(d.buf); i++ {
		if e := parse(d.buf[i:]); e.plausible() {
			d.garbage += uint64(i)
			d.drop(i + Size)
			return e, true
		}
	}
	if bad := len(d.buf) - Size + 1; bad > 0 { // at each of these no event begins
		d.garbage += uint64(bad)
		d.drop(bad)
	}
	return Event{}, false
}

// Garbage counts the bytes thrown away because they belonged to no event, or because nobody asked for them in time.
func (d *Decoder) Garbage() uint64 { return d.garbage }

func (d *Decoder) drop(n int) { d.buf = append(d.buf[:0], d.buf[n:]...) }
