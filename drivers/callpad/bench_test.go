package callpad

import (
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/firmware-protocols/modbus"
)

// slow is a line that takes its time, as bytes on copper do, and notes when each pad was asked.
type slow struct {
	io.ReadWriter
	baud  int
	there byte // units up to this one answer; the others may wait

	mu    sync.Mutex
	asked map[byte]time.Time
	worst time.Duration
	polls int
}

// lasts ends after d: a line of copper carries its bytes in no less.
func lasts(d time.Duration) { <-time.NewTimer(d).C }

// thinks is what a pad needs before it answers.
const thinks = 2 * time.Millisecond

func (s *slow) passes(n int) { lasts(time.Duration(n) * 10 * time.Second / time.Duration(s.baud)) }

func (s *slow) Read(b []byte) (int, error) {
	n, err := s.ReadWriter.Read(b)
	s.passes(n)
	if n >= 2 && b[0] <= s.there && modbus.Function(b[1]) == modbus.ReadInput {
		s.mu.Lock()
		defer s.mu.Unlock()
		now := time.Now()
		if last, ok := s.asked[b[0]]; ok {
			s.worst = max(s.worst, now.Sub(last))
		}
		s.asked[b[0]] = now
		s.polls++
	}
	return n, err
}

func (s *slow) Write(b []byte) (int, error) {
	lasts(thinks)
	s.passes(len(b))
	return s.ReadWriter.Write(b)
}

func (s *slow) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.worst, s.polls = map[byte]time.Time{}, 0, 0
}

// BenchmarkSixteenPads says how long the longest pause between two polls of a pad that answers is, at 9600 baud.
func BenchmarkSixteenPads(b *testing.B) {
	for name, absent := range map[string]int{"all there": 0, "four absent": 4} {
		b.Run(name, func(b *testing.B) { sixteen(b, 16-absent) })
	}
}

func sixteen(b *testing.B, there int) {
	var units []byte
	for u := range there {
		units = append(units, byte(u+1))
	}
	far := newLine(units...)
	s := &slow{baud: 9600, there: byte(there), asked: map[byte]time.Time{}}
	cable := drivertest.Cable(b, func(rw io.ReadWriter) {
		s.ReadWriter = rw
		far.serve(s)
	})
	pads := build(b, cable.Path(), 16)
	for _, p := range pads {
		drivertest.Run(b, p)
	}
	for _, p := range pads[:there] {
		drivertest.Reaches(b, p, device.OK, "")
	}
	s.forget()
	b.ResetTimer()
	for i := 0; i < b.N; i++ { // a round: each pad that answers was asked once more
		drivertest.Until(b, "a round", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.polls >= (i+1)*there
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.ReportMetric(float64(s.worst.Milliseconds()), "worst-ms")
	lost := uint64(0)
	for _, p := range pads[:there] {
		lost += p.Health().Counters.Failures
	}
	b.ReportMetric(float64(lost), "lost")
}

func build(b *testing.B, path string, n int) (pads []*Pad) {
	r := reg()
	for u := range n {
		d, err := r.Build(model(), site(path, map[string]string{"unit": strconv.Itoa(u + 1)}), quiet())
		if err != nil {
			b.Fatal(err)
		}
		pads = append(pads, d.(*Pad))
	}
	return pads
}
