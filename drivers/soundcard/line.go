package soundcard

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/transport"
)

// noLine stands for the connection of a card: there are no bytes to exchange, the player does that.
type noLine struct{}

func (noLine) Read([]byte) (int, error)         { return 0, io.EOF }
func (noLine) Write([]byte) (int, error)        { return 0, io.ErrClosedPipe }
func (noLine) Close() error                     { return nil }
func (noLine) SetDeadline(time.Time) error      { return nil }
func (noLine) SetReadDeadline(time.Time) error  { return nil }
func (noLine) SetWriteDeadline(time.Time) error { return nil }
func (noLine) Drain(context.Context) error      { return nil }
func (noLine) PortStatus() (transport.PortStatus, error) {
	return transport.PortStatus{}, &device.Error{Op: "ask the port", Code: device.CodeUnsupported}
}

// tone is a short A, for the self-test.
func tone() []byte {
	const rate, length, pitch, loud = 16000, 8000, 440, 8000
	out := append([]byte("RIFF"), make([]byte, 4)...)
	binary.LittleEndian.PutUint32(out[4:], headerLen-8+2*length)
	out = append(out, "WAVEfmt "...)
	for _, v := range []uint32{16, 1 | 1<<16, rate, 2 * rate, 2 | 16<<16} { // PCM, one channel, 16 bits
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	out = append(out, "data"...)
	out = binary.LittleEndian.AppendUint32(out, 2*length)
	for i := range length {
		v := int16(loud * math.Sin(2*math.Pi*pitch*float64(i)/rate))
		out = binary.LittleEndian.AppendUint16(out, uint16(v))
	}
	return out
}
