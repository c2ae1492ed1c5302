package v4l2

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structures of linux/videodev2.h, as they are on 64-bit machines.
type (
	// capability is struct v4l2_capability.
	capability struct {
		driver            [16]byte
		card, bus         [32]byte
		version, all, own uint32
		_                 [3]uint32
	}
	// description is struct v4l2_fmtdesc.
	description struct {
		index, kind, flags uint32
		title              [32]byte
		pixel              Pixel
		_                  [4]uint32
	}
	// format is struct v4l2_format around a struct v4l2_pix_format.
	format struct {
		kind, _       uint32
		width, height uint32
		pixel         Pixel
		field, stride uint32
		size          uint32
		_             [176]byte
	}
	// parameters is struct v4l2_streamparm around a struct v4l2_captureparm.
	parameters struct {
		kind, can, mode        uint32
		numerator, denominator uint32 // seconds from picture to picture
		_                      [184]byte
	}
	// setting is struct v4l2_control.
	setting struct {
		what  uint32
		value int32
	}
	// request is struct v4l2_requestbuffers.
	request struct{ count, kind, memory, _, _ uint32 }
	// buffer is struct v4l2_buffer.
	buffer struct {
		index, kind, used, flags, field, _ uint32
		_                                  [2]int64 // when it was taken
		_                                  [4]uint32
		sequence, memory                   uint32
		offset                             uint64
		length                             uint32
		_                                  [3]uint32
	}
)

// Requests: direction (1 the kernel reads, 2 it writes, 3 both), size of the argument, letter and number.
const (
	reqCapability = 2<<30 | unsafe.Sizeof(capability{})<<16 | 'V'<<8
	reqFormats    = 3<<30 | unsafe.Sizeof(description{})<<16 | 'V'<<8 | 2
	reqSetFormat  = 3<<30 | unsafe.Sizeof(format{})<<16 | 'V'<<8 | 5
	reqBuffers    = 3<<30 | unsafe.Sizeof(request{})<<16 | 'V'<<8 | 8
	reqBuffer     = 3<<30 | unsafe.Sizeof(buffer{})<<16 | 'V'<<8 | 9
	reqQueue      = 3<<30 | unsafe.Sizeof(buffer{})<<16 | 'V'<<8 | 15
	reqDequeue    = 3<<30 | unsafe.Sizeof(buffer{})<<16 | 'V'<<8 | 17
	reqOn         = 1<<30 | unsafe.Sizeof(uint32(0))<<16 | 'V'<<8 | 18
	reqOff        = 1<<30 | unsafe.Sizeof(uint32(0))<<16 | 'V'<<8 | 19
	reqParameters = 3<<30 | unsafe.Sizeof(parameters{})<<16 | 'V'<<8 | 22
	reqSetting    = 3<<30 | unsafe.Sizeof(setting{})<<16 | 'V'<<8 | 28
)

// Values of linux/videodev2.h.
const (
	kindCapture   = 1          // V4L2_BUF_TYPE_VIDEO_CAPTURE
	memoryMapped  = 1          // V4L2_MEMORY_MMAP
	bufferSpoiled = 0x40       // V4L2_BUF_FLAG_ERROR
	canCapture    = 1          // V4L2_CAP_VIDEO_CAPTURE
	canStream     = 0x04000000 // V4L2_CAP_STREAMING
	tellsOfNode   = 0x80000000 // V4L2_CAP_DEVICE_CAPS
	lampFlicker   = 0x00980918 // V4L2_CID_POWER_LINE_FREQUENCY
	flickerAt50Hz = 1          // V4L2_CID_POWER_LINE_FREQUENCY_50HZ
)

// kernel is what is asked of the kernel.
type kernel interface {
	// ioctl makes a request about a device.
	ioctl(fd, req uintptr, arg unsafe.Pointer) error
	// poll waits until a device has something, for milliseconds at most.
	poll(fd *unix.PollFd, milliseconds int) (n int, err error)
	mmap(fd uintptr, offset int64, length int) ([]byte, error)
	munmap(b []byte) error
}

// linux is the kernel that runs.
type linux struct{}

// ioctl takes a signal as no reason to fail.
func (linux) ioctl(fd, req uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, req, uintptr(arg))
		switch {
		case errno == 0:
			return nil
		case errors.Is(errno, unix.EINTR):
		default:
			return errno
		}
	}
}

func (linux) poll(fd *unix.PollFd, milliseconds int) (int, error) {
	return unix.Poll(unsafe.Slice(fd, 1), milliseconds)
}

func (linux) mmap(fd uintptr, offset int64, length int) ([]byte, error) {
	return unix.Mmap(int(fd), offset, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (linux) munmap(b []byte) error { return unix.Munmap(b) }
