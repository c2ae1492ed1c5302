package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"halledge/drivers/attached"
	"halledge/drivers/internal/usbbulk"
)

// usbConn is a USB device that has no driver in the kernel.
type usbConn struct {
	*usbbulk.Conn
	path string
}

func openUSB(s Spec) (Conn, error) {
	path, err := locate(cmp.Or(s.Root, "/"), s.Path(), attached.USB)
	if err != nil {
		return nil, err
	}
	c, err := usbbulk.Open(path, s.Head)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: a udev rule must give the device to a group of this service, see 70-hall-agent.rules", err)
		}
		return nil, openError(path, err)
	}
	return &usbConn{c, path}, nil
}

func (c *usbConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, ioError("read", c.path, err)
}

func (c *usbConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, ioError("write", c.path, err)
}

// Drain has nothing to wait for: a Write is over when the device has taken its bytes.
func (c *usbConn) Drain(context.Context) error { return nil }

// PortStatus implements Conn.
func (c *usbConn) PortStatus() (PortStatus, error) {
	return PortStatus{}, unsupported("status", c.path)
}
