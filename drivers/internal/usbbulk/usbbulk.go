// Package usbbulk speaks over the bulk endpoints of USB devices that have no driver in the kernel, through usbdevfs. It needs no
// library of the system.
package usbbulk

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	outRoom = 4096 // bytes of one transfer to the device
	inRooms = 32   // transfers that wait on each pipe for what the device says: more than a card and a half on a full-speed bus
)

// Conn is an open USB device. Its errors are os.ErrClosed, os.ErrDeadlineExceeded and, once the device is lost, the system's. On each
// pipe towards us transfers of one packet wait all the time: each ends with its packet, so nothing waits for a packet that ends an
// answer, and the device finds somebody who listens. One goroutine collects the transfers that have ended.
type Conn struct {
	dev   *node
	out   []pipe
	in    []pipe
	ended chan struct{} // the collecting goroutine is through

	mu       sync.Mutex
	changed  *sync.Cond // anything below
	rooms    map[uintptr]int
	ins      []*room
	arrivals arrivals
	sent     *room
	sending  bool // sent is under way
	lost     error
	closed   bool
	reading  deadline
	writing  deadline
}

// deadline is a time after which nobody waits.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// Open opens a node of /dev/bus/usb and takes the function of the device that has bulk endpoints. head is how many bytes of each Write
// and of its answer go over the first pair of pipes, if the device has two; 0 uses one. It fails with the system's errors: EINVAL for
// what has no such function, EBUSY for what another program has.
func Open(path string, head int) (*Conn, error) {
	dev, fn, err := openNode(path)
	if err != nil {
		return nil, err
	}
	c := &Conn{dev: dev, out: fn.out[:1], in: fn.in[:1], ended: make(chan struct{})}
	c.changed = sync.NewCond(&c.mu)
	if head > 0 && len(fn.out) > 1 && len(fn.in) > 1 {
		c.out, c.in, c.arrivals.head = fn.out[:2], fn.in[:2], head
	}
	if err := c.begin(); err != nil {
		return nil, errors.Join(err, dev.f.Close(), dev.release())
	}
	go c.collect()
	return c, nil
}

// begin makes the rooms and lets those of the pipes towards us wait there.
func (c *Conn) begin() error {
	sizes := []int{outRoom}
	for _, p := range c.in {
		for range inRooms {
			sizes = append(sizes, p.packet)
		}
	}
	rooms, err := c.dev.rooms(sizes)
	if err != nil {
		return err
	}
	c.sent, c.ins = rooms[0], rooms[1:]
	c.arrivals.boxes = make([]box, len(c.in))
	c.rooms = make(map[uintptr]int, len(c.ins))
	for i, r := range c.ins {
		c.rooms[uintptr(unsafe.Pointer(r.urb))] = i
		r.urb.endpoint = c.in[i/inRooms].address
		if err := c.dev.submit(r, r.urb.endpoint, len(r.buf)); err != nil {
			return err
		}
	}
	return nil
}

// collect takes the transfers that have ended, until the device is gone or closed.
func (c *Conn) collect() {
	defer close(c.ended)
	err := c.dev.reap(func(at uintptr) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if i, ok := c.rooms[at]; ok {
			box := &c.arrivals.boxes[i/inRooms]
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
func (c *Conn) lose(err error) {
	if c.lost == nil {
		c.lost = err
	}
	c.changed.Broadcast()
}

// over says why nobody waits any more, nil while somebody may.
func (c *Conn) over(d deadline) error {
	switch {
	case c.closed:
		return os.ErrClosed
	case d.passed():
		return os.ErrDeadlineExceeded
	}
	return c.lost
}

// Read gives what has arrived also after the device has gone.
func (c *Conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed || c.reading.passed() {
			return 0, c.over(c.reading)
		}
		room := c.arrivals.first()
		switch {
		case room == nil && c.lost != nil:
			return 0, c.over(c.reading)
		case room == nil:
			c.changed.Wait()
			continue
		case room.urb.status != 0:
			c.failed(room)
			return 0, c.lost
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
func (c *Conn) listen(r *room) {
	clear(r.buf)
	if err := c.dev.submit(r, r.urb.endpoint, len(r.buf)); err != nil {
		c.lose(err)
	}
}

// failed loses the connection over a transfer that went wrong. An endpoint that refused is cleared for the next one.
func (c *Conn) failed(r *room) {
	errno := syscall.Errno(-r.urb.status)
	if errno == syscall.EPIPE {
		c.lose(errors.Join(errno, c.dev.clearHalt(r.urb.endpoint)))
		return
	}
	c.lose(errno)
}

// Write returns when the device has taken b. Over two pipes the head of each Write goes over the first one.
func (c *Conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.over(c.writing); err != nil {
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
func (c *Conn) send(p pipe, b []byte) (int, error) {
	if err := c.over(c.writing); err != nil {
		return 0, err
	}
	copy(c.sent.buf, b)
	if err := c.dev.submit(c.sent, p.address, len(b)); err != nil {
		c.lose(err)
		return 0, err
	}
	c.sending = true
	late := false
	for c.sending {
		switch {
		case c.closed || c.lost != nil:
			return 0, c.over(deadline{})
		case c.writing.passed() && !late:
			late = true
			_ = c.dev.discard(c.sent) // it may have ended meanwhile; it is collected in any case
		default:
			c.changed.Wait()
		}
	}
	if c.closed { // between the end of the transfer and this; the memory is no more
		return 0, os.ErrClosed
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
	return n, c.lost
}

func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *Conn) SetReadDeadline(t time.Time) error  { return c.limit(&c.reading, t) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.limit(&c.writing, t) }

func (c *Conn) limit(d *deadline, t time.Time) error {
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

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer = nil
}

// Close ends all transfers.
func (c *Conn) Close() error {
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
