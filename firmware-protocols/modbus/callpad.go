package modbus

import (
	"fmt"
	"strings"
)

// The register map of a call pad, version 1. A pad counts key presses; the host polls the input registers, acts when the
// counter moved, and writes the counter back as acknowledgement, so that the pad can light its lamp.
const (
	PadMapVersion = 1

	PadInputs    = 6 // input registers, from 0: counter, last key, keys held, operator, firmware, map version
	PadHoldings  = 8 // holding registers, from 0
	PadNumberAt  = 0 // three registers: six ASCII characters
	PadWaitingAt = 3
	PadStateAt   = 4
	PadLampsAt   = 5
	PadBeepAt    = 6 // in units of 10 ms
	PadAckAt     = 7
	PadDisplays  = 5 // registers of a PadDisplay, from PadNumberAt

	PadCoilBeep      = 0
	PadCoilBacklight = 1
)

// PadKey is a key of a call pad. The digits are PadDigit0 to PadDigit0+9.
type PadKey uint16

// The keys.
const (
	PadNoKey    PadKey = 0
	PadNext     PadKey = 1
	PadRecall   PadKey = 2
	PadPass     PadKey = 3
	PadTransfer PadKey = 4
	PadPause    PadKey = 5
	PadResume   PadKey = 6
	PadLogin    PadKey = 7
	PadLogout   PadKey = 8
	PadFinish   PadKey = 9
	PadRate     PadKey = 10
	PadConfirm  PadKey = 11 // ends digits
	PadCancel   PadKey = 12
	PadAbandon  PadKey = 13
	PadHold     PadKey = 14
	PadReturn   PadKey = 15 // brings the held ticket back, or the one passed last
	PadStart    PadKey = 16
	PadDigit0   PadKey = 0x30
)

// PadInput is what a pad reports.
type PadInput struct {
	Counter  uint16 // presses since the pad has power; goes on at 0 after 65535
	Key      PadKey // the last one
	Held     uint16 // bit n: key n is held now
	Operator uint16 // number entered at the pad, 0 for none
	Firmware uint16
	Map      uint16
}

// ParsePadInput reads the input registers of a pad.
func ParsePadInput(r []uint16) (PadInput, error) {
	if len(r) != PadInputs {
		return PadInput{}, fmt.Errorf("pad input has %d registers, not %d", len(r), PadInputs)
	}
	return PadInput{Counter: r[0], Key: PadKey(r[1]), Held: r[2], Operator: r[3], Firmware: r[4], Map: r[5]}, nil
}

// Registers gives the input as registers.
func (p PadInput) Registers() []uint16 {
	return []uint16{p.Counter, uint16(p.Key), p.Held, p.Operator, p.Firmware, p.Map}
}

// PadState is what the pad's state lamp shows.
type PadState uint16

// The states.
const (
	PadLoggedOut PadState = 0
	PadIdle      PadState = 1
	PadCalled    PadState = 2
	PadServing   PadState = 3
	PadPaused    PadState = 4
)

// PadDisplay is what a pad shows to staff.
type PadDisplay struct {
	Number  string // at most six ASCII characters
	Waiting uint16
	State   PadState
}

// Registers gives the display as registers from PadNumberAt. It fails when the number is not six ASCII characters or fewer.
func (d PadDisplay) Registers() ([]uint16, error) {
	var text [6]byte
	if copy(text[:], d.Number) != len(d.Number) {
		return nil, fmt.Errorf("number %q is longer than 6 characters", d.Number)
	}
	for _, c := range d.Number {
		if c < ' ' || c > '~' {
			return nil, fmt.Errorf("number %q is not ASCII", d.Number)
		}
	}
	return append(registers(text[:]), d.Waiting, uint16(d.State)), nil
}

// ParsePadDisplay reads the display registers of a pad.
func ParsePadDisplay(r []uint16) (PadDisplay, error) {
	if len(r) != PadDisplays {
		return PadDisplay{}, fmt.Errorf("pad display has %d registers, not %d", len(r), PadDisplays)
	}
	text := appendRegisters(nil, r[:3])
	return PadDisplay{Number: strings.TrimRight(string(text), "\x00"), Waiting: r[PadWaitingAt], State: PadState(r[PadStateAt])}, nil
}

// Pad is a call pad as the far end of the protocol: registers, and answers to requests. It serves the simulated pad.
type Pad struct {
	unit    byte
	input   PadInput
	holding [PadHoldings]uint16
	coils   [2]bool
}

// NewPad makes a pad that has just been switched on.
func NewPad(unit byte) *Pad {
	return &Pad{unit: unit, input: PadInput{Firmware: 1, Map: PadMapVersion}}
}

// Press is a finger on a key.
func (p *Pad) Press(k PadKey) {
	p.input.Counter++
	p.input.Key = k
}

// Display is what the pad shows.
func (p *Pad) Display() PadDisplay {
	d, _ := ParsePadDisplay(p.holding[:PadDisplays]) // the length is right
	return d
}

// Acknowledged is the counter the host acknowledged last.
func (p *Pad) Acknowledged() uint16 { return p.holding[PadAckAt] }

// Beeping reports whether the beeper is on.
func (p *Pad) Beeping() bool { return p.coils[PadCoilBeep] }

// Backlight reports whether the backlight is on.
func (p *Pad) Backlight() bool { return p.coils[PadCoilBacklight] }

// Handle does what a request says. reply is false when the pad stays silent: another unit's request, or a broadcast.
func (p *Pad) Handle(q Request) (answer Response, reply bool) {
	return handle(q, p.unit, p.input.Registers(), p.holding[:], p.coils[:])
}
