package linescanner

import (
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/evdev"
	"halledge/firmware-protocols/scan"
)

// grab takes a scanner that plays a keyboard for us alone: nobody wants codes typed into what has the focus.
func (s *Scanner) grab(conn transport.Conn) error {
	if s.options.typed == "" {
		return nil
	}
	taken, err := transport.Grab(conn)
	if err == nil && !taken {
		s.cfg.Log.Info("scanner_not_taken", "reason", "no input device of this machine")
	}
	return err
}

func (s *Scanner) newDecoder() decoder {
	switch {
	case s.options.ssi:
		return &packets{}
	case s.options.typed != "":
		return typed{evdev.NewTyped(s.options.typed), scan.NewFramer(s.options.framing)}
	}
	return lines{scan.NewFramer(s.options.framing)}
}

// lines decodes what has an end.
type lines struct{ *scan.Framer }

func (l lines) feed(p []byte) ([]scan.Code, []byte) { return l.Feed(p), nil }
func (l lines) pending() bool                       { return l.Pending() }
func (l lines) garbage() int                        { return l.Garbage() }
func (l lines) tooLong() int                        { return l.TooLong() }

func (l lines) flush() ([]scan.Code, []byte) {
	if code, ok := l.Flush(); ok {
		return []scan.Code{code}, nil
	}
	return nil, nil
}

// packets decodes SSI.
type packets struct{ scan.SSIReader }

func (p *packets) flush() ([]scan.Code, []byte) { return nil, p.Flush() }
func (p *packets) pending() bool                { return p.Pending() }
func (p *packets) garbage() int                 { return p.Garbage() }
func (p *packets) tooLong() int                 { return p.TooLong() }

func (p *packets) feed(b []byte) ([]scan.Code, []byte) {
	codes, _, answer := p.Feed(b)
	return codes, answer
}

// typed decodes what is typed.
type typed struct {
	keys *evdev.Typed
	line *scan.Framer
}

func (t typed) feed(p []byte) ([]scan.Code, []byte) { return t.line.Feed(t.keys.Feed(p)), nil }
func (t typed) flush() ([]scan.Code, []byte)        { return lines{t.line}.flush() }
func (t typed) pending() bool                       { return t.line.Pending() || t.keys.Begun() }
func (t typed) garbage() int                        { return t.line.Garbage() + t.keys.Garbage() }
func (t typed) tooLong() int                        { return t.line.TooLong() }
