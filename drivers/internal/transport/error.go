package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"halledge/drivers/device"
)

func badConfig(op string, err error) *device.Error {
	return &device.Error{Op: op, Code: device.CodeBadConfig, Err: err}
}

// openError gives the error of an open that failed: absent and forbidden need different people, so they must not look alike.
func openError(where string, err error) *device.Error {
	e := &device.Error{Op: "open " + where, Code: device.CodeOffline, Retry: true, Err: err}
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		e.Code, e.Retry = device.CodePermission, false
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EWOULDBLOCK):
		e.Code = device.CodeBusy
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ELOOP),
		errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		e.Code, e.Retry = device.CodeBadConfig, false
	}
	return e
}

// ioError gives the error of a Read or Write. Anything but a deadline, our own Close and what a printer port says about paper
// means that the connection is lost.
func ioError(op, where string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(err, os.ErrClosed), errors.Is(err, net.ErrClosed):
		return os.ErrClosed
	}
	e := &device.Error{Op: op + " " + where, Code: device.CodeOffline, Retry: true}
	switch {
	case errors.Is(err, syscall.ENOSPC): // usblp: no paper
		e.Code, e.Err = device.CodePaperOut, err
	case errors.Is(err, io.EOF):
		e.Err = ErrGone
	default: // EIO after a hang-up, ENODEV after an unplug, resets and time-outs of TCP
		e.Err = fmt.Errorf("%w: %w", ErrGone, err)
	}
	return e
}

func unsupported(op, where string) *device.Error {
	return &device.Error{Op: op + " " + where, Code: device.CodeUnsupported}
}
