// Package sound gives spoken sentences as sound: joined from recorded clips, or made by espeak-ng, as 16-bit mono WAV.
package sound

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Bounds of a WAV file that is read.
const (
	lowestRate  = 8000
	highestRate = 48000
	maxSamples  = 60 * highestRate // a minute
)

const (
	headerLen = 44 // of the files we write
	formatPCM = 1
	bytesEach = 2
)

// Clip is sound: 16-bit samples of one channel.
type Clip struct {
	Rate    int // samples a second
	Samples []int16
}

// Duration is how long it takes.
func (c Clip) Duration() time.Duration {
	if c.Rate == 0 {
		return 0
	}
	return time.Duration(len(c.Samples)) * time.Second / time.Duration(c.Rate)
}

// ErrFormat means that a file is no WAV we can use: RIFF/WAVE, PCM, one channel, 16 bits, 8 to 48 kHz, at most a minute.
var ErrFormat = errors.New("no usable WAV")

// ParseWAV reads a WAV file. Chunks other than fmt and data are passed over; a data chunk that is longer than the file, as
// programs write it that do not know the length yet, goes to its end.
func ParseWAV(b []byte) (Clip, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return Clip{}, fmt.Errorf("%w: no RIFF/WAVE header", ErrFormat)
	}
	var c Clip
	for rest := b[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		whole := min(size, uint64(len(body)))
		switch id {
		case "fmt ":
			if err := c.format(body[:whole]); err != nil {
				return Clip{}, err
			}
		case "data":
			return c.data(body[:whole])
		}
		rest = body[min(size+size%2, uint64(len(body))):]
	}
	return Clip{}, fmt.Errorf("%w: no data", ErrFormat)
}

func (c *Clip) format(b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("%w: short format", ErrFormat)
	}
	kind, channels, bits := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint16(b[14:])
	rate := binary.LittleEndian.Uint32(b[4:])
	if kind != formatPCM || channels != 1 || bits != 8*bytesEach || rate < lowestRate || rate > highestRate {
		return fmt.Errorf("%w: format %d, %d channels, %d bits, %d Hz", ErrFormat, kind, channels, bits, rate)
	}
	c.Rate = int(rate)
	return nil
}

func (c *Clip) data(b []byte) (Clip, error) {
	switch {
	case c.Rate == 0:
		return Clip{}, fmt.Errorf("%w: data before the format", ErrFormat)
	case len(b)/bytesEach > maxSamples:
		return Clip{}, fmt.Errorf("%w: longer than a minute", ErrFormat)
	}
	c.Samples = make([]int16, len(b)/bytesEach)
	for i := range c.Samples {
		c.Samples[i] = int16(binary.LittleEndian.Uint16(b[bytesEach*i:]))
	}
	return *c, nil
}

// WAV writes the clip as a file.
func (c Clip) WAV() []byte {
	data := uint32(bytesEach * len(c.Samples))
	out := bytes.NewBuffer(make([]byte, 0, headerLen+data))
	out.WriteString("RIFF")
	for _, v := range []any{
		uint32(headerLen-8) + data, []byte("WAVEfmt "), uint32(16), uint16(formatPCM), uint16(1),
		uint32(c.Rate), uint32(c.Rate * bytesEach), uint16(bytesEach), uint16(8 * bytesEach), []byte("data"), data, c.Samples,
	} {
		_ = binary.Write(out, binary.LittleEndian, v) // into memory, and only fixed sizes
	}
	return out.Bytes()
}
