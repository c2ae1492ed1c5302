// Package syn6288 gives the frames of the SYN6288 speech module (宇音天下): texts and commands to it, status bytes from it. The line
// is a UART at 9600 8N1 unless it was changed.
package syn6288

import (
	"errors"
	"fmt"

	"halledge/firmware-protocols/internal/speech"
	"halledge/firmware-protocols/internal/stream"
)

const (
	start   = 0xFD
	head    = 3   // start byte and length
	maxData = 203 // what the length counts at most: command, parameter, text and checksum
	// MaxText is the longest text of one frame in bytes, tags included.
	MaxText = 200
)

// Command says what a frame wants.
type Command byte

// The commands.
const (
	CmdSpeak  Command = 0x01 // parameter and text, see Speech; interrupts what is being said
	CmdStop   Command = 0x02
	CmdPause  Command = 0x03
	CmdResume Command = 0x04
	CmdQuery  Command = 0x21 // answered with Speaking or Idle
	CmdBaud   Command = 0x31 // one parameter, see Baud
	CmdSleep  Command = 0x88 // any byte wakes it
)

// Baud is the parameter of CmdBaud. The new speed holds at once.
type Baud byte

// The speeds.
const (
	Baud9600  Baud = 0
	Baud19200 Baud = 1
	Baud38400 Baud = 2
)

// Status is what the module says.
type Status = speech.Status

// What the module says.
const (
	Ready    = speech.Ready
	Accepted = speech.Accepted
	Rejected = speech.Rejected
	Speaking = speech.Speaking
	Idle     = speech.Idle
)

// Encoding is how a text is written.
type Encoding = speech.Encoding

// The encodings; Unicode is big-endian.
const (
	GB2312  = speech.GB2312
	GBK     = speech.GBK
	Unicode = speech.Unicode
)

// Frame is a command and what follows it.
type Frame struct {
	Command Command
	Data    []byte
}

// ErrLong means that a frame cannot hold its data.
var ErrLong = errors.New("syn6288: longer than a frame")

// AppendFrame appends f as it goes over the line: start byte, length of the rest, command, data, XOR of all before it.
func AppendFrame(b []byte, f Frame) ([]byte, error) {
	length := 1 + len(f.Data) + 1
	if length > maxData {
		return b, fmt.Errorf("%w: %d bytes of data", ErrLong, len(f.Data))
	}
	begin := len(b)
	b = append(b, start, byte(length>>8), byte(length), byte(f.Command))
	b = append(b, f.Data...)
	return append(b, xor(b[begin:])), nil
}

func xor(b []byte) (sum byte) {
	for _, c := range b {
		sum ^= c
	}
	return sum
}

// Decoder finds frames in what a host sends. The zero value is ready.
type Decoder struct{ stream.Window }

// Next gives the next whole frame; ok is false when more bytes must come.
func (d *Decoder) Next() (f Frame, ok bool) {
	ok = d.Find(func(b []byte) int {
		switch {
		case b[0] != start:
			return -1
		case len(b) < head:
			return 0
		}
		length := int(b[1])<<8 | int(b[2])
		switch {
		case length < 2 || length > maxData:
			return -1
		case len(b) < head+length:
			return 0
		case xor(b[:head+length]) != 0: // the checksum makes the XOR of all nought
			return -1
		}
		f = Frame{Command: Command(b[head]), Data: append([]byte{}, b[head+1:head+length-1]...)}
		return head + length
	})
	return f, ok
}
