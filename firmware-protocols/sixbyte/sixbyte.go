// Package sixbyte gives the frames of a six-byte call pad on RS-485 (9600 8N1), both sides. The only public source are comments in one
// kiosk program whose author did not get it to work: treat it as a guess until a pad has answered.
//
// A frame is TO FROM COMMAND HIGH LOW FF. There is no checksum; a pad waits 100 ms after each frame.
package sixbyte

import (
	"fmt"
	"time"

	"halledge/firmware-protocols/internal/stream"
)

// Gap is the silence after each frame of the host.
const Gap = 100 * time.Millisecond

// Command says what a frame is about.
type Command byte

// Commands of a pad.
const (
	Next   Command = 0x00
	Recall Command = 0x02
	Login  Command = 0x06
	Logout Command = 0x1A
)

// Commands of the host.
const (
	ShowNumber  Command = 0x01
	LoggedIn    Command = 0x05
	LoggedOut   Command = 0x07 // also: login refused
	ShowWaiting Command = 0x1C
)

const (
	frameLen = 6
	end      = 0xFF
	filler   = 0x73
)

// Frame is one message.
type Frame struct {
	To, From  byte
	Command   Command
	High, Low byte
}

// Plain gives a frame that carries no number.
func Plain(to, from byte, c Command) Frame { return Frame{to, from, c, filler, filler} }

// Number gives a frame that carries a number from 0 to 9999, as two bytes of BCD. That it is BCD is an assumption of the source.
func Number(to, from byte, c Command, n int) (Frame, error) {
	if n < 0 || n > 9999 {
		return Frame{}, fmt.Errorf("number %d: a pad shows 0 to 9999", n)
	}
	return Frame{to, from, c, bcd(n / 100), bcd(n % 100)}, nil
}

func bcd(n int) byte { return byte(n/10<<4 | n%10) }

// Value is the number that a frame carries; ok is false if it is no BCD.
func (f Frame) Value() (n int, ok bool) {
	for _, b := range [...]byte{f.High, f.Low} {
		if b>>4 > 9 || b&15 > 9 {
			return 0, false
		}
		n = n*100 + int(b>>4)*10 + int(b&15)
	}
	return n, true
}

// Append appends the frame to dst.
func (f Frame) Append(dst []byte) []byte {
	return append(dst, f.To, f.From, byte(f.Command), f.High, f.Low, end)
}

// Decoder finds frames to one address in what a line delivers.
type Decoder struct {
	stream.Window
	to       byte
	commands [256]bool
}

// NewDecoder makes a decoder of frames to an address with one of the commands: with nothing else to go by, all others are noise.
func NewDecoder(to byte, commands ...Command) *Decoder {
	d := &Decoder{to: to}
	for _, c := range commands {
		d.commands[c] = true
	}
	return d
}

// Next gives the next frame, if it is there.
func (d *Decoder) Next() (f Frame, ok bool) {
	ok = d.Find(func(b []byte) int {
		switch {
		case !d.begins(b):
			return -1
		case len(b) < frameLen:
			return 0
		}
		f = Frame{b[0], b[1], Command(b[2]), b[3], b[4]}
		return frameLen
	})
	return f, ok
}

// begins reports whether b can be the beginning of a frame, or is one.
func (d *Decoder) begins(b []byte) bool {
	return b[0] == d.to &&
		(len(b) < 2 || b[1] != 0 && b[1] != end && b[1] != d.to) &&
		(len(b) < 3 || d.commands[b[2]]) &&
		(len(b) < 4 || b[3] != end) &&
		(len(b) < 5 || b[4] != end) &&
		(len(b) < frameLen || b[5] == end)
}

// Pad is a pad as the far end of the protocol. It serves the simulated pad.
type Pad struct {
	address, host byte
	rx            *Decoder
	number        int
	waiting       int
	loggedIn      bool
}

// NewPad makes a pad that has just been switched on.
func NewPad(address, host byte) *Pad {
	return &Pad{address: address, host: host, rx: NewDecoder(address, ShowNumber, LoggedIn, LoggedOut, ShowWaiting)}
}

// Press is a finger on a key. It gives what the pad sends.
func (p *Pad) Press(c Command) []byte { return Plain(p.host, p.address, c).Append(nil) }

// Hear takes what the line delivers.
func (p *Pad) Hear(b []byte) {
	p.rx.Push(b)
	for f, ok := p.rx.Next(); ok; f, ok = p.rx.Next() {
		n, isNumber := f.Value()
		switch {
		case f.Command == LoggedIn:
			p.loggedIn = true
		case f.Command == LoggedOut:
			p.loggedIn = false
		case f.Command == ShowNumber && isNumber:
			p.number = n
		case f.Command == ShowWaiting && isNumber:
			p.waiting = n
		}
	}
}

// Shows gives the number and the people waiting on the display, and whether the pad is logged in.
func (p *Pad) Shows() (number, waiting int, loggedIn bool) { return p.number, p.waiting, p.loggedIn }
