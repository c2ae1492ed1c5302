package transport

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

// usbClaim is struct usbdevfs_disconnect_claim.
type usbClaim struct {
	number uint32
	flags  uint32
	driver [256]byte
}

const claimExcept = 2 // USBDEVFS_DISCONNECT_CLAIM_EXCEPT_DRIVER

// Requests of linux/usbdevice_fs.h: direction (1 the kernel reads, 2 it writes), size of the argument, letter and number.
const (
	usbSubmit    = 2<<30 | unsafe.Sizeof(urb{})<<16 | 'U'<<8 | 10
	usbDiscard   = 'U'<<8 | 11
	usbReap      = 1<<30 | unsafe.Sizeof(uintptr(0))<<16 | 'U'<<8 | 13 // USBDEVFS_REAPURBNDELAY
	usbClearHalt = 2<<30 | unsafe.Sizeof(uint32(0))<<16 | 'U'<<8 | 21
	usbTakeOver  = 2<<30 | unsafe.Sizeof(usbClaim{})<<16 | 'U'<<8 | 27 // USBDEVFS_DISCONNECT_CLAIM
)

// usbRoom is a transfer and the room for its bytes.
type usbRoom struct {
	urb *urb
	buf []byte
}

// bytes gives what a transfer brought.
func (r *usbRoom) bytes() []byte { return r.buf[:max(0, min(int(r.urb.actual), len(r.buf)))] }

// usbFile is an open node of /dev/bus/usb and the memory of its transfers. That is not Go's: the kernel keeps its addresses while a
// transfer is under way.
type usbFile struct {
	f      *os.File
	raw    syscall.RawConn
	memory []byte
}

// openUSBFile opens a node and claims the function of the device that its descriptors lead to. A driver of the kernel's has to leave
// it, another program does not.
func openUSBFile(path string) (*usbFile, usbFunction, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, usbFunction{}, err
	}
	d := &usbFile{f: os.NewFile(uintptr(fd), path)}
	fn, err := d.claim(fd)
	if err != nil {
		return nil, usbFunction{}, errors.Join(err, d.f.Close())
	}
	return d, fn, nil
}

func (d *usbFile) claim(fd int) (usbFunction, error) {
	var err error
	if d.raw, err = d.f.SyscallConn(); err != nil {
		return usbFunction{}, err
	}
	descriptors := make([]byte, 64<<10) // a configuration has no more
	n, err := unix.Pread(fd, descriptors, 0)
	if err != nil {
		return usbFunction{}, err
	}
	fn, err := usbPlan(descriptors[:n])
	if err != nil {
		return usbFunction{}, fmt.Errorf("%w: %w", err, unix.EINVAL)
	}
	c := usbClaim{number: uint32(fn.number), flags: claimExcept}
	copy(c.driver[:], "usbfs")
	return fn, d.ioctl(usbTakeOver, unsafe.Pointer(&c))
}

// rooms makes one room of each size.
func (d *usbFile) rooms(sizes []int) ([]*usbRoom, error) {
	const head = unsafe.Sizeof(urb{})
	all := 0
	for _, size := range sizes {
		all += int(head) + aligned(size)
	}
	var err error
	if d.memory, err = unix.Mmap(-1, 0, all, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE); err != nil {
		return nil, err
	}
	rooms := make([]*usbRoom, len(sizes))
	rest := d.memory
	for i, size := range sizes {
		r := &usbRoom{urb: (*urb)(unsafe.Pointer(&rest[0])), buf: rest[head : int(head)+size]}
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
func (d *usbFile) submit(r *usbRoom, endpoint byte, n int) error {
	r.urb.endpoint, r.urb.length, r.urb.actual, r.urb.status = endpoint, int32(n), 0, 0
	return d.ioctl(usbSubmit, unsafe.Pointer(r.urb))
}

// discard ends a transfer early; it is reaped as others are.
func (d *usbFile) discard(r *usbRoom) error { return d.ioctl(usbDiscard, unsafe.Pointer(r.urb)) }

// clearHalt lets an endpoint speak again that had refused to.
func (d *usbFile) clearHalt(endpoint byte) error {
	number := uint32(endpoint)
	return d.ioctl(usbClearHalt, unsafe.Pointer(&number))
}

// reap calls each with the address of every urb that has ended, until the device is gone or closed, and gives why.
func (d *usbFile) reap(each func(at uintptr)) error {
	var errno syscall.Errno
	err := d.raw.Write(func(fd uintptr) bool { // a node is ready to be written to when an urb has ended
		for {
			var at uintptr
			if _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, usbReap, uintptr(unsafe.Pointer(&at))); errno == 0 {
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
func (d *usbFile) ioctl(request uintptr, arg unsafe.Pointer) error {
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
func (d *usbFile) release() error {
	if d.memory == nil {
		return nil
	}
	clear(d.memory)
	memory := d.memory
	d.memory = nil
	return unix.Munmap(memory)
}
