package modbus

// maxBuffered bounds what a decoder keeps: two frames of the largest size.
const maxBuffered = 2 * MaxFrame

// ResponseDecoder finds the answer to one request in what a line delivers. Begin it with Expect.
type ResponseDecoder struct {
	s    scanner
	want Request
}

// Expect forgets what came before and waits for the answer to q.
func (d *ResponseDecoder) Expect(q Request) {
	d.s.reset()
	d.want = q
}

// Push takes received bytes. At most two frames are kept; what is older than that is thrown away.
func (d *ResponseDecoder) Push(p []byte) { d.s.push(p) }

// Next gives the answer, if it is there. Frames that do not answer the request count as garbage.
func (d *ResponseDecoder) Next() (Response, bool) {
	for {
		b, ok := d.s.next(d.length)
		if !ok {
			return Response{}, false
		}
		if r, err := ParseResponse(b); err == nil && r.Answers(d.want) {
			return r, true
		}
		d.s.garbage += uint64(len(b))
	}
}

// length allows only what can begin the answer, so that noise never makes the decoder wait for a frame nobody sends.
func (d *ResponseDecoder) length(b []byte) int {
	if b[0] != d.want.Unit || len(b) > 1 && Function(b[1]&^exceptionBit) != d.want.Function {
		return -1
	}
	whole := requestLen
	if d.want.Function == ReadHolding || d.want.Function == ReadInput {
		whole = readHeaderLen + 2*int(d.want.Count) + crcLen
	}
	n := responseLength(b)
	if n > 0 && n != whole && n != exceptionLen {
		return -1
	}
	return n
}

// Garbage counts the bytes thrown away because they belonged to no good answer.
func (d *ResponseDecoder) Garbage() uint64 { return d.s.garbage }

// RequestDecoder finds requests to one unit, and broadcasts, on a line it may share with others: the unit's side.
type RequestDecoder struct {
	s    scanner
	unit byte
}

// NewRequestDecoder makes the decoder of a unit.
func NewRequestDecoder(unit byte) *RequestDecoder { return &RequestDecoder{unit: unit} }

// Push takes received bytes. At most two frames are kept; what is older than that is thrown away.
func (d *RequestDecoder) Push(p []byte) { d.s.push(p) }

// Next gives the next request, if there is one.
func (d *RequestDecoder) Next() (Request, bool) {
	for {
		b, ok := d.s.next(func(b []byte) int {
			if b[0] != d.unit && b[0] != Broadcast {
				return -1
			}
			return requestLength(b)
		})
		if !ok {
			return Request{}, false
		}
		if r, err := ParseRequest(b); err == nil {
			return r, true
		}
		d.s.garbage += uint64(len(b))
	}
}

// Garbage counts the bytes that belonged to no request to this unit.
func (d *RequestDecoder) Garbage() uint64 { return d.s.garbage }

// scanner finds frames in a stream that has no marks: at each byte it asks how long a frame beginning there would be and
// believes it when the CRC agrees.
type scanner struct {
	buf     []byte
	garbage uint64
}

func (s *scanner) push(p []byte) {
	s.buf = append(s.buf, p...)
	if over := len(s.buf) - maxBuffered; over > 0 {
		s.skip(over)
	}
}

// next gives the next frame, which is the caller's. length says how long the frame beginning with some bytes is: 0 when more
// are needed to know, -1 when none can begin so.
func (s *scanner) next(length func([]byte) int) ([]byte, bool) {
	for i := range s.buf {
		rest := s.buf[i:]
		n := length(rest)
		if n == 0 || n > len(rest) {
			s.skip(i)
			return nil, false
		}
		if n < 0 || crc16(rest[:n]) != 0 {
			continue
		}
		frame := append([]byte(nil), rest[:n]...)
		s.skip(i)
		s.buf = append(s.buf[:0], s.buf[n:]...)
		return frame, true
	}
	s.reset()
	return nil, false
}

func (s *scanner) skip(n int) {
	s.garbage += uint64(n)
	s.buf = append(s.buf[:0], s.buf[n:]...)
}

func (s *scanner) reset() { s.skip(len(s.buf)) }
