package escpos

import (
	"io"
	"sync"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/escpos"
)

// paper is what the tests print on.
var paper = escpos.Layout{Columns: 48, Dots: 576, Charset: escpos.GB18030}

// printer plays an ESC/POS printer, switched on anew with each connection unless it is powered. What is on paper stays.
type printer struct {
	powered   bool              // goes on when the cable is pulled
	noBarrier bool              // knows DLE EOT only
	onLine    func(text string) // is called for each line, while nothing else is read

	mu     sync.Mutex
	status escpos.Status
	auto   bool
	told   escpos.Status // in automatic status
	asked  int           // real-time questions
	slip   []escpos.Item // not cut yet
	slips  []string
	drawer bool
	stray  []byte        // comes before the next answer, as one that was asked for long ago
	tail   []byte        // comes after the next answer about paper
	dumb   bool          // has no way back
	slow   bool          // prints nothing for now and says that all is well
	held   []escpos.Item // read while it is stopped or slow
	noise  uint64

	cleared   bool // the jam: it may go on when it is told to
	recovered int  // times it was told
}

func (p *printer) serve(rw io.ReadWriter) {
	parser := escpos.NewParser(paper.Charset)
	if !p.powered {
		p.forget()
	}
	farend.Converse(rw, func(b []byte) (answer []byte) {
		for _, it := range parser.Feed(b) {
			switch it := it.(type) {
			case escpos.StatusRequest:
				answer = append(answer, p.answer(it)...)
			case escpos.Recover:
				p.forget()
				p.recover()
			default:
				p.hold(it)
			}
		}
		for it, ok := p.due(); ok; it, ok = p.due() {
			if line, ok := it.(escpos.Line); ok && p.onLine != nil {
				p.onLine(line.Text())
			}
			answer = append(answer, p.take(it)...)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.noise = parser.Garbage()
		return answer
	})
}

// answer answers in real time.
func (p *printer) answer(q escpos.StatusRequest) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.dumb {
		return nil
	}
	said := append(p.stray, p.status.Reply(q.Query))
	p.stray = nil
	if q.Query == escpos.QueryPaper {
		said, p.tail = append(said, p.tail...), nil
	}
	return said
}

func (p *printer) hold(it escpos.Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, it)
}

// forget loses what is not printed yet, as without power.
func (p *printer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = nil
}

// due gives what is to be printed next.
func (p *printer) due() (escpos.Item, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.held) == 0 || p.status.Offline || p.slow {
		return nil, false
	}
	it := p.held[0]
	p.held = p.held[1:]
	return it, true
}

// recover lets a printer go on whose jam was cleared.
func (p *printer) recover() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recovered++
	if p.cleared {
		p.status, p.slip = escpos.Status{}, nil
	}
}

// take does what the host wants and gives the answer.
func (p *printer) take(it escpos.Item) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch it := it.(type) {
	case escpos.Reset:
		p.slip = nil
	case escpos.Cut:
		p.slips = append(p.slips, paper.Plain(append(p.slip, it)))
		p.slip = nil
	case escpos.Drawer:
		p.drawer = true
	case escpos.AutoStatus:
		p.auto = it.Enabled
	case escpos.PaperRequest:
		if !p.dumb && !p.noBarrier {
			return []byte{p.status.PaperReply()}
		}
	default:
		p.slip = append(p.slip, it)
	}
	if p.auto && p.told != p.status {
		p.told = p.status
		asb := p.status.ASB()
		return asb[:]
	}
	return nil
}

func (p *printer) set(s escpos.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = s
}

// change changes how it behaves.
func (p *printer) change(to func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to()
}

// texts is every slip so far as text.
func (p *printer) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.slips...)
}

// questions counts the real-time questions so far.
func (p *printer) questions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// recoveries counts how often it was told to go on.
func (p *printer) recoveries() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.recovered
}

// garbage counts the bytes on this connection that were neither text nor a command.
func (p *printer) garbage() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.noise
}
