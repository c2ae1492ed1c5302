// Package xfs5152 gives the frames of the XFS5152CE speech module (科大讯飞) and its relatives: texts and commands to it, status bytes
// from it. The line is a UART at 9600 or 115200 8N1, as pins of the module say. Frames have no checksum.
package xfs5152

import (
	"errors"
	"fmt"

	"halledge/firmware-protocols/internal/speech"
	"halledge/firmware-protocols/internal/stream"
)

const (
	start = 0xFD
	head  = 3 // start byte and length
	// MaxText is the longest text of one frame in bytes, tags included. The module takes about 4 KB; nobody listens so long.
	MaxText = 1000
	maxData = 2 + MaxText // what the length counts at most: command, parameter and text
)

// Command says what a frame wants.
type Command byte

// The commands. All but CmdSpeak stand alone.
const (
	CmdSpeak  Command = 0x01 // parameter and text, see Speech; interrupts what is being said
	CmdStop   Command = 0x02
	CmdPause  Command = 0x03
	CmdResume Command = 0x04
	CmdQuery  Command = 0x21 // answered with Speaking or Idle
	CmdSleep  Command = 0x88
	CmdWake   Command = 0xFF
)

func (c Command) known() bool {
	switch c {
	case CmdSpeak, CmdStop, CmdPause, CmdResume, CmdQuery, CmdSleep, CmdWake:
		return true
	}
	return false
}

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

// The encodings; Unicode is little-endian.
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
var ErrLong = errors.New("xfs5152: longer than a frame")

// AppendFrame appends f as it goes over the line: start byte, length of the rest, command, data.
func AppendFrame(b []byte, f Frame) ([]byte, error) {
	length := 1 + len(f.Data)
	if length > maxData {
		return b, fmt.Errorf("%w: %d bytes of data", ErrLong, len(f.Data))
	}
	b = append(b, start, byte(length>>8), byte(length), byte(f.Command))
	return append(b, f.Data...), nil
}

// Decoder finds frames in what a host sends. The zero value is ready.
type Decoder struct{ stream.Window }

// Next gives the next whole frame; ok is false when more bytes must come. Without a checksum, only a frame with a command that
// exists and the length it must have passes for one.
func (d *Decoder) Next() (f Frame, ok bool) {
	ok = d.Find(func(b []byte) int {
		switch {
		case b[0] != start:
			return -1
		case len(b) <= head:
			return 0
		}
		length, command := int(b[1])<<8|int(b[2]), Command(b[head])
		speaks := command == CmdSpeak
		switch {
		case !command.known() || speaks && (length < 3 || length > maxData) || !speaks && length != 1:
			return -1
		case len(b) < head+length:
			return 0
		}
		f = Frame{Command: command, Data: append([]byte{}, b[head+1:head+length]...)}
		return head + length
	})
	return f, ok
}
