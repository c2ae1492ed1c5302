package gate_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/gm/tlcp"
	"halledge/cloud/internal/pki/pkitest"
)

// tape is a connection to nobody, which keeps what was said first.
type tape struct {
	net.Conn
	said []byte
}

func (p *tape) Write(b []byte) (int, error) { p.said = append(p.said, b...); return len(b), nil }
func (p *tape) Read([]byte) (int, error)    { return 0, io.EOF }

// hello gives the first bytes of a box that comes in.
func hello(t *testing.T, b *pkitest.Box, gm bool) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	p := &tape{Conn: here}
	if gm {
		if c, err := tlcp.Over(t.Context(), p, pkitest.Host, b.TLCPConfig(t)); err == nil {
			_ = c.Close()
		}
	} else if err := tls.Client(p, b.TLSConfig()).HandshakeContext(t.Context()); err == nil {
		t.Fatal("nobody has answered")
	}
	if len(p.said) == 0 {
		t.Fatal("nothing was said")
	}
	return p.said
}

// spoiled gives a copy with a few bytes changed, cut or doubled.
func spoiled(rng *rand.Rand, good []byte) []byte {
	bad := bytes.Clone(good)
	for range 1 + rng.IntN(3) {
		bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
	}
	switch rng.IntN(8) {
	case 0:
		bad = bad[:rng.IntN(len(bad))]
	case 1:
		bad = append(bad, bad[rng.IntN(len(bad)):]...)
	}
	return bad
}

// Threat 6: of thousands of changed hellos and certificates none lets anybody in, and whoever is good comes in all the same.
func TestThreat06ChangedHandshakesLetNobodyIn(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		b := w.Box(t, hall)
		address, good := w.tls.Addr().String(), hello(t, b, gm)
		if gm {
			address = w.tlcp.Addr().String()
		}
		rng := rand.New(rand.NewPCG(6, 9))
		room := make(chan struct{}, 32)
		var all sync.WaitGroup
		for range 2000 {
			bad := spoiled(rng, good)
			room <- struct{}{}
			all.Go(func() {
				defer func() { <-room }()
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = c.Write(bad)
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
			})
		}
		all.Wait()
		if n := w.came.Load(); n != 0 {
			t.Errorf("%d came in", n)
		}
		if _, name, err := w.visit(t, b, gm); err != nil || name != hall {
			t.Errorf("%q: %v", name, err)
		}
	})
}

// Threat 9: a certificate of which one byte is changed is nobody's. Those of TLCP are tried in packages cert and tlcp.
func TestThreat09ChangedCertificatesLetNobodyIn(t *testing.T) {
	w := newWorld(t)
	b := w.Box(t, hall)
	rng := rand.New(rand.NewPCG(9, 9))
	for range 1000 {
		bad := bytes.Clone(b.Issued.TLS)
		bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
		config := b.TLSConfig()
		config.Certificates = nil
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{bad}, PrivateKey: b.TLS}, nil
		}
		d := tls.Dialer{Config: config}
		c, err := d.DialContext(t.Context(), "tcp", w.tls.Addr().String())
		if err != nil {
			continue
		}
		if name, err := hear(c); err == nil {
			t.Fatalf("it is %s", name)
		}
		_ = c.Close()
	}
	if n := w.came.Load(); n != 0 {
		t.Errorf("%d came in", n)
	}
}
