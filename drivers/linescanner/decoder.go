package linescanner

import "halledge/firmware-protocols/scan"

func (s *Scanner) newDecoder() decoder {
	if s.options.ssi {
		return &packets{}
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
