package fanout

import (
	"sync"
	"time"

	"github.com/pion/rtp"
)

// The pictures kept for newcomers: since the last key frame, but no more than this.
const (
	maxGOPBytes = 2 << 20
	maxGOPTime  = 4 * time.Second
)

// window is how long rates are measured over.
const window = 2 * time.Second

// Publisher is the one source of a camera's pictures.
type Publisher struct {
	hub   *Hub
	code  string
	ended func()

	// These belong to the goroutine that writes.
	assemble assembler
	seq      uint16
	begun    bool

	mu      sync.Mutex
	about   Info
	closed  bool
	subs    map[*Subscription]struct{}
	gop     []*Frame
	gopSize int
	figures Status
	heard   time.Time // last packet
	index   uint64
	// The window that is being measured.
	from          time.Time
	frames, bytes int
}

func newPublisher(h *Hub, code string, a assembler, now time.Time, ended func()) *Publisher {
	return &Publisher{hub: h, code: code, ended: ended, assemble: a, about: a.info(),
		subs: make(map[*Subscription]struct{}), heard: now, from: now}
}

// Write takes the publisher's next packet and gives the picture it completes, or nil. It never blocks. It is called from one
// goroutine at a time; the packet's payload belongs to the hub afterwards.
func (p *Publisher) Write(packet *rtp.Packet) *Frame {
	lost := uint16(0)
	if p.begun {
		// A step back is a camera that began anew: nothing is known to be missing, but the picture is cut all the same.
		lost = packet.SequenceNumber - p.seq - 1
	}
	p.seq, p.begun = packet.SequenceNumber, true
	out, ts, key := p.assemble.add(packet, lost != 0)
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = now
	p.figures.Packets++
	p.bytes += len(packet.Payload)
	if lost < 1<<15 {
		p.figures.Lost += uint64(lost)
	}
	p.about = p.assemble.info()
	if out == nil || p.closed {
		p.measure(now)
		return nil
	}
	p.index++
	f := &Frame{Index: p.index, Packets: out, Timestamp: ts, Key: key, At: now}
	for _, o := range out {
		f.Bytes += len(o.Payload)
	}
	p.frames++
	p.figures.Frames++
	p.figures.LastFrame = now
	p.keep(f)
	p.measure(now)
	for s := range p.subs {
		s.offer(f)
	}
	return f
}

// keep holds the picture for newcomers. mu is held.
func (p *Publisher) keep(f *Frame) {
	if f.Key {
		p.gop, p.gopSize = nil, 0
		p.figures.LastKey = f.At
	} else if len(p.gop) == 0 {
		return
	}
	p.gop = append(p.gop, f)
	p.gopSize += f.Bytes
	if p.gopSize > maxGOPBytes || f.At.Sub(p.gop[0].At) > maxGOPTime {
		p.gop, p.gopSize = nil, 0
	}
}

// measure closes a window. mu is held.
func (p *Publisher) measure(now time.Time) {
	d := now.Sub(p.from)
	if d < window {
		return
	}
	p.figures.FPS = float64(p.frames) / d.Seconds()
	p.figures.BitsPS = int64(float64(p.bytes) * 8 / d.Seconds())
	p.from, p.frames, p.bytes = now, 0, 0
}

// Close ends the publication and every subscription.
func (p *Publisher) Close() {
	p.hub.leave(p)
	p.end()
}

// end closes the subscriptions.
func (p *Publisher) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	for s := range p.subs {
		close(s.frames)
	}
	p.subs, p.gop = nil, nil
}

func (p *Publisher) silent(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Sub(p.heard) > silence
}

func (p *Publisher) status(now time.Time) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.figures
	s.Info, s.GOPFrames = p.about, len(p.gop)
	if now.Sub(p.heard) > 2*window {
		s.FPS, s.BitsPS = 0, 0
	}
	return s
}

// subscribe adds a receiver. Its Start and what comes after are without a gap.
func (p *Publisher) subscribe() (*Subscription, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrOffline
	}
	s := &Subscription{Start: append([]*Frame(nil), p.gop...), p: p, frames: make(chan *Frame, backlog), skipping: len(p.gop) == 0}
	p.subs[s] = struct{}{}
	return s, nil
}

// backlog is how many pictures may wait for a receiver: some three seconds.
const backlog = 64

// Subscription is one receiver of a camera's pictures.
type Subscription struct {
	// Start is the key frame to begin with and the pictures since; empty when none is kept, then the first picture to come is a
	// key frame.
	Start []*Frame

	p        *Publisher
	frames   chan *Frame
	skipping bool   // until the next key frame; belongs to p.mu
	skipped  uint64 // pictures
}

// offer gives a picture if the receiver keeps up, else everything up to the next key frame is left out. p.mu is held.
func (s *Subscription) offer(f *Frame) {
	if s.skipping && !f.Key {
		s.skipped++
		return
	}
	select {
	case s.frames <- f:
		s.skipping = false
	default:
		s.skipping = true
		s.skipped++
	}
}

// Frames gives the pictures after Start, in order. It is closed when the publication ends.
func (s *Subscription) Frames() <-chan *Frame { return s.frames }

// Again gives the pictures to begin anew with, up to and including the one at index: what Start would be for a receiver that
// has taken that one. It is empty when none are kept, or when the receiver is a whole group behind.
func (s *Subscription) Again(index uint64) []*Frame {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	gop := s.p.gop
	for len(gop) > 0 && gop[len(gop)-1].Index > index {
		gop = gop[:len(gop)-1]
	}
	return append([]*Frame(nil), gop...)
}

// Skipped counts the pictures left out because the receiver was slow, and those before its first key frame.
func (s *Subscription) Skipped() uint64 {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return s.skipped
}

// Close ends the subscription. It may be called after the publication ended.
func (s *Subscription) Close() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	delete(s.p.subs, s)
}
