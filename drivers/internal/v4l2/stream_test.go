package v4l2

import (
	"errors"
	"maps"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// played answers as the kernel does for a camera (Documentation/userspace-api/media/v4l).
type played struct {
	forms  []Pixel
	fail   map[uintptr]syscall.Errno // requests that it refuses
	frames []frame                   // that come, one a poll
	gone   bool                      // pulled after them

	format   format
	settings []setting
	queued   map[uint32]bool
	ready    *frame
	mapped   int // areas
	running  bool
}

type frame struct {
	data  string
	flags uint32
}

func (p *played) Control(f func(uintptr)) error { f(3); return nil }

func (p *played) Read(func(uintptr) bool) error { return syscall.EINVAL }

func (p *played) Write(func(uintptr) bool) error { return syscall.EINVAL }

const area = 4096 // bytes of a buffer

func (p *played) mmap(uintptr, int64, int) ([]byte, error) {
	p.mapped++
	return make([]byte, area), nil
}

func (p *played) munmap([]byte) error {
	p.mapped--
	return nil
}

func (p *played) poll(fd *unix.PollFd, milliseconds int) (int, error) {
	switch {
	case len(p.frames) > 0:
		p.ready, p.frames = &p.frames[0], p.frames[1:]
		fd.Revents = unix.POLLIN
		return 1, nil
	case p.gone:
		fd.Revents = unix.POLLERR | unix.POLLHUP
		return 1, nil
	}
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	return 0, nil
}

func (p *played) ioctl(_, req uintptr, arg unsafe.Pointer) error {
	if errno, ok := p.fail[req]; ok {
		return errno
	}
	switch req {
	case reqCapability:
		*(*capability)(arg) = capability{all: tellsOfNode | canCapture, own: canCapture | canStream}
	case reqFormats:
		d := (*description)(arg)
		if int(d.index) >= len(p.forms) {
			return unix.EINVAL
		}
		d.pixel = p.forms[d.index]
	case reqSetFormat:
		f := (*format)(arg)
		if _, step := f.pixel.Grey(); step > 0 {
			f.width, f.height = 640, 480 // what it can
			f.stride = uint32(step) * f.width
		}
		p.format = *f
	case reqSetting:
		p.settings = append(p.settings, *(*setting)(arg))
	case reqQueue:
		p.queued[(*buffer)(arg).index] = true
	case reqBuffer:
		(*buffer)(arg).length = area
	case reqDequeue:
		return p.dequeue((*buffer)(arg))
	case reqOn:
		p.running = true
	case reqOff:
		p.running = false
	}
	return nil
}

func (p *played) dequeue(b *buffer) error {
	switch {
	case p.ready == nil && p.gone:
		return unix.ENODEV
	case p.ready == nil:
		return unix.EAGAIN
	}
	b.index = slices.Min(slices.Collect(maps.Keys(p.queued)))
	delete(p.queued, b.index)
	b.used, b.flags = uint32(len(p.ready.data)), p.ready.flags
	p.ready = nil
	return nil
}

func playing(p played, t *testing.T) (*played, *Stream, error) {
	t.Helper()
	p.queued = map[uint32]bool{}
	s, err := start(&p, &p, Wish{1280, 720, 15})
	return &p, s, err
}

func TestStartTakesTheBestForm(t *testing.T) {
	t.Parallel()
	for want, has := range map[Pixel][]Pixel{
		MJPG: {YUYV, MJPG}, YUYV: {YUYV}, UYVY: {'H' | '2'<<8 | '6'<<16 | '4'<<24, UYVY}, NV12: {YUYV, NV12},
	} {
		p, s, err := playing(played{forms: has}, t)
		if err != nil || s.Form().Pixel != want || !p.running || len(p.queued) != buffers {
			t.Fatalf("%v: %v, %d buffers", has, err, len(p.queued))
		}
		if f := s.Form(); want != MJPG && (f.Width != 640 || f.Stride < 640) {
			t.Errorf("%s: %+v, not what the camera chose", want, f)
		}
		s.Stop()
		if p.running || p.mapped > 0 {
			t.Errorf("%s: after its end running %v, %d areas mapped", want, p.running, p.mapped)
		}
	}
}

// Whatever refuses at the start, nothing stays mapped and the reason is told.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		played
		want error
	}{
		"has no form":                {played{forms: []Pixel{'H' | '2'<<8 | '6'<<16 | '4'<<24}}, ErrNoForm},
		"another program set it":     {played{forms: []Pixel{MJPG}, fail: map[uintptr]syscall.Errno{reqSetFormat: unix.EBUSY}}, unix.EBUSY},
		"another program streams":    {played{forms: []Pixel{MJPG}, fail: map[uintptr]syscall.Errno{reqBuffers: unix.EBUSY}}, unix.EBUSY},
		"no room on the USB":         {played{forms: []Pixel{MJPG}, fail: map[uintptr]syscall.Errno{reqOn: unix.ENOSPC}}, unix.ENOSPC},
		"pulled":                     {played{forms: []Pixel{MJPG}, fail: map[uintptr]syscall.Errno{reqQueue: unix.ENODEV}}, unix.ENODEV},
		"pulled before it was asked": {played{fail: map[uintptr]syscall.Errno{reqCapability: unix.ENODEV}}, unix.ENODEV},
	} {
		p, _, err := playing(c.played, t)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if p.mapped > 0 || p.running {
			t.Errorf("%s: %d areas mapped, running %v", name, p.mapped, p.running)
		}
	}
}

// A camera with one rate, or one that knows nothing of lamps, is none the worse for it; others are told of ours.
func TestStartWithoutRate(t *testing.T) {
	t.Parallel()
	p, _, err := playing(played{forms: []Pixel{MJPG}, fail: map[uintptr]syscall.Errno{reqParameters: unix.EINVAL}}, t)
	if err != nil || !slices.Equal(p.settings, []setting{{lampFlicker, flickerAt50Hz}}) {
		t.Errorf("%v, set %v", err, p.settings)
	}
	if _, _, err := playing(played{forms: []Pixel{MJPG}, fail: map[uintptr]syscall.Errno{reqSetting: unix.EINVAL}}, t); err != nil {
		t.Error(err)
	}
}

// A picture of which a part was lost, or that is empty, is passed over, and its buffer goes back to the camera.
func TestNextPassesOverSpoiledPictures(t *testing.T) {
	t.Parallel()
	p, s, err := playing(played{forms: []Pixel{MJPG}, frames: []frame{
		{"half", bufferSpoiled}, {"", 0}, {"half", bufferSpoiled}, {"half", bufferSpoiled}, {"half", bufferSpoiled}, {"whole", 0},
	}}, t)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	if err := s.Next(t.Context(), time.Hour, func(b []byte) { got = len(b) }); err != nil || got != len("whole") {
		t.Errorf("%d bytes, %v", got, err)
	}
	if len(p.queued) != buffers {
		t.Errorf("%d of %d buffers are with the camera", len(p.queued), buffers)
	}
}

// A driver that says a picture is longer than its buffer is not believed.
func TestNextBelievesNoLength(t *testing.T) {
	t.Parallel()
	_, s, err := playing(played{forms: []Pixel{MJPG}, frames: []frame{{string(make([]byte, 2*area)), 0}}}, t)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Next(t.Context(), time.Hour, func(b []byte) {
		if len(b) != area {
			t.Errorf("%d bytes", len(b))
		}
	}); err != nil {
		t.Error(err)
	}
}

func TestNextTellsWhyThereIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		played
		want  error
		parts bool
	}{
		"pulled":         {played{gone: true}, unix.ENODEV, false},
		"pulled later":   {played{frames: []frame{{"half", bufferSpoiled}}, gone: true}, unix.ENODEV, false},
		"silence":        {played{}, os.ErrDeadlineExceeded, false},
		"only parts":     {played{frames: []frame{{"half", bufferSpoiled}, {"half", bufferSpoiled}}}, os.ErrDeadlineExceeded, true},
		"internal error": {played{frames: []frame{{"", 0}}, fail: map[uintptr]syscall.Errno{reqDequeue: unix.EIO}}, unix.EIO, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.forms = []Pixel{MJPG}
				_, s, err := playing(c.played, t)
				if err != nil {
					t.Fatal(err)
				}
				err = s.Next(t.Context(), 2*time.Second, func([]byte) { t.Error("a picture") })
				if !errors.Is(err, c.want) || c.want == os.ErrDeadlineExceeded && c.parts == (err == os.ErrDeadlineExceeded) {
					t.Error(err)
				}
			})
		})
	}
}
