package hardware

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/ledtemplate"
	"halledge/firmware-protocols/modbus"
)

// Strip is a window strip that takes frames of a template and never answers.
type Strip struct {
	template *ledtemplate.Template
	address  int

	mu   sync.Mutex
	text string
}

// NewStrip gives a dark strip of the kind "@ address text CR".
func NewStrip(address int) (*Strip, error) {
	t, err := ledtemplate.Parse("40 {address} {text} 0D", ledtemplate.GB2312)
	if err != nil {
		return nil, fmt.Errorf("strip: %w", err)
	}
	return &Strip{template: t, address: address}, nil
}

// Text gives what the strip shows.
func (s *Strip) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

// Serve plays the strip on a line.
func (s *Strip) Serve(rw io.ReadWriter) {
	d := ledtemplate.NewDecoder(s.template)
	farend.Answer(rw, d, func(m ledtemplate.Message) []byte {
		if m.Address == s.address {
			s.mu.Lock()
			s.text = m.Text
			s.mu.Unlock()
		}
		return nil // it never answers
	})
}

// Registers of a RegisterStrip, as the model strip-modbus has them.
const (
	stripText      = 0x0100
	stripTextWords = 4
	stripShow      = 0x0120
	stripWords     = stripShow + 1
)

// RegisterStrip is a window strip with its text in Modbus registers.
type RegisterStrip struct {
	unit byte
	rx   *modbus.RequestDecoder

	mu     sync.Mutex
	memory [stripWords]uint16
	text   string
}

// NewRegisterStrip gives a dark strip with a unit address.
func NewRegisterStrip(unit byte) *RegisterStrip {
	return &RegisterStrip{unit: unit, rx: modbus.NewRequestDecoder(unit)}
}

// Text gives what the strip shows.
func (s *RegisterStrip) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

// Serve plays the strip on a line.
func (s *RegisterStrip) Serve(rw io.ReadWriter) {
	farend.Answer(rw, s.rx, func(q modbus.Request) []byte {
		if q.Unit != s.unit {
			return nil // a broadcast
		}
		return answer(s.obey(q), true)
	})
}

func (s *RegisterStrip) obey(q modbus.Request) modbus.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := modbus.Response{Unit: q.Unit, Function: q.Function, Address: q.Address, Count: uint16(len(q.Values)), Values: q.Values}
	end := int(q.Address) + max(len(q.Values), int(q.Count))
	switch {
	case end > stripWords:
		a.Exception = modbus.IllegalAddress
	case q.Function == modbus.ReadHolding:
		a.Values = append([]uint16(nil), s.memory[q.Address:end]...)
	case q.Function == modbus.WriteRegister, q.Function == modbus.WriteRegisters:
		copy(s.memory[q.Address:], q.Values)
		if q.Address <= stripShow && stripShow < end {
			s.text = textOf(s.memory[stripText:][:stripTextWords])
		}
	default:
		a.Exception = modbus.IllegalFunction
	}
	return a
}

// textOf reads a text from registers, two bytes in each, the first one high.
func textOf(words []uint16) string {
	var b []byte
	for _, w := range words {
		b = append(b, byte(w>>8), byte(w))
	}
	return ledtemplate.GB2312.Decode(bytes.TrimRight(b, "\x00"))
}
