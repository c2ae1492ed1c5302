package hardware

import (
	"io"
	"regexp"
	"sync"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/escpos"
)

// Slip is what came out of the printer up to a cut.
type Slip struct {
	Number string // the ticket number in the largest letters, or empty
	Items  []escpos.Item
	Layout escpos.Layout
	Bytes  []byte // what made the items
}

// Text draws the slip as lines of text.
func (s Slip) Text() string { return s.Layout.Plain(s.Items) }

// Printer is an 80 mm ESC/POS printer. It answers status questions and hands each slip to Out when it is cut. While it is off line it
// keeps what it is told, and does it when it goes on; switched off, or told to recover without it, it forgets it.
type Printer struct {
	Layout escpos.Layout
	Out    func(Slip)
	Line   func(text string) // if set, is called for each line that is on paper

	mu     sync.Mutex
	status escpos.Status
	asb    bool
	w      io.Writer
}

// NewPrinter gives a printer with paper and a closed cover.
func NewPrinter(out func(Slip)) *Printer {
	return &Printer{Layout: escpos.Layout{Columns: 48, Dots: 576, Charset: escpos.GB18030}, Out: out}
}

// Set changes the printer's condition, for example takes the paper out, and reports it if the host asked for that.
func (p *Printer) Set(change func(*escpos.Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.status)
	p.report()
}

// report sends the automatic status.
func (p *Printer) report() {
	if p.asb && p.w != nil {
		b := p.status.ASB()
		_, _ = p.w.Write(b[:]) // a line that is gone hears nothing
	}
}

// Serve plays the printer on a line.
func (p *Printer) Serve(rw io.ReadWriter) {
	p.mu.Lock()
	p.w, p.asb = rw, false
	p.mu.Unlock()
	parser := escpos.NewParser(p.Layout.Charset)
	var held, slip []step
	var bytes []byte                            // since the last step
	farend.Converse(rw, func(b []byte) []byte { // it answers while it works
		for i := range b {
			bytes = append(bytes, b[i])
			for _, it := range parser.Feed(b[i : i+1]) {
				switch it := it.(type) { // in real time, whatever it is doing
				case escpos.StatusRequest:
					if _, err := p.do(it, rw); err != nil {
						return nil
					}
				case escpos.Recover:
					if p.recovers() && it.Clear {
						held, bytes = nil, nil
					}
				default:
					held = append(held, step{it, bytes})
					bytes = nil
				}
			}
		}
		for len(held) > 0 && !p.stopped() {
			s := held[0]
			held = held[1:]
			cut, err := p.do(s.item, rw)
			if err != nil {
				return nil
			}
			slip = append(slip, s)
			if line, ok := s.item.(escpos.Line); ok && p.Line != nil {
				p.Line(line.Text())
			}
			if cut {
				p.out(slip)
				slip = nil
			}
		}
		return nil
	})
	p.mu.Lock()
	p.w = nil
	p.mu.Unlock()
}

// recovers lets the printer go on if it stopped with an error that can be cleared. The rest, such as an end of the paper, stays.
func (p *Printer) recovers() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.status.Cutter && !p.status.Recoverable {
		return false
	}
	p.status.Cutter, p.status.Recoverable, p.status.Error = false, false, p.status.Unrecoverable || p.status.AutoRecover
	p.status.Offline = p.status.Error || p.status.PaperStop || p.status.CoverOpen
	p.report()
	return true
}

// step is something the printer does, and the bytes that told it to.
type step struct {
	item  escpos.Item
	bytes []byte
}

func (p *Printer) stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status.Offline
}

// do answers what an item asks.
func (p *Printer) do(it escpos.Item, w io.Writer) (cut bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch it := it.(type) {
	case escpos.StatusRequest:
		_, err = w.Write([]byte{p.status.Reply(it.Query)})
	case escpos.PaperRequest:
		_, err = w.Write([]byte{p.status.PaperReply()})
	case escpos.AutoStatus:
		p.asb = it.Enabled
		p.report()
	case escpos.Cut:
		cut = true
	}
	return cut, err
}

func (p *Printer) out(steps []step) {
	s := Slip{Layout: p.Layout}
	for _, st := range steps {
		s.Items = append(s.Items, st.item)
		s.Bytes = append(s.Bytes, st.bytes...)
	}
	s.Number = number(s.Items)
	if p.Out != nil {
		p.Out(s)
	}
}

var ticketNumber = regexp.MustCompile(`^[A-Z]{1,2}[0-9]{3,}$`)

// number finds the ticket number: the largest text that looks like one.
func number(items []escpos.Item) string {
	best, height := "", 1
	for _, it := range items {
		line, ok := it.(escpos.Line)
		if !ok {
			continue
		}
		for _, r := range line.Runs {
			if r.Height > height && ticketNumber.MatchString(r.Text) {
				best, height = r.Text, r.Height
			}
		}
	}
	return best
}
