package modbus

import (
	"bytes"

	"halledge/firmware-protocols/internal/crc16"
	"halledge/firmware-protocols/internal/stream"
)

// ResponseDecoder finds the answer to one request in what a line delivers. Begin it with Expect. Frames that do not answer the request
// count as garbage.
type ResponseDecoder struct {
	stream.Window
	want Request
}

// Expect forgets what came before and waits for the answer to q.
func (d *ResponseDecoder) Expect(q Request) {
	d.Clear()
	d.want = q
}

// Next gives the answer, if it is there.
func (d *ResponseDecoder) Next() (Response, bool) {
	for {
		b := find(&d.Window, d.length)
		if b == nil {
			return Response{}, false
		}
		if r, err := ParseResponse(b); err == nil && r.Answers(d.want) {
			return r, true
		}
		d.Waste(len(b))
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

// RequestDecoder finds requests to one unit, and broadcasts, on a line it may share with others: the unit's side.
type RequestDecoder struct {
	stream.Window
	unit byte
}

// NewRequestDecoder makes the decoder of a unit.
func NewRequestDecoder(unit byte) *RequestDecoder { return &RequestDecoder{unit: unit} }

// Next gives the next request, if there is one.
func (d *RequestDecoder) Next() (Request, bool) {
	for {
		b := find(&d.Window, func(b []byte) int {
			if b[0] != d.unit && b[0] != Broadcast {
				return -1
			}
			return requestLength(b)
		})
		if b == nil {
			return Request{}, false
		}
		if r, err := ParseRequest(b); err == nil {
			return r, true
		}
		d.Waste(len(b))
	}
}

// find gives the next frame, nil if there is none: length says how long the one beginning with some bytes would be, and it is believed
// when the CRC agrees.
func find(w *stream.Window, length func([]byte) int) (frame []byte) {
	w.Find(func(b []byte) int {
		n := length(b)
		if n <= 0 || n > len(b) {
			return n
		}
		if crc16.Sum(crc16.Modbus, b[:n]) != 0 {
			return -1
		}
		frame = bytes.Clone(b[:n])
		return n
	})
	return frame
}
