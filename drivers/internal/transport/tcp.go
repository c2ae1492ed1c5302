package transport

import (
	"context"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	dialTimeout = 5 * time.Second
	userTimeout = 20 * time.Second // unacknowledged bytes longer than this mean that the other end is gone
)

// keepAlive notices within 25 s that a silent device lost its power.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

type tcpConn struct {
	*net.TCPConn
	addr string
}

func dialTCP(ctx context.Context, addr string) (Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, badConfig("open "+addr, err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || host == "" {
		return nil, badConfig("open "+addr, &net.AddrError{Err: "must be host:port", Addr: addr})
	}
	d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive, Control: setUserTimeout}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, openError(addr, err)
	}
	return &tcpConn{TCPConn: c.(*net.TCPConn), addr: addr}, nil
}

func setUserTimeout(_, _ string, raw syscall.RawConn) error {
	var err error
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	}); e != nil {
		return e
	}
	return err
}

func (c *tcpConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	return n, ioError("read", c.addr, err)
}

func (c *tcpConn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	return n, ioError("write", c.addr, err)
}

// Drain has nothing to wait for: the kernel goes on sending what it took, also after Close.
func (c *tcpConn) Drain(context.Context) error { return nil }

func (c *tcpConn) PortStatus() (PortStatus, error) {
	return PortStatus{}, unsupported("status", c.addr)
}
