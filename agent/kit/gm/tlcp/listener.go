package tlcp

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/tjfoc/gmsm/gmtls"
	"github.com/tjfoc/gmsm/x509"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/limit"
)

// handshakes is how many are under way at once. Most wait for their peer: the figure bounds memory, some 20 KiB for each.
const handshakes = 512

// Listener accepts connections whose handshake is done, each with a client that has shown a certificate and its key. What else comes is
// closed, and holds up nobody. What Accept gives is a *Conn.
type Listener struct {
	*limit.Greeter
	config   atomic.Pointer[Config]
	suspects *suspects

	done, failed, refused, unusable atomic.Uint64
}

// Stats count connections since the listener began.
type Stats struct {
	Done     uint64 // handed out by Accept, or waiting for it
	Failed   uint64 // whose handshake failed
	Refused  uint64 // of addresses that were kept out
	Unusable uint64 // of those that failed: a key of ours could not be used
}

// Listen takes over a listener; its first error ends this one too, so one that outlives errors which pass comes below. alarm is told of an
// address that sends secrets which cannot be opened (see AlarmAt); it must not block, and may be nil. Close ends everything that Listen
// began.
func Listen(raw net.Listener, c Config, alarm func(address string, failures int)) (*Listener, error) {
	if err := c.check(true); err != nil {
		return nil, err
	}
	return listen(raw, c, alarm), nil
}

func listen(raw net.Listener, c Config, alarm func(string, int)) *Listener {
	l := newListener(c, alarm)
	l.Greeter = limit.Greet(raw, handshakes, HandshakeTime, l.greet)
	return l
}

func newListener(c Config, alarm func(string, int)) *Listener {
	l := &Listener{suspects: newSuspects(alarm)}
	l.config.Store(&c)
	return l
}

// Use makes handshakes that begin from now on use another configuration, such as one with a renewed certificate.
func (l *Listener) Use(c Config) error {
	if err := c.check(true); err != nil {
		return err
	}
	l.config.Store(&c)
	return nil
}

// Stats gives the counts.
func (l *Listener) Stats() Stats {
	return Stats{l.done.Load(), l.failed.Load(), l.refused.Load(), l.unusable.Load()}
}

// greet completes one handshake.
func (l *Listener) greet(raw net.Conn) (net.Conn, error) {
	if !l.suspects.welcome(addressOf(raw), time.Now()) {
		l.refused.Add(1)
		return nil, errRefused
	}
	conn, err := l.handshake(raw)
	if err != nil {
		l.failed.Add(1)
		var key *gm.KeyError
		if errors.As(err, &key) {
			l.unusable.Add(1)
		}
		return nil, err
	}
	l.done.Add(1)
	return conn, nil
}

func (l *Listener) handshake(raw net.Conn) (*Conn, error) {
	config := l.config.Load()
	w := &wire{Conn: raw, expected: fromClient}
	var peer *cert.Certificate
	settings := config.library(func(raw [][]byte, _ [][]*x509.Certificate) (err error) {
		if peer, err = config.clientOf(raw); err != nil {
			w.blame(err)
		}
		return err
	})
	id := config.Identity
	settings.Certificates = []gmtls.Certificate{
		{Certificate: [][]byte{id.Sign.DER()}, PrivateKey: newSigner(id.SignKey, w.blame)},
		{Certificate: config.chain(id.Enc), PrivateKey: &decrypter{
			key: id.EncKey, broken: w.blame,
			failed: func() { l.suspects.failed(addressOf(raw), time.Now()) },
		}},
	}
	inner := gmtls.Server(w, settings)
	if err := w.shake(inner.Handshake); err != nil {
		return nil, err
	}
	return &Conn{inner, raw, peer}, nil
}

// clientOf verifies what a client showed: the certificate it signs with and what is above it.
func (c Config) clientOf(raw [][]byte) (*cert.Certificate, error) {
	certs, err := parsed(raw)
	if err != nil {
		return nil, err
	}
	if err := c.Roots.Verify(certs, cert.Want{At: c.Now(), Role: cert.Client, Use: cert.Signing}); err != nil {
		return nil, err
	}
	if c.Admit != nil {
		if err := c.Admit(certs[0]); err != nil {
			return nil, err
		}
	}
	return certs[0], nil
}
