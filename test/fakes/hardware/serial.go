package hardware

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/modbus"
	"halledge/firmware-protocols/onbon"
)

// Scanner is a serial code scanner that sends what it reads and a carriage return.
// It takes commands and ignores them: the trigger is always on.
type Scanner struct{ farend.Voice }

// Scan reads a code. It gives false while the scanner is not plugged in, as do those that follow.
func (s *Scanner) Scan(payload string) bool { return s.Send([]byte(payload + "\r")) }

// Spoil sends what no code can be: control characters and bytes that are no text.
func (s *Scanner) Spoil() bool { return s.Send([]byte("\x05\x06\xff\xfe\x07\r")) }

// Overlong sends more than any code of a hall has.
func (s *Scanner) Overlong() bool { return s.Send(append(bytes.Repeat([]byte("X"), 3000), '\r')) }

// Panel is an Onbon LED panel.
type Panel struct {
	Changed func(lines []string) // called when what it shows has changed

	mu    sync.Mutex
	panel *onbon.Panel
	shown []string
}

// NewPanel gives a blank panel with a screen number.
func NewPanel(screen uint16, changed func([]string)) *Panel {
	return &Panel{panel: onbon.NewPanel(screen), Changed: changed}
}

// Lines gives what the panel shows.
func (p *Panel) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.panel.Lines()
}

// Serve plays the panel on a line.
func (p *Panel) Serve(rw io.ReadWriter) {
	var d onbon.Decoder
	farend.Answer(rw, &d, func(f onbon.Frame) []byte {
		answer, reply := p.handle(f)
		if !reply {
			return nil
		}
		out, err := onbon.AppendFrame(nil, answer)
		if err != nil {
			return nil
		}
		return out
	})
}

func (p *Panel) handle(f onbon.Frame) (onbon.Frame, bool) {
	p.mu.Lock()
	answer, reply := p.panel.Handle(f)
	lines := p.panel.Lines()
	changed := !slices.Equal(lines, p.shown)
	p.shown = lines
	p.mu.Unlock()
	if changed && p.Changed != nil {
		p.Changed(lines)
	}
	return answer, reply
}

// Pad is a Modbus call pad.
type Pad struct {
	mu  sync.Mutex
	pad *modbus.Pad
	rx  *modbus.RequestDecoder
}

// NewPad gives a pad with a unit address.
func NewPad(unit byte) *Pad {
	return &Pad{pad: modbus.NewPad(unit), rx: modbus.NewRequestDecoder(unit)}
}

// Press is a finger on a key.
func (p *Pad) Press(k modbus.PadKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pad.Press(k)
}

// Display gives what the pad shows to staff.
func (p *Pad) Display() modbus.PadDisplay {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pad.Display()
}

// Serve plays the pad on a line.
func (p *Pad) Serve(rw io.ReadWriter) {
	farend.Answer(rw, p.rx, func(q modbus.Request) []byte {
		p.mu.Lock()
		defer p.mu.Unlock()
		return answer(p.pad.Handle(q))
	})
}
