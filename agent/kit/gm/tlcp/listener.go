package tlcp

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tjfoc/gmsm/gmtls"
	"github.com/tjfoc/gmsm/x509"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
)

// handshakes is how many are under way at once. Most wait for their peer: the figure bounds memory, some 20 KiB for each.
const handshakes = 512

// Listener accepts connections whose handshake is done, each with a client that has shown a certificate and its key. What else comes is
// closed, and holds up nobody.
type Listener struct {
	raw    net.Listener
	config Config
	guests *guests

	ready  chan *Conn
	slots  chan struct{}
	ended  chan struct{} // no more connections come
	err    error         // why; read after ended is closed
	closed chan struct{}
	close  sync.Once
	all    sync.WaitGroup

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
	l := &Listener{
		raw: raw, config: c, guests: newGuests(alarm), ready: make(chan *Conn), slots: make(chan struct{}, handshakes),
		ended: make(chan struct{}), closed: make(chan struct{}),
	}
	l.all.Add(1)
	go l.accept()
	return l
}

// Accept implements net.Listener. What it gives is a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-l.ended:
		return nil, l.err
	}
}

// Close implements net.Listener. It ends the handshakes that are under way and waits for them; connections that were handed out stay.
func (l *Listener) Close() error {
	var err error
	l.close.Do(func() {
		close(l.closed)
		err = l.raw.Close()
		l.guests.closeAll()
	})
	l.all.Wait()
	return err
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.raw.Addr() }

// Stats gives the counts.
func (l *Listener) Stats() Stats {
	return Stats{l.done.Load(), l.failed.Load(), l.refused.Load(), l.unusable.Load()}
}

func (l *Listener) accept() {
	defer l.all.Done()
	for {
		raw, err := l.raw.Accept()
		if err != nil {
			l.err = fmt.Errorf("tlcp: accept: %w", err)
			close(l.ended)
			return
		}
		if !l.guests.welcome(addressOf(raw), time.Now()) {
			l.refused.Add(1)
			_ = raw.Close()
			continue
		}
		leave := l.guests.enter(raw, handshakes)
		select {
		case l.slots <- struct{}{}: // who was closed to make room leaves at once
			l.all.Add(1)
			go l.serve(raw, leave)
		case <-l.closed:
			leave()
			_ = raw.Close()
		}
	}
}

// serve completes one handshake and hands the connection out.
func (l *Listener) serve(raw net.Conn, leave func()) {
	defer l.all.Done()
	defer func() { <-l.slots }()
	conn, err := l.handshake(raw)
	leave()
	if err != nil {
		l.failed.Add(1)
		var key *gm.KeyError
		if errors.As(err, &key) {
			l.unusable.Add(1)
		}
		_ = raw.Close()
		return
	}
	l.done.Add(1)
	select {
	case l.ready <- conn:
	case <-l.closed:
		_ = conn.Close()
	}
}

func (l *Listener) handshake(raw net.Conn) (*Conn, error) {
	if err := raw.SetDeadline(time.Now().Add(HandshakeTime)); err != nil {
		return nil, err
	}
	w := &wire{Conn: raw, expected: fromClient}
	var peer *cert.Certificate
	settings := l.config.library(func(raw [][]byte, _ [][]*x509.Certificate) (err error) {
		if peer, err = l.config.clientOf(raw); err != nil {
			w.blame(err)
		}
		return err
	})
	id := l.config.Identity
	settings.Certificates = []gmtls.Certificate{
		{Certificate: [][]byte{id.Sign.DER()}, PrivateKey: newSigner(id.SignKey, w.blame)},
		{Certificate: l.config.chain(id.Enc), PrivateKey: &decrypter{
			key: id.EncKey, broken: w.blame,
			failed: func() { l.guests.failed(addressOf(raw), time.Now()) },
		}},
	}
	inner := gmtls.Server(w, settings)
	if err := w.shake(inner.Handshake); err != nil {
		return nil, err
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
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
	return certs[0], nil
}
