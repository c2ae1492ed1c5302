package hardware

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"halledge/firmware-protocols/modbus"
	"halledge/firmware-protocols/onbon"
)

// Scanner is a serial code scanner that sends what it reads and a carriage return.
type Scanner struct{ plug plug }

// Scan reads a code; ok is false while the scanner is not plugged in.
func (s *Scanner) Scan(payload string) (ok bool, err error) {
	return s.plug.send([]byte(payload + "\r"))
}

// Spoil sends what no code can be: control characters and bytes that are no text.
func (s *Scanner) Spoil() (ok bool, err error) { return s.plug.send([]byte("\x05\x06\xff\xfe\x07\r")) }

// Overlong sends more than any code of a hall has.
func (s *Scanner) Overlong() (ok bool, err error) {
	return s.plug.send(append(bytes.Repeat([]byte("X"), 3000), '\r'))
}

// Serve plays the scanner on a line. It takes commands and ignores them: the trigger is always on.
func (s *Scanner) Serve(rw io.ReadWriter) {
	s.plug.in(rw)
	defer s.plug.in(nil)
	readLoop(rw, func([]byte) error { return nil })
}

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
	readLoop(rw, func(b []byte) error {
		d.Push(b)
		for {
			f, ok := d.Next()
			if !ok {
				return nil
			}
			answer, reply := p.handle(f)
			if !reply {
				continue
			}
			out, err := onbon.AppendFrame(nil, answer)
			if err != nil {
				return err
			}
			if _, err := rw.Write(out); err != nil {
				return err
			}
		}
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
	readLoop(rw, func(b []byte) error {
		out, err := p.handle(b)
		if err != nil || len(out) == 0 {
			return err
		}
		_, err = rw.Write(out)
		return err
	})
}

func (p *Pad) handle(b []byte) (out []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return answers(p.rx, p.pad.Handle, b)
}
