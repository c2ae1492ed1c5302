// Package camera gives fake network cameras: an RTSP server on a port of its own that plays a real H.264 clip for ever on each
// of its paths, asks for a login if told so, and can freeze, hang up or be closed and started again on the same port.
package camera

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
)

// Options say what the cameras are like. The zero value is one camera at /stream without a login.
type Options struct {
	Listen   string   // host:port; empty: 127.0.0.1:0
	Paths    []string // one camera each, such as "/cam1"; empty: "/stream"
	User     string   // empty: no login
	Password string
	// AuthMethods are what the camera offers; empty: digest with MD5, as most do.
	AuthMethods []auth.VerifyMethod
	// Refuse, if set, is the status of every DESCRIBE, such as 453 of a camera that is full.
	Refuse base.StatusCode
	// Certificate, if set, makes it speak TLS; see Certify.
	Certificate *tls.Certificate
	Speed       int // times the clip's 15 frames a second; 0: once
}

// Cameras is a running server.
type Cameras struct {
	opts   Options
	server *gortsplib.Server
	addr   net.Addr
	films  map[string]*film
	frozen atomic.Bool
	stop   chan struct{}
	played sync.WaitGroup

	mu    sync.Mutex
	count Counts
	conns map[*gortsplib.ServerConn]struct{}
}

// Counts are what the clients did since the start.
type Counts struct {
	Connections int // connections accepted
	Describes   int // DESCRIBE requests, with or without a login
	Plays       int
	BadLogins   int // requests that carried a wrong login
}

// Start opens the port and begins to play.
func Start(o Options) (*Cameras, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if len(o.Paths) == 0 {
		o.Paths = []string{"/stream"}
	}
	if len(o.AuthMethods) == 0 {
		o.AuthMethods = []auth.VerifyMethod{auth.VerifyMethodDigestMD5}
	}
	c := &Cameras{
		opts:  o,
		films: make(map[string]*film),
		stop:  make(chan struct{}),
		conns: make(map[*gortsplib.ServerConn]struct{}),
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("open camera port: %w", err)
	}
	rtp, rtcp, err := udpPair(ln.Addr().(*net.TCPAddr).IP)
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	c.addr = ln.Addr()
	door := ln
	if o.Certificate != nil { // below the protocol
		door = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{*o.Certificate}, MinVersion: tls.VersionTLS12})
	}
	c.server = &gortsplib.Server{
		Handler:        c,
		RTSPAddress:    ln.Addr().String(),
		UDPRTPAddress:  rtp.LocalAddr().String(),
		UDPRTCPAddress: rtcp.LocalAddr().String(),
		AuthMethods:    o.AuthMethods,
		Listen:         func(string, string) (net.Listener, error) { return door, nil },
		ListenPacket: func(_, address string) (net.PacketConn, error) {
			if address == rtp.LocalAddr().String() {
				return rtp, nil
			}
			return rtcp, nil
		},
	}
	if err := c.start(); err != nil {
		_ = ln.Close()
		_ = rtp.Close()
		_ = rtcp.Close()
		return nil, err
	}
	return c, nil
}

// start runs the server and gives it its films, which can only be made once it runs. Nobody is answered in between: a client
// that is there at once would be told that its path does not exist.
func (c *Cameras) start() error {
	c.mu.Lock()
	if err := c.server.Start(); err != nil {
		c.mu.Unlock()
		return fmt.Errorf("start camera: %w", err)
	}
	err := c.load()
	c.mu.Unlock()
	if err != nil {
		c.Close()
	}
	return err
}

// load makes a film per path and starts it. mu is held.
func (c *Cameras) load() error {
	packets, err := packetize()
	if err != nil {
		return err
	}
	for i, path := range c.opts.Paths {
		f := &film{packets: packets, frozen: &c.frozen, speed: max(1, c.opts.Speed), first: i * len(packets.frames) / len(c.opts.Paths)}
		f.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{packets.format()}}
		f.stream = &gortsplib.ServerStream{Server: c.server, Desc: &description.Session{Medias: []*description.Media{f.media}}}
		if err := f.stream.Initialize(); err != nil {
			return fmt.Errorf("open stream %s: %w", path, err)
		}
		c.films[path] = f
		c.played.Go(func() { f.play(c.stop) })
	}
	return nil
}

// Addr gives host:port.
func (c *Cameras) Addr() string { return c.addr.String() }

// URL gives the address of one path, without a login.
func (c *Cameras) URL(path string) string {
	if c.opts.Certificate != nil {
		return "rtsps://" + c.Addr() + path
	}
	return "rtsp://" + c.Addr() + path
}

// Certify makes a key and a certificate as cameras have them: their own, of no name that anybody would know.
func Certify() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of a camera: %w", err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "IPCamera"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of a camera: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Counts gives what happened since the start.
func (c *Cameras) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Freeze stops the pictures, or lets them go on; connections stay.
func (c *Cameras) Freeze(on bool) { c.frozen.Store(on) }

// HangUp closes every connection; new ones are taken.
func (c *Cameras) HangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
}

// Close ends the cameras and every connection. Starting again with Listen set to Addr gives the same camera back.
func (c *Cameras) Close() {
	close(c.stop)
	c.played.Wait()
	c.server.Close()
	for _, f := range c.films {
		f.stream.Close()
	}
}

// OnConnOpen implements gortsplib.ServerHandlerOnConnOpen.
func (c *Cameras) OnConnOpen(ctx *gortsplib.ServerHandlerOnConnOpenCtx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.Connections++
	c.conns[ctx.Conn] = struct{}{}
}

// OnConnClose implements gortsplib.ServerHandlerOnConnClose.
func (c *Cameras) OnConnClose(ctx *gortsplib.ServerHandlerOnConnCloseCtx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, ctx.Conn)
}

// OnDescribe implements gortsplib.ServerHandlerOnDescribe.
func (c *Cameras) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	c.mu.Lock()
	c.count.Describes++
	c.mu.Unlock()
	if c.opts.Refuse != 0 {
		return &base.Response{StatusCode: c.opts.Refuse}, nil, nil
	}
	return c.open(ctx.Conn, ctx.Request, ctx.Path)
}

// OnSetup implements gortsplib.ServerHandlerOnSetup.
func (c *Cameras) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return c.open(ctx.Conn, ctx.Request, ctx.Path)
}

// OnPlay implements gortsplib.ServerHandlerOnPlay.
func (c *Cameras) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	c.mu.Lock()
	c.count.Plays++
	c.mu.Unlock()
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// OnStreamWriteError implements gortsplib.ServerHandlerOnStreamWriteError: a slow client loses packets, as with real cameras.
func (c *Cameras) OnStreamWriteError(*gortsplib.ServerHandlerOnStreamWriteErrorCtx) {}

func (c *Cameras) open(conn *gortsplib.ServerConn, req *base.Request, path string) (*base.Response, *gortsplib.ServerStream, error) {
	if c.opts.User != "" && !conn.VerifyCredentials(req, c.opts.User, c.opts.Password) {
		if _, given := req.Header["Authorization"]; given {
			c.mu.Lock()
			c.count.BadLogins++
			c.mu.Unlock()
		}
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.films[path]
	if f == nil || !slices.Contains(c.opts.Paths, path) {
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, f.stream, nil
}

// udpPair opens an even port and the odd one above it, as RTP and RTCP need.
func udpPair(ip net.IP) (rtp, rtcp net.PacketConn, err error) {
	for range 100 {
		rtp, err = net.ListenUDP("udp", &net.UDPAddr{IP: ip})
		if err != nil {
			return nil, nil, fmt.Errorf("open camera RTP port: %w", err)
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			if rtcp, err = net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port + 1}); err == nil {
				return rtp, rtcp, nil
			}
		}
		_ = rtp.Close()
	}
	return nil, nil, fmt.Errorf("no pair of UDP ports is free: %w", err)
}
