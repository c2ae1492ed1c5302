// Package ub485 gives the frames of the four-button pads of the open-source queue program QSystem (57600 8N1, RS-485), both sides. It
// follows the notes in that program; the pad has no other public description.
//
// A button is 01 ADDR CODE 07 from the pad; the host sets the lamp with the same shape and the display with 01 ADDR MODE C C C 07.
// Nothing is checked and nothing acknowledged.
package ub485

import (
	"fmt"
	"strings"

	"halledge/firmware-protocols/internal/stream"
)

// Button is one of the four.
type Button byte

// The buttons, from the left.
const (
	Button1 Button = 0x31
	Button2 Button = 0x32
	Button3 Button = 0x33
	Button4 Button = 0x34
)

// Lamp is what the lamp does.
type Lamp byte

// The lamps. Beeping adds the buzzer, for half a second.
const (
	Dark        Lamp = 0x30
	Red         Lamp = 0x31
	Green       Lamp = 0x32
	RedFast     Lamp = 0x33 // blinks
	GreenFast   Lamp = 0x34
	RedSlow     Lamp = 0x35
	GreenSlow   Lamp = 0x36
	lastSilent       = GreenSlow
	lastBeeping      = lastSilent + beep

	beep = 7
)

// Beeping gives the lamp with the buzzer.
func (l Lamp) Beeping() Lamp {
	if l > lastSilent {
		return l
	}
	return l + beep
}

// Mode is how the display shows its text.
type Mode byte

// The modes. A number of blinks is Blinks(n).
const (
	Steady   Mode = 0x20
	Blinking Mode = 0x21
)

// Blinks makes the display blink n times, 1 to 94.
func Blinks(n int) Mode { return Blinking + Mode(min(max(n, 1), 94)) }

const (
	head, end = 0x01, 0x07
	shortLen  = 4
	textLen   = 7
	cells     = 3 // of the display
)

// AppendButton appends what a pad sends when a button is pressed.
func AppendButton(dst []byte, address byte, b Button) []byte {
	return append(dst, head, address, byte(b), end)
}

// AppendLamp appends the order to a pad's lamp.
func AppendLamp(dst []byte, address byte, l Lamp) []byte {
	return append(dst, head, address, byte(l), end)
}

// AppendText appends the order to show the last three characters of a text, which must be ASCII.
func AppendText(dst []byte, address byte, m Mode, text string) ([]byte, error) {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return dst, fmt.Errorf("text %q is not ASCII", text)
		}
	}
	if len(text) > cells {
		text = text[len(text)-cells:]
	}
	dst = append(dst, head, address, byte(m))
	dst = append(dst, fmt.Sprintf("%-3s", text)...)
	return append(dst, end), nil
}

// Press is a button of a pad.
type Press struct {
	Address byte
	Button  Button
}

// Decoder finds the presses of pads in what a line delivers. The zero value is ready.
type Decoder struct{ stream.Window }

// Next gives the next press, if it is there.
func (d *Decoder) Next() (p Press, ok bool) {
	ok = d.Find(func(b []byte) int {
		switch {
		case !begins(b):
			return -1
		case len(b) < shortLen:
			return 0
		}
		p = Press{Address: b[1], Button: Button(b[2])}
		return shortLen
	})
	return p, ok
}

// begins reports whether b can be the beginning of a press, or is one.
func begins(b []byte) bool {
	return b[0] == head &&
		(len(b) < 2 || b[1] != 0) &&
		(len(b) < 3 || b[2] >= byte(Button1) && b[2] <= byte(Button4)) &&
		(len(b) < shortLen || b[3] == end)
}

// Pad is a pad as the far end of the protocol. It serves the simulated pad.
type Pad struct {
	address byte
	line    stream.Window
	lamp    Lamp
	beeps   int
	text    string
	mode    Mode
}

// NewPad makes a pad with an address, just switched on.
func NewPad(address byte) *Pad { return &Pad{address: address, lamp: Dark} }

// Press is a finger on a button. It gives what the pad sends.
func (p *Pad) Press(b Button) []byte { return AppendButton(nil, p.address, b) }

// Hear takes what the line delivers.
func (p *Pad) Hear(b []byte) {
	p.line.Push(b)
	for p.line.Find(p.take) {
	}
}

// take obeys the order at the beginning of what was heard and gives its length: -1 if there is none, 0 if more is needed to know.
func (p *Pad) take(b []byte) int {
	switch {
	case b[0] != head:
		return -1
	case len(b) < shortLen:
		return 0
	case b[3] == end && b[2] >= byte(Dark) && b[2] <= byte(lastBeeping):
		if b[1] == p.address {
			p.light(Lamp(b[2]))
		}
		return shortLen
	case b[2] < byte(Steady):
		return -1
	case len(b) < textLen:
		return 0
	case b[6] != end:
		return -1
	}
	if b[1] == p.address {
		p.mode, p.text = Mode(b[2]), strings.TrimRight(string(b[3:6]), " ")
	}
	return textLen
}

func (p *Pad) light(l Lamp) {
	if l > lastSilent {
		l, p.beeps = l-beep, p.beeps+1
	}
	p.lamp = l
}

// Lamp is what the lamp does.
func (p *Pad) Lamp() Lamp { return p.lamp }

// Beeps counts how often the buzzer sounded.
func (p *Pad) Beeps() int { return p.beeps }

// Shows is the text of the display and how it is shown.
func (p *Pad) Shows() (string, Mode) { return p.text, p.mode }
