package drivertest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"sync"

	"halledge/drivers/drivertest/farend"
)

// noiseBytes is more than any frame of any protocol here, so that no decoder may hope for its end.
const noiseBytes = 8 << 10

// tap stands between the cable and the played hardware and can disturb what passes.
type tap struct {
	serve farend.Serve

	mu     sync.Mutex
	lines  map[io.ReadWriter]struct{} // plugged in now
	silent bool
	babel  bool          // says nonsense
	budget int           // bytes that still pass to the hardware before it falls silent; -1 for all
	fell   chan struct{} // closed when the budget is used up
	wakes  sync.WaitGroup
}

// Serve implements farend.Serve.
func (p *tap) Serve(rw io.ReadWriter) {
	p.mu.Lock()
	if p.lines == nil {
		p.lines = make(map[io.ReadWriter]struct{})
	}
	p.lines[rw] = struct{}{}
	p.mu.Unlock()
	p.serve(&tapped{tap: p, rw: rw})
	p.mu.Lock()
	delete(p.lines, rw)
	p.mu.Unlock()
}

// mute makes the hardware deaf and dumb: bytes to it are lost, and what it says is too.
func (p *tap) mute(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent, p.fell = on, nil
}

// muteAfter mutes the hardware in the middle of what comes next: after n bytes more. The channel is closed when that happens.
func (p *tap) muteAfter(n int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget, p.fell = n, make(chan struct{})
	return p.fell
}

// babble makes the hardware say nonsense instead of what it would say.
func (p *tap) babble(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.babel = on
}

// noise writes random bytes to the host, as a bad cable does.
func (p *tap) noise() {
	junk := make([]byte, noiseBytes)
	random := rand.New(rand.NewPCG(1, 2)) // the same in each run
	for i := range junk {
		junk[i] = byte(random.Uint32())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for rw := range p.lines {
		p.wakes.Go(func() { _, _ = rw.Write(junk) }) // a host that reads nothing takes it when it does, or never
	}
}

// quiet waits until the noise is on the line.
func (p *tap) quiet() { p.wakes.Wait() }

// pass counts n bytes on their way to the hardware and gives how many reach it.
func (p *tap) pass(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return 0
	}
	if p.fell == nil {
		return n
	}
	if n < p.budget {
		p.budget -= n
		return n
	}
	n = p.budget
	p.silent = true
	close(p.fell)
	p.fell = nil
	return n
}

func (p *tap) dumb() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent
}

func (p *tap) babbling() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.babel
}

// tapped is the line as the hardware sees it.
type tapped struct {
	tap *tap
	rw  io.ReadWriter
}

func (t *tapped) Read(b []byte) (int, error) {
	for {
		n, err := t.rw.Read(b)
		if err != nil {
			return 0, err
		}
		if n = t.tap.pass(n); n > 0 {
			return n, nil
		}
	}
}

func (t *tapped) Write(b []byte) (int, error) {
	if t.tap.dumb() {
		return len(b), nil
	}
	if t.tap.babbling() { // no frame of any protocol here begins with these, and no printer's status looks like them
		_, err := t.rw.Write(bytes.Repeat([]byte{0xF0, 0xC3, 0x99}, len(b)))
		return len(b), err
	}
	return t.rw.Write(b)
}
