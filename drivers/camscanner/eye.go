package camscanner

import (
	"context"
	"fmt"
	"image"
	"sync/atomic"
	"time"

	"halledge/drivers/device"
	"halledge/firmware-protocols/qr"
)

// How often a picture is looked at.
const (
	between = 80 * time.Millisecond // from one look to the next while something happens
	idle    = 3 * time.Second       // and while nothing does
	awake   = 3 * time.Second       // how long something goes on happening
	moved   = 50                    // a part in so many of what is in a picture changes when something is held before the camera
)

// How long one picture is looked at: where nothing is, all ways to look at it would take half a second of the processor.
const (
	glance   = 5 * time.Millisecond   // while nothing happens; enough for the first ways
	lookTime = 150 * time.Millisecond // while something does
	stare    = 300 * time.Millisecond // at a code that was seen and not read
	granted  = 4                      // times that qr.Read asks for more time and gets it, also on a machine that is slower than that
)

// What people hold before a camera moves, and is not clear at once.
const (
	unclearFor = 1500 * time.Millisecond // seen for so long without being read, a code cannot be read
	lostAfter  = 700 * time.Millisecond  // not seen for so long, it was taken away
)

// manyBad is how many pictures in a row that are none make a camera one of another kind.
const manyBad = 50

// maxPayload is more than any code of a hall has, in bytes.
const maxPayload = 2 << 10

// eye looks at a camera's pictures. Apart from bad it belongs to the goroutine of watch.
type eye struct {
	scanner *Scanner
	repeat  time.Duration // the same code within this of when it was last seen is no new one
	bad     atomic.Int32  // pictures in a row that could not be unpacked

	looked  time.Time // last look
	stirred time.Time // last change before the camera
	busy    int       // of the last picture looked at

	last   device.Secret // the last code
	lastAt time.Time     // when it was last seen

	since, shown time.Time // a code that was not read: first and last seen
}

// watch looks at the newest picture until ctx ends.
func (e *eye) watch(ctx context.Context, newest *box) {
	e.bad.Store(0)
	e.stirred = time.Time{}
	first := true
	for {
		p, ok := newest.take(ctx)
		if !ok {
			return
		}
		if now := time.Now(); !first && !e.due(p, now) {
			continue
		}
		img, err := p.gray()
		if err != nil {
			e.scanner.session.Garbage(1)
			if e.bad.Add(1) == manyBad {
				return
			}
			continue
		}
		e.bad.Store(0)
		if first {
			first = false
			e.scanner.unread.Read() // a camera shows no code before somebody holds one there
		}
		e.looked, e.busy = time.Now(), p.busy()
		e.test(img)
		e.look(ctx, img)
	}
}

// due reports whether it is time to look at a picture.
func (e *eye) due(p picture, now time.Time) bool {
	since := now.Sub(e.looked)
	if d := p.busy() - e.busy; max(d, -d)*moved > e.busy {
		e.stirred = now
	}
	if e.scanner.tests.Load() != nil || now.Sub(e.stirred) < awake {
		return since >= between
	}
	return since >= idle
}

// look reads a picture. Of several codes the biggest is meant.
func (e *eye) look(ctx context.Context, img *image.Gray) {
	now := time.Now()
	end, asked := now.Add(e.time(now)), 0
	sight := qr.Read(img, func() bool {
		asked++
		return ctx.Err() == nil && (asked <= granted || time.Now().Before(end))
	})
	now = time.Now()
	switch {
	case len(sight.Codes) > 0:
		e.since, e.stirred = time.Time{}, now
		e.read(sight.Codes[0], now)
	case sight.Shown:
		if e.since.IsZero() || now.Sub(e.shown) > lostAfter {
			e.since = now
		}
		e.shown, e.stirred = now, now
		if now.Sub(e.since) >= unclearFor {
			e.since = now
			e.scanner.session.Garbage(1)
			e.scanner.unread.Failed(device.ScanUnreadable, fmt.Sprintf("a code was seen for %s", unclearFor))
		}
	}
}

// time is how long a picture is worth.
func (e *eye) time(now time.Time) time.Duration {
	switch {
	case !e.since.IsZero() && now.Sub(e.shown) <= lostAfter:
		return stare
	case now.Sub(e.stirred) < awake:
		return lookTime
	}
	return glance
}

// read passes a code on, unless it is still the one before.
func (e *eye) read(c qr.Code, now time.Time) {
	again := !e.lastAt.IsZero() && c.Text == e.last.Reveal() && now.Sub(e.lastAt) < e.repeat
	e.last, e.lastAt = device.NewSecret(c.Text), now
	s := e.scanner
	switch {
	case again:
		return
	case len(c.Text) > maxPayload:
		s.session.Garbage(1)
		s.unread.Failed(device.ScanTooLong, fmt.Sprintf("%d bytes", len(c.Text)))
		return
	}
	s.unread.Read()
	select {
	case s.scans <- device.Scan{Payload: e.last, Symbology: identifier(c.Symbology), At: now}:
		s.session.Job()
	default:
		s.cfg.Log.Warn("scan_not_taken", "waiting", len(s.scans))
	}
}

// identifier gives the AIM identifier (ISO/IEC 15424) that scanners send for the same code.
func identifier(s qr.Symbology) string {
	if s == qr.Code128 {
		return "]C0"
	}
	return "]Q1"
}

// test tells a self-test that waits what there is to see.
func (e *eye) test(img *image.Gray) {
	waits := e.scanner.tests.Load()
	if waits == nil {
		return
	}
	select {
	case *waits <- lightOf(img):
	default: // it has seen one
	}
}

// light is how light the lightest of a picture is, but for specks.
type light uint8

// dark says that nothing can be seen, whatever is held before the camera.
func (l light) dark() bool { return l < 12 }

func lightOf(img *image.Gray) light {
	var n [256]int
	all := 0
	for y := 0; y < img.Rect.Dy(); y += 4 {
		for _, v := range img.Pix[y*img.Stride:][:img.Rect.Dx()] {
			n[v]++
			all++
		}
	}
	over := 0
	for v := 255; v > 0; v-- {
		if over += n[v]; over > all/100 {
			return light(v)
		}
	}
	return 0
}

// box holds the newest picture: one that nobody took gives way to the next.
type box struct{ ch chan picture }

func newBox() *box { return &box{make(chan picture, 1)} }

// put is for one goroutine.
func (b *box) put(p picture) {
	select {
	case <-b.ch:
	default:
	}
	b.ch <- p // only here is something sent, so there is room
}

func (b *box) take(ctx context.Context) (picture, bool) {
	select {
	case p := <-b.ch:
		return p, true
	case <-ctx.Done():
		return picture{}, false
	}
}
