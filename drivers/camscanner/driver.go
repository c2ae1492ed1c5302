// Package camscanner drives cameras as scanners: it reads the QR codes and bars that a USB camera sees, on paper and on phones.
package camscanner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/internal/v4l2"
	"halledge/drivers/registry"
)

const (
	// backlog is how many codes wait for their reader. An older code is of no use to anybody: its citizen has gone on.
	backlog = 4
	// patience is how long a camera that is there may send nothing that is a picture. Some need seconds for their first one.
	patience = 5 * time.Second
	// testTime is how long a self-test waits for a picture.
	testTime = 3 * time.Second
)

// Scanner is one camera. It implements device.Scanner and device.SelfTester.
type Scanner struct {
	cfg     registry.Config
	session *session.Session
	wish    v4l2.Wish
	scans   chan device.Scan
	unread  *session.Unread
	eye     eye
	tests   atomic.Pointer[chan light] // set while a self-test waits for a picture
}

// New makes a camera; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	wish := v4l2.Wish{Rate: o.Int("rate", 15, 1, 60)}
	size := o.OneOf("size", "1280x720", "640x480", "1280x720", "1920x1080")
	if _, err := fmt.Sscanf(size, "%dx%d", &wish.Width, &wish.Height); err != nil {
		o.Reject("size", "must be WIDTHxHEIGHT")
	}
	repeat := o.Duration("repeat", 2*time.Second, 500*time.Millisecond, 10*time.Second)
	if err := o.Err(); err != nil {
		return nil, err
	}
	line := session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log})
	s := &Scanner{
		cfg: cfg, session: line, wish: wish,
		scans:  make(chan device.Scan, backlog),
		unread: line.NewUnread(device.CodeUnclear),
	}
	s.eye = eye{scanner: s, repeat: repeat}
	return s, nil
}

// Run implements device.Device.
func (s *Scanner) Run(ctx context.Context) error {
	defer close(s.scans)
	defer s.unread.Close()
	return s.session.Run(ctx, s.cfg.Open, s.serve)
}

// Health implements device.Device.
func (s *Scanner) Health() device.Health { return s.session.Health() }

// Scans implements device.Scanner.
func (s *Scanner) Scans() <-chan device.Scan { return s.scans }

// Unread implements device.Scanner.
func (s *Scanner) Unread() <-chan device.Unread { return s.unread.C() }

// source gives a camera's pictures one after the other; take must be done with a picture when it returns. It fails with
// os.ErrDeadlineExceeded where none came for patience.
type source interface {
	next(ctx context.Context, take func(picture)) error
	stop()
}

// serve takes all pictures, so that none waits, while another goroutine looks at the newest.
func (s *Scanner) serve(ctx context.Context, conn transport.Conn) (err error) {
	src, err := s.source(conn)
	if err != nil {
		return err
	}
	defer src.stop()
	ctx, cancel := context.WithCancelCause(ctx)
	newest, looked := newBox(), make(chan error, 1)
	go func() {
		err := s.session.Guard(func() error {
			s.eye.watch(ctx, newest)
			return nil
		})
		cancel(err)
		looked <- err
	}()
	defer func() {
		cancel(nil)
		err = cmp.Or(<-looked, err)
	}()
	for {
		if err := src.next(ctx, newest.put); err != nil {
			return s.verdict(err)
		}
		if s.eye.bad.Load() >= manyBad {
			return &device.Error{Op: "read", Code: device.CodeBadReply, Retry: true, Err: session.ErrNonsense}
		}
	}
}

// source switches a camera on, or, where there is no video device, takes the line as a stream of JPEGs.
func (s *Scanner) source(conn transport.Conn) (source, error) {
	raw, ok := transport.Raw(conn)
	if !ok {
		return &lineSource{conn: conn, scanner: s}, nil
	}
	stream, err := v4l2.Start(raw, s.wish)
	switch {
	case errors.Is(err, v4l2.ErrNotVideo):
		return &lineSource{conn: conn, scanner: s}, nil
	case err != nil:
		return nil, s.verdict(err)
	}
	form := stream.Form()
	s.cfg.Log.Info("camera on", "form", form.Pixel.String(), "width", form.Width, "height", form.Height)
	return &camera{stream}, nil
}

// verdict says what an error of a camera means.
func (s *Scanner) verdict(err error) error {
	var de *device.Error
	e := &device.Error{Op: "video", Code: device.CodeBadReply, Retry: true, Err: err}
	switch {
	case errors.As(err, &de), errors.Is(err, context.Canceled), errors.Is(err, os.ErrClosed):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.Code = device.CodeNoPicture
	case errors.Is(err, v4l2.ErrNoCapture), errors.Is(err, v4l2.ErrNoForm):
		e.Code, e.Retry = device.CodeUnsupported, false
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.ENOSPC): // another program, or other devices on the USB
		e.Code = device.CodeBusy
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EIO):
		e.Code, e.Err = device.CodeOffline, fmt.Errorf("%w: %w", transport.ErrGone, err)
	}
	return e
}

// SelfTest takes a picture and looks whether there is anything on it.
func (s *Scanner) SelfTest(ctx context.Context) error {
	const op = "self-test"
	seen := make(chan light, 1)
	if !s.tests.CompareAndSwap(nil, &seen) {
		return &device.Error{Op: op, Code: device.CodeBusy, Retry: true}
	}
	defer s.tests.Store(nil)
	if h := s.session.Health(); h.State == device.Offline || h.State == device.Unusable || h.State == device.Starting {
		return &device.Error{Op: op, Code: device.CodeOffline, Retry: true}
	}
	late := time.NewTimer(testTime)
	defer late.Stop()
	select {
	case l := <-seen:
		if l.dark() {
			return &device.Error{Op: op, Code: device.CodeNoPicture, Retry: true, Err: errors.New("the picture is black: the lens is covered, or there is no light")}
		}
		return nil
	case <-late.C:
		return &device.Error{Op: op, Code: device.CodeNoPicture, Retry: true}
	case <-ctx.Done():
		return &device.Error{Op: op, Code: device.CodeTimeout, Retry: true, Err: ctx.Err()}
	}
}
