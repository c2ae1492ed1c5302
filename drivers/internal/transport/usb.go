package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"halledge/drivers/attached"
)

const (
	usbOutRoom = 4096 // bytes of one transfer to the device
	usbInRooms = 32   // transfers that wait on each pipe for what the device says: more than a card and a half on a full-speed bus
)

// usbConn speaks over the bulk endpoints of a USB device that has no driver in the kernel, through its node in /dev/bus/usb. On each
// pipe towards us transfers of one packet wait all the time: each ends with its packet, so nothing waits for a packet that ends an
// answer, and the device finds somebody who listens. One goroutine collects the transfers that have ended.
type usbConn struct {
	path  string
	dev   *usbFile
	out   []usbPipe
	in    []usbPipe
	ended chan struct{} // the collecting goroutine is through

	mu       sync.Mutex
	changed  *sync.Cond // anything below
	rooms    map[uintptr]int
	ins      []*usbRoom
	arrivals usbArrivals
	sent     *usbRoom
	sending  bool // sent is under way
	lost     error
	closed   bool
	reading  usbDeadline
	writing  usbDeadline
}

// usbDeadline is a time after which nobody waits.
type usbDeadline struct {
	at    time.Time
	timer *time.Timer
}

func (d usbDeadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func openUSB(s Spec) (Conn, error) {
	path, err := locate(cmp.Or(s.Root, "/"), s.Path(), attached.USB)
	if err != nil {
		return nil, err
	}
	dev, fn, err := openUSBFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: a udev rule must give the device to a group of this service, see 70-hall-agent.rules", err)
		}
		return nil, openError(path, err)
	}
	c := &usbConn{path: path, dev: dev, out: fn.out[:1], in: fn.in[:1], ended: make(chan struct{})}
	c.changed = sync.NewCond(&c.mu)
	if s.Head > 0 && len(fn.out) > 1 && len(fn.in) > 1 {
		c.out, c.in, c.arrivals.head = fn.out[:2], fn.in[:2], s.Head
	}
	if err := c.begin(); err != nil {
		return nil, openError(path, errors.Join(err, dev.f.Close(), dev.release()))
	}
	go c.collect()
	return c, nil
}

// begin makes the rooms and lets those of the pipes towards us wait there.
func (c *usbConn) begin() error {
	sizes := []int{usbOutRoom}
	for _, p := range c.in {
		for range usbInRooms {
			sizes = append(sizes, p.packet)
		}
	}
	rooms, err := c.dev.rooms(sizes)
	if err != nil {
		return err
	}
	c.sent, c.ins = rooms[0], rooms[1:]
	c.arrivals.boxes = make([]usbBox, len(c.in))
	c.rooms = make(map[uintptr]int, len(c.ins))
	for i, r := range c.ins {
		c.rooms[uintptr(unsafe.Pointer(r.urb))] = i
		r.urb.endpoint = c.in[i/usbInRooms].address
		if err := c.dev.submit(r, r.urb.endpoint, len(r.buf)); err != nil {
			return err
		}
	}
	return nil
}

// collect takes the transfers that have ended, until the device is gone or closed.
func (c *usbConn) collect() {
	defer close(c.ended)
	err := c.dev.reap(func(at uintptr) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if i, ok := c.rooms[at]; ok {
			box := &c.arrivals.boxes[i/usbInRooms]
			box.rooms = append(box.rooms, c.ins[i])
		} else {
			c.sending = false
		}
		c.changed.Broadcast()
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose(err)
}

// lose says that the connection is of no more use.
func (c *usbConn) lose(err error) {
	if c.lost == nil {
		c.lost = err
	}
	c.changed.Broadcast()
}

// over says why nobody waits any more, nil while somebody may.
func (c *usbConn) over(op string, d usbDeadline) error {
	switch {
	case c.closed:
		return os.ErrClosed
	case d.passed():
		return os.ErrDeadlineExceeded
	case c.lost != nil:
		return ioError(op, c.path, c.lost)
	}
	return nil
}

// Read gives what has arrived also after the device has gone.
func (c *usbConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed || c.reading.passed() {
			return 0, c.over("read", c.reading)
		}
		room := c.arrivals.first()
		switch {
		case room == nil && c.lost != nil:
			return 0, c.over("read", c.reading)
		case room == nil:
			c.changed.Wait()
			continue
		case room.urb.status != 0:
			c.failed(room)
			return 0, ioError("read", c.path, c.lost)
		}
		n, empty := c.arrivals.take(b)
		if empty != nil {
			c.listen(empty)
		}
		if n > 0 || len(b) == 0 {
			return n, nil
		}
	}
}

// listen lets a room wait for a packet again.
func (c *usbConn) listen(r *usbRoom) {
	clear(r.buf)
	if err := c.dev.submit(r, r.urb.endpoint, len(r.buf)); err != nil {
		c.lose(err)
	}
}

// failed loses the connection over a transfer that went wrong. An endpoint that refused is cleared for the next one.
func (c *usbConn) failed(r *usbRoom) {
	errno := syscall.Errno(-r.urb.status)
	if errno == syscall.EPIPE {
		c.lose(errors.Join(errno, c.dev.clearHalt(r.urb.endpoint)))
		return
	}
	c.lose(errno)
}

// Write returns when the device has taken b. Over two pipes the head of each Write goes over the first one.
func (c *usbConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.over("write", c.writing); err != nil {
		return 0, err
	}
	for _, stale := range c.arrivals.asked() {
		c.listen(stale)
	}
	n := 0
	for n < len(b) {
		pipe, part := c.out[0], b[n:]
		if len(c.out) > 1 && n < c.arrivals.head {
			part = part[:min(len(part), c.arrivals.head-n)]
		} else if len(c.out) > 1 {
			pipe = c.out[1]
		}
		m, err := c.send(pipe, part[:min(len(part), len(c.sent.buf))])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// send makes one transfer to the device. A deadline that passes ends it early.
func (c *usbConn) send(p usbPipe, b []byte) (int, error) {
	if err := c.over("write", c.writing); err != nil {
		return 0, err
	}
	copy(c.sent.buf, b)
	if err := c.dev.submit(c.sent, p.address, len(b)); err != nil {
		c.lose(err)
		return 0, ioError("write", c.path, err)
	}
	c.sending = true
	late := false
	for c.sending {
		switch {
		case c.closed || c.lost != nil:
			return 0, c.over("write", usbDeadline{})
		case c.writing.passed() && !late:
			late = true
			_ = c.dev.discard(c.sent) // it may have ended meanwhile; it is collected in any case
		default:
			c.changed.Wait()
		}
	}
	n := len(c.sent.bytes())
	clear(c.sent.buf[:len(b)])
	switch {
	case c.sent.urb.status == 0:
		return n, nil
	case late:
		return n, os.ErrDeadlineExceeded
	}
	c.failed(c.sent)
	return n, ioError("write", c.path, c.lost)
}

func (c *usbConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *usbConn) SetReadDeadline(t time.Time) error  { return c.limit(&c.reading, t) }
func (c *usbConn) SetWriteDeadline(t time.Time) error { return c.limit(&c.writing, t) }

func (c *usbConn) limit(d *usbDeadline, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return os.ErrClosed
	}
	d.stop()
	d.at = t
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.changed.Broadcast()
		})
	}
	c.changed.Broadcast()
	return nil
}

func (d *usbDeadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer = nil
}

// Drain has nothing to wait for: a Write is over when the device has taken its bytes.
func (c *usbConn) Drain(context.Context) error { return nil }

// PortStatus implements Conn.
func (c *usbConn) PortStatus() (PortStatus, error) {
	return PortStatus{}, unsupported("status", c.path)
}

// Close ends all transfers.
func (c *usbConn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.reading.stop()
	c.writing.stop()
	c.changed.Broadcast()
	c.mu.Unlock()

	err := c.dev.f.Close()
	<-c.ended
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(err, c.dev.release())
}
