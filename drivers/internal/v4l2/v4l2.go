// Package v4l2 gives the pictures of a camera that Linux knows as /dev/video*: Video4Linux 2 as linux/videodev2.h has it, with mapped
// buffers.
package v4l2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Pixel is the form of pictures, as four letters (V4L2_PIX_FMT_*).
type Pixel uint32

// The forms that can be read, the likeliest to be fast first.
const (
	MJPG Pixel = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24 // a JPEG each
	JPEG Pixel = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24 // the same by another name
	GREY Pixel = 'G' | 'R'<<8 | 'E'<<16 | 'Y'<<24 // a byte a pixel
	NV12 Pixel = 'N' | 'V'<<8 | '1'<<16 | '2'<<24 // a byte a pixel, its grey, and then the colours of all
	YU12 Pixel = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24 // the same with colours in another order
	YUYV Pixel = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // two bytes a pixel, of which the first is its grey
	YVYU Pixel = 'Y' | 'V'<<8 | 'Y'<<16 | 'U'<<24 // the same with colours in another order
	UYVY Pixel = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24 // two bytes a pixel, of which the second is its grey
)

// Grey says where a picture that is no JPEG has the greys: the first is byte first of a row, and each next one step bytes further. step
// is 0 of a JPEG.
func (p Pixel) Grey() (first, step int) {
	switch p {
	case GREY, NV12, YU12:
		return 0, 1
	case YUYV, YVYU:
		return 0, 2
	case UYVY:
		return 1, 2
	}
	return 0, 0
}

func (p Pixel) String() string {
	return string([]byte{byte(p), byte(p >> 8), byte(p >> 16), byte(p >> 24)})
}

// What a node can be that is no camera for us.
var (
	ErrNotVideo  = errors.New("no video device")
	ErrNoCapture = errors.New("a video device that takes no pictures")
	ErrNoForm    = errors.New("a camera that sends pictures in no known form")
)

// Wish is how pictures should come: in pixels, and how many a second. A camera may choose what it can instead.
type Wish struct{ Width, Height, Rate int }

// Form is how pictures come.
type Form struct {
	Pixel         Pixel
	Width, Height int // pixels
	Stride        int // bytes of a row; 0 of MJPG and JPEG
}

// Bounds of what a driver may say. Four buffers are what cameras that send late need.
const (
	buffers   = 4
	maxSide   = 8192
	maxBuffer = 64 << 20
)

// look is how long a wait for a picture takes no notice of its context.
const look = 100 * time.Millisecond

// Stream is a camera that is on. It is for one goroutine at a time.
type Stream struct {
	raw    syscall.RawConn
	kernel kernel
	form   Form
	mapped [][]byte

	spoiled int // pictures since the last whole one of which a part was lost on the USB
}

// Start switches a camera on. Its errors are those above, or wrap what the kernel said: EBUSY when another program has it on, ENODEV
// when it is gone, ENOSPC when the USB has no room for its pictures.
func Start(raw syscall.RawConn, w Wish) (*Stream, error) { return start(raw, linux{}, w) }

func start(raw syscall.RawConn, k kernel, w Wish) (*Stream, error) {
	s := &Stream{raw: raw, kernel: k}
	for _, step := range []func(uintptr) error{
		s.isCamera,
		func(fd uintptr) error { return s.choose(fd, w) },
		s.mapBuffers,
		func(fd uintptr) error {
			kind := uint32(kindCapture)
			return named("start", s.kernel.ioctl(fd, reqOn, unsafe.Pointer(&kind)))
		},
	} {
		if err := s.control(step); err != nil {
			s.Stop()
			return nil, err
		}
	}
	return s, nil
}

// Form says how the pictures come.
func (s *Stream) Form() Form { return s.form }

// control calls f with the descriptor, which cannot be closed meanwhile.
func (s *Stream) control(f func(fd uintptr) error) error {
	var err error
	if e := s.raw.Control(func(fd uintptr) { err = f(fd) }); e != nil {
		return e
	}
	return err
}

func named(op string, err error) error {
	if err != nil {
		return fmt.Errorf("video %s: %w", op, err)
	}
	return nil
}

func (s *Stream) isCamera(fd uintptr) error {
	var c capability
	if err := s.kernel.ioctl(fd, reqCapability, unsafe.Pointer(&c)); err != nil {
		if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
			return ErrNotVideo
		}
		return named("capability", err)
	}
	can := c.all
	if can&tellsOfNode != 0 {
		can = c.own // a camera may have other nodes, such as one that tells how long it exposed
	}
	if can&canCapture == 0 || can&canStream == 0 {
		return ErrNoCapture
	}
	return nil
}

// choose takes the best form that the camera has.
func (s *Stream) choose(fd uintptr, w Wish) error {
	has := map[Pixel]bool{}
	for i := range uint32(64) {
		d := description{index: i, kind: kindCapture}
		if s.kernel.ioctl(fd, reqFormats, unsafe.Pointer(&d)) != nil {
			break // the end of the list
		}
		has[d.pixel] = true
	}
	for _, pixel := range [...]Pixel{MJPG, JPEG, GREY, NV12, YU12, YUYV, YVYU, UYVY} {
		if !has[pixel] {
			continue
		}
		f := format{kind: kindCapture, width: uint32(w.Width), height: uint32(w.Height), pixel: pixel}
		if err := s.kernel.ioctl(fd, reqSetFormat, unsafe.Pointer(&f)); err != nil {
			return named("format", err)
		}
		if f.pixel != pixel {
			continue
		}
		if s.form = (Form{Pixel: pixel, Width: int(f.width), Height: int(f.height), Stride: int(f.stride)}); !s.form.sane() {
			return fmt.Errorf("video format: %+v cannot be", s.form)
		}
		p := parameters{kind: kindCapture, numerator: 1, denominator: uint32(w.Rate)}
		_ = s.kernel.ioctl(fd, reqParameters, unsafe.Pointer(&p)) // a camera with one rate has no such request
		lamps := setting{lampFlicker, flickerAt50Hz}              // many begin at 60 Hz, and show bands under lamps of 50 Hz
		_ = s.kernel.ioctl(fd, reqSetting, unsafe.Pointer(&lamps))
		return nil
	}
	return ErrNoForm
}

// sane reports whether pictures can come so.
func (f Form) sane() bool {
	if f.Width < 1 || f.Height < 1 || f.Width > maxSide || f.Height > maxSide {
		return false
	}
	_, step := f.Pixel.Grey()
	return step == 0 || f.Stride >= step*f.Width && f.Stride <= 2*step*maxSide
}

// mapBuffers makes the buffers and gives them to the camera.
func (s *Stream) mapBuffers(fd uintptr) error {
	r := request{count: buffers, kind: kindCapture, memory: memoryMapped}
	if err := s.kernel.ioctl(fd, reqBuffers, unsafe.Pointer(&r)); err != nil {
		return named("buffers", err)
	}
	for i := range min(r.count, 2*buffers) {
		b := buffer{index: i, kind: kindCapture, memory: memoryMapped}
		if err := s.kernel.ioctl(fd, reqBuffer, unsafe.Pointer(&b)); err != nil {
			return named("buffer", err)
		}
		if b.length == 0 || b.length > maxBuffer {
			return fmt.Errorf("video buffer: %d bytes cannot be", b.length)
		}
		m, err := s.kernel.mmap(fd, int64(uint32(b.offset)), int(b.length))
		if err != nil {
			return named("map", err)
		}
		s.mapped = append(s.mapped, m)
		if err := s.kernel.ioctl(fd, reqQueue, unsafe.Pointer(&b)); err != nil {
			return named("queue", err)
		}
	}
	if len(s.mapped) == 0 {
		return fmt.Errorf("video buffers: %w", unix.ENOMEM)
	}
	return nil
}

// Next waits for a picture, at most patience long, and lets take see it: its bytes are the camera's again afterwards. It fails with
// os.ErrDeadlineExceeded when none came, with ctx's error, and else with an error after which the stream is over.
func (s *Stream) Next(ctx context.Context, patience time.Duration, take func(picture []byte)) error {
	s.spoiled = 0
	for end := time.Now().Add(patience); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		taken := false
		if err := s.control(func(fd uintptr) (err error) {
			taken, err = s.dequeue(fd, take)
			return err
		}); err != nil || taken {
			return err
		}
		switch {
		case time.Now().Before(end):
		case s.spoiled > 0:
			return fmt.Errorf("%w: of %d pictures parts were lost on the USB", os.ErrDeadlineExceeded, s.spoiled)
		default:
			return os.ErrDeadlineExceeded
		}
	}
}

// dequeue waits a moment for a picture and gives its buffer back when it was seen.
func (s *Stream) dequeue(fd uintptr, take func([]byte)) (taken bool, err error) {
	ready := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	if n, err := s.kernel.poll(&ready, int(look.Milliseconds())); n == 0 || errors.Is(err, unix.EINTR) {
		return false, nil
	} else if err != nil {
		return false, named("wait", err)
	}
	b := buffer{kind: kindCapture, memory: memoryMapped}
	switch err := s.kernel.ioctl(fd, reqDequeue, unsafe.Pointer(&b)); {
	case errors.Is(err, unix.EAGAIN) && ready.Revents&unix.POLLIN != 0:
		return false, nil
	case errors.Is(err, unix.EAGAIN): // an error and nothing to take: it was pulled
		return false, named("picture", unix.ENODEV)
	case err != nil:
		return false, named("picture", err)
	case int(b.index) >= len(s.mapped):
		return false, fmt.Errorf("video picture: in buffer %d of %d", b.index, len(s.mapped))
	}
	if b.flags&bufferSpoiled == 0 && b.used > 0 {
		m := s.mapped[b.index]
		take(m[:min(int(b.used), len(m))])
		taken = true
	} else {
		s.spoiled++
	}
	return taken, named("queue", s.kernel.ioctl(fd, reqQueue, unsafe.Pointer(&b)))
}

// Stop switches the camera off. It may be called again, and after the device was closed.
func (s *Stream) Stop() {
	_ = s.control(func(fd uintptr) error { // closing the device would do the same
		kind := uint32(kindCapture)
		return s.kernel.ioctl(fd, reqOff, unsafe.Pointer(&kind))
	})
	for _, m := range s.mapped {
		_ = s.kernel.munmap(m) // fails for what is not mapped, and these are
	}
	s.mapped = nil
	_ = s.control(func(fd uintptr) error {
		return s.kernel.ioctl(fd, reqBuffers, unsafe.Pointer(&request{kind: kindCapture, memory: memoryMapped}))
	})
}
