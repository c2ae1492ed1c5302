// Package pad21 gives the frames of the 21-key call pad that many Chinese halls have on RS-485 (9600 8N1), both sides. No maker
// publishes it; it follows one public program that drives such pads, and what that does not show is left to the caller.
//
// A frame is FF 68 L L 68 ADDR FN DATA SUM 16: L counts ADDR, FN and DATA, and SUM is the low byte of their sum.
package pad21

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"halledge/firmware-protocols/internal/stream"
)

// Function says what a frame is about.
type Function byte

// The functions. What a pad puts there when it sends keys is not public: everything that is none of the other two is keys.
const (
	Keys    Function = 0x01 // of the simulated pad; also of the answer to a rating
	Display Function = 0x02 // host to pad: six digits
	Rating  Function = 0x11 // pad to host: the rating device that hangs on the pad was pressed
)

const (
	head0, head1, head2, end = 0xFF, 0x68, 0x68, 0x16

	before = 5 // bytes before ADDR
	after  = 2 // SUM and the end
	fixed  = 2 // ADDR and FN

	// MaxFromPad is the most data a pad sends; a longer frame from a pad is noise.
	MaxFromPad = 3
	// MaxData is the most data of any frame.
	MaxData = 6
)

// ErrFrame says that bytes are no frame.
var ErrFrame = errors.New("no frame of a 21-key pad")

// Frame is one message to or from a pad.
type Frame struct {
	Address  byte
	Function Function
	Data     []byte // 1 to MaxData bytes
}

// Append appends the frame to dst.
func (f Frame) Append(dst []byte) ([]byte, error) {
	if len(f.Data) < 1 || len(f.Data) > MaxData {
		return dst, fmt.Errorf("%w: %d bytes of data", ErrFrame, len(f.Data))
	}
	n := byte(fixed + len(f.Data))
	dst = append(dst, head0, head1, n, n, head2)
	start := len(dst)
	dst = append(dst, f.Address, byte(f.Function))
	dst = append(dst, f.Data...)
	return append(dst, sum(dst[start:]), end), nil
}

// Parse decodes one whole frame.
func Parse(b []byte) (Frame, error) {
	n := length(b, MaxData)
	if n <= 0 || n != len(b) {
		return Frame{}, fmt.Errorf("%w: %d bytes", ErrFrame, len(b))
	}
	body := b[before : n-after]
	if b[n-1] != end || b[n-2] != sum(body) {
		return Frame{}, fmt.Errorf("%w: wrong sum or end", ErrFrame)
	}
	return Frame{Address: body[0], Function: Function(body[1]), Data: bytes.Clone(body[fixed:])}, nil
}

// Ack is the host's answer to a frame of a pad: the frame itself, or for a rating the same with another function.
func (f Frame) Ack() Frame {
	if f.Function == Rating {
		f.Function = Keys
	}
	return f
}

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}

// length is the length of the frame that begins with b: 0 when more bytes are needed to know, -1 when none does.
func length(b []byte, maxData int) int {
	for i, want := range [...]byte{head0, head1} {
		if i >= len(b) {
			return 0
		}
		if b[i] != want {
			return -1
		}
	}
	if len(b) < before {
		return 0
	}
	if b[2] != b[3] || b[4] != head2 || b[2] <= fixed || int(b[2]) > fixed+maxData {
		return -1
	}
	return before + int(b[2]) + after
}

// Decoder finds frames in what a line delivers. The zero value takes frames of pads, which are short.
type Decoder struct {
	stream.Window
	maxData int // 0: MaxFromPad
}

// NewPadDecoder makes the decoder of a pad, which hears the host too.
func NewPadDecoder() *Decoder { return &Decoder{maxData: MaxData} }

// Next gives the next frame, if it is there.
func (d *Decoder) Next() (f Frame, ok bool) {
	ok = d.Find(func(b []byte) int {
		n := length(b, cmp.Or(d.maxData, MaxFromPad))
		if n <= 0 || n > len(b) {
			return n
		}
		var err error
		if f, err = Parse(b[:n]); err != nil {
			return -1
		}
		return n
	})
	return f, ok
}
