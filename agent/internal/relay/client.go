package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"golang.org/x/sys/unix"
)

const (
	// requestTimeout bounds every dial and every request, to the camera and to the node.
	requestTimeout = 8 * time.Second
	// userTimeout is how long the kernel keeps a line whose far end acknowledges nothing.
	userTimeout = 10 * time.Second
	sendBuffer  = 256 << 10
	userAgent   = "HallEdge"
)

var errRedirected = errors.New("answered with another address, which is not followed")

// client makes a protocol client for a target. It dials once: a second time would be a redirect.
func client(t target, dial func(ctx context.Context) (net.Conn, error)) *gortsplib.Client {
	var dialled atomic.Bool
	return &gortsplib.Client{
		// TLS is ours, below the tap, so to the library every connection is plain.
		Scheme:       "rtsp",
		Host:         t.hostPort(),
		ReadTimeout:  requestTimeout,
		WriteTimeout: requestTimeout,
		UserAgent:    userAgent,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if dialled.Swap(true) {
				return nil, end(CameraBadAnswer, errRedirected)
			}
			return dial(ctx)
		},
		OnPacketsLost:     func(uint64) {},
		OnDecodeError:     func(error) {},
		OnTransportSwitch: func(error) {},
	}
}

// connect dials one address and, for rtsps, proves the name of the far end.
func connect(ctx context.Context, t target, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: requestTimeout, Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
		}); err != nil {
			return err
		}
		return failed
	}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetWriteBuffer(sendBuffer); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	if !t.tls {
		return conn, nil
	}
	secure := tls.Client(conn, &tls.Config{ServerName: t.host, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return secure, nil
}

// withLogin gives the address with user and password as the protocol library wants them.
func withLogin(u *base.URL, user, password string) *base.URL {
	out := u.Clone()
	if user != "" {
		out.User = url.UserPassword(user, password)
	}
	return out
}
