package usbbulk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// urb is struct usbdevfs_urb of linux/usbdevice_fs.h: one transfer on one endpoint.
type urb struct {
	kind     byte
	endpoint byte
	status   int32 // 0, or an errno below 0
	flags    uint32
	buffer   uintptr
	length   int32
	actual   int32
	_        [4]int32 // start_frame, number_of_packets, error_count, signr
	_        uintptr  // usercontext
}

const urbBulk = 3

// claimRequest is struct usbdevfs_disconnect_claim.
type claimRequest struct {
	number uint32
	flags  uint32
	driver [256]byte
}

const claimExcept = 2 // USBDEVFS_DISCONNECT_CLAIM_EXCEPT_DRIVER

// Requests of linux/usbdevice_fs.h: direction (1 the kernel reads, 2 it writes), size of the argument, letter and number.
const (
	reqSubmit    = 2<<30 | unsafe.Sizeof(urb{})<<16 | 'U'<<8 | 10
	reqDiscard   = 'U'<<8 | 11
	reqReap      = 1<<30 | unsafe.Sizeof(uintptr(0))<<16 | 'U'<<8 | 13 // USBDEVFS_REAPURBNDELAY
	reqClearHalt = 2<<30 | unsafe.Sizeof(uint32(0))<<16 | 'U'<<8 | 21
	reqTakeOver  = 2<<30 | unsafe.Sizeof(claimRequest{})<<16 | 'U'<<8 | 27 // USBDEVFS_DISCONNECT_CLAIM
)

// room is a transfer and the room for its bytes.
type room struct {
	urb *urb
	buf []byte
}

// bytes gives what a transfer brought.
func (r *room) bytes() []byte { return r.buf[:max(0, min(int(r.urb.actual), len(r.buf)))] }

// node is an open node of /dev/bus/usb and the memory of its transfers. That is not Go's: the kernel keeps its addresses while a
// transfer is under way.
type node struct {
	f      *os.File
	raw    syscall.RawConn
	memory []byte
}

// openNode opens a node and claims the function of the device that its descriptors lead to. A driver of the kernel's has to leave
// it, another program does not.
func openNode(path string) (*node, function, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, function{}, err
	}
	d := &node{f: os.NewFile(uintptr(fd), path)}
	fn, err := d.claim(fd)
	if err != nil {
		return nil, function{}, errors.Join(err, d.f.Close())
	}
	return d, fn, nil
}

func (d *node) claim(fd int) (function, error) {
	var err error
	if d.raw, err = d.f.SyscallConn(); err != nil {
		return function{}, err
	}
	descriptors := make([]byte, 64<<10) // a configuration has no more
	n, err := unix.Pread(fd, descriptors, 0)
	if err != nil {
		return function{}, err
	}
	fn, err := plan(descriptors[:n])
	if err != nil {
		return function{}, fmt.Errorf("%w: %w", err, unix.EINVAL)
	}
	c := claimRequest{number: uint32(fn.number), flags: claimExcept}
	copy(c.driver[:], "usbfs")
	return fn, d.ioctl(reqTakeOver, unsafe.Pointer(&c))
}

// rooms makes one room of each size.
func (d *node) rooms(sizes []int) ([]*room, error) {
	const head = unsafe.Sizeof(urb{})
	all := 0
	for _, size := range sizes {
		all += int(head) + aligned(size)
	}
	var err error
	if d.memory, err = unix.Mmap(-1, 0, all, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE); err != nil {
		return nil, err
	}
	rooms := make([]*room, len(sizes))
	rest := d.memory
	for i, size := range sizes {
		r := &room{urb: (*urb)(unsafe.Pointer(&rest[0])), buf: rest[head : int(head)+size]}
		r.urb.kind, r.urb.buffer = urbBulk, uintptr(unsafe.Pointer(&r.buf[0]))
		rooms[i], rest = r, rest[int(head)+aligned(size):]
	}
	return rooms, nil
}

// aligned is n up to the next place where an urb may stand.
func aligned(n int) int {
	const word = int(unsafe.Alignof(urb{}))
	return (n + word - 1) / word * word
}

// submit hands a transfer of n bytes to the kernel.
func (d *node) submit(r *room, endpoint byte, n int) error {
	r.urb.endpoint, r.urb.length, r.urb.actual, r.urb.status = endpoint, int32(n), 0, 0
	return d.ioctl(reqSubmit, unsafe.Pointer(r.urb))
}

// discard ends a transfer early; it is reaped as others are.
func (d *node) discard(r *room) error { return d.ioctl(reqDiscard, unsafe.Pointer(r.urb)) }

// clearHalt lets an endpoint speak again that had refused to.
func (d *node) clearHalt(endpoint byte) error {
	number := uint32(endpoint)
	return d.ioctl(reqClearHalt, unsafe.Pointer(&number))
}

// reap calls each with the address of every urb that has ended, until the device is gone or closed, and gives why.
func (d *node) reap(each func(at uintptr)) error {
	var errno syscall.Errno
	err := d.raw.Write(func(fd uintptr) bool { // a node is ready to be written to when an urb has ended
		for {
			var at uintptr
			if _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, reqReap, uintptr(unsafe.Pointer(&at))); errno == 0 {
				each(at)
				continue
			}
			if errno != unix.EINTR {
				return errno != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return err
	}
	return errno
}

// ioctl gives the errno of a request, or os.ErrClosed.
func (d *node) ioctl(request uintptr, arg unsafe.Pointer) error {
	var errno syscall.Errno
	err := d.raw.Control(func(fd uintptr) { _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)) })
	switch {
	case err != nil:
		return os.ErrClosed
	case errno != 0:
		return errno
	}
	return nil
}

// release gives the memory back. Nobody may touch a room after it.
func (d *node) release() error {
	if d.memory == nil {
		return nil
	}
	clear(d.memory)
	memory := d.memory
	d.memory = nil
	return unix.Munmap(memory)
}
