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

	"halledge/agent/internal/relay/pin"
)

const (
	// requestTimeout bounds every dial and every request, to the camera and to the node.
	requestTimeout = 8 * time.Second
	// userTimeout is how long the kernel keeps a line whose far end acknowledges nothing.
	userTimeout = 10 * time.Second
	sendBuffer  = 256 << 10
	userAgent   = "HallEdge"
)

var (
	errRedirected = errors.New("answered with another address, which is not followed")
	errAnother    = errors.New("another machine answers at the camera's address")
)

// client makes a protocol client for host:port. It dials once: a second time would be a redirect.
func client(hostPort string, dial func(ctx context.Context) (net.Conn, error)) *gortsplib.Client {
	var dialled atomic.Bool
	return &gortsplib.Client{
		// TLS and TLCP are ours, below the tap and the sink, so to the library every connection is plain.
		Scheme:       "rtsp",
		Host:         hostPort,
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

// dialTCP opens a connection on which a far end that went away is noticed soon.
func dialTCP(ctx context.Context, addr string) (net.Conn, error) {
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
	return conn, nil
}

// connect dials one address of the camera. A machine that is not the camera is told nothing: no name, no password. Nobody issues
// certificates to cameras: what counts is the key in it, which the handshake proves.
func (f *feed) connect(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := dialTCP(ctx, addr)
	if err != nil {
		return nil, err
	}
	var seen pin.Machine
	if seen.MAC, err = pin.MACOf(conn); err != nil {
		f.log.Warn("network card of camera not seen", "error", err)
	}
	if !f.source.tls {
		if err := f.meet(seen); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
	secure := tls.Client(conn, &tls.Config{
		ServerName: f.source.host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true,
		VerifyConnection: func(c tls.ConnectionState) error {
			seen.Key = pin.KeyOf(c.PeerCertificates[0])
			return f.meet(seen)
		},
	})
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return secure, nil
}

// meet refuses a machine that is not the camera.
func (f *feed) meet(seen pin.Machine) error {
	if f.pin.See(seen) == pin.Changed {
		return end(CameraChanged, errAnother)
	}
	return nil
}

// withLogin gives the address with user and password as the protocol library wants them.
func withLogin(u *base.URL, user, password string) *base.URL {
	out := u.Clone()
	if user != "" {
		out.User = url.UserPassword(user, password)
	}
	return out
}
