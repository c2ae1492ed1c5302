package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/gm/tlcp"
	"halledge/firmware-protocols/hallsync"
)

// Transport is how a connection to the centre is secured. Nobody ever takes another one than was asked for.
type Transport string

// The transports.
const (
	Plain Transport = "tcp"  // not at all: on this machine only
	TLS   Transport = "tls"  // TLS 1.3
	TLCP  Transport = "tlcp" // GB/T 38636
)

// handshakeTime is how long connecting and the handshake may take together.
const handshakeTime = 10 * time.Second

// RevokedError is a far end whose certificate is over before its time.
type RevokedError struct{ Serial string }

func (e *RevokedError) Error() string { return "identity: revoked certificate " + e.Serial }

// HolderError is a far end whose certificate is good, and not the centre's.
type HolderError struct{ Name string }

func (e *HolderError) Error() string {
	return "identity: certificate of " + strconv.Quote(e.Name) + ", not of the centre"
}

// isCentre tells the centre from whoever else has a certificate for a host, such as the pages of a hall.
func isCentre(name string) error {
	if name != hallsync.CentreName {
		return &HolderError{name}
	}
	return nil
}

// LoopbackError is a plain connection that would leave this machine.
type LoopbackError struct{ Address string }

func (e *LoopbackError) Error() string { return "identity: no plain connection to " + e.Address }

// Dial connects to a server of the centre at host:port. Both ends show certificates, the server one for host that our roots have issued and
// nobody has revoked; plain connections stay on this machine. It fails with *Fault, CodeNotEnrolled without certificates of ours,
// *RevokedError, *LoopbackError, and with what net, crypto/tls and tlcp fail with.
func (i *Identity) Dial(ctx context.Context, by Transport, address string) (net.Conn, error) {
	return i.DialBy(ctx, by, address, func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	})
}

// DialBy is Dial over a connection that the caller opens his own way.
func (i *Identity) DialBy(ctx context.Context, by Transport, address string, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	p := i.papers()
	if p == nil && by != Plain {
		return nil, &Fault{Code: CodeNotEnrolled}
	}
	raw, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	switch by {
	case Plain:
		if remote, ok := raw.RemoteAddr().(*net.TCPAddr); !ok || !remote.IP.IsLoopback() {
			return nil, errors.Join(&LoopbackError{address}, raw.Close())
		}
		return raw, nil
	case TLS:
		return i.overTLS(ctx, raw, host, p)
	case TLCP:
		return i.overTLCP(ctx, raw, host, p)
	}
	return nil, errors.Join(fmt.Errorf("identity: no transport %q", by), raw.Close())
}

// secure completes a TLS handshake over a connection, which it closes when that fails.
func secure(ctx context.Context, raw net.Conn, c *tls.Config) (*tls.Conn, error) {
	conn := tls.Client(raw, c)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}

// tlsConfig is for connections to a host of the centre, where we show certificates or none.
func (i *Identity) tlsConfig(p *papers, host string, show ...tls.Certificate) *tls.Config {
	return &tls.Config{
		RootCAs: p.roots, ServerName: host, Certificates: show, MinVersion: tls.VersionTLS13, Time: i.Now,
		VerifyConnection: func(s tls.ConnectionState) error {
			c := s.PeerCertificates[0]
			return errors.Join(isCentre(c.Subject.CommonName), i.notRevoked(c))
		},
	}
}

// notRevoked looks a server's certificate up in the list.
func (i *Identity) notRevoked(c *x509.Certificate) error {
	if serial := serialOf(c); i.isRevoked(serial) {
		return &RevokedError{serial}
	}
	return nil
}

func serialOf(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }

func (i *Identity) overTLS(ctx context.Context, raw net.Conn, host string, p *papers) (net.Conn, error) {
	secured, err := secure(ctx, raw, i.tlsConfig(p, host, p.tls))
	if err != nil {
		return nil, err
	}
	return i.hold(secured, raw, serialOf(secured.ConnectionState().PeerCertificates[0]))
}

func (i *Identity) overTLCP(ctx context.Context, raw net.Conn, host string, p *papers) (net.Conn, error) {
	conn, err := tlcp.Over(ctx, raw, host, tlcp.Config{
		Identity: tlcp.Identity{Sign: p.tlcp.sign, SignKey: i.own.sign, Enc: p.tlcp.encrypt, EncKey: p.tlcp.encryptKey},
		Roots:    p.sm2, Now: i.Now,
	})
	if err != nil {
		return nil, err
	}
	if err := isCentre(conn.Peer().CN()); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return i.hold(conn, raw, strings.ToLower(conn.Peer().Serial()))
}

// conn is a connection that ends when the far end's certificate is revoked.
type conn struct {
	net.Conn
	raw    net.Conn // below it
	i      *Identity
	serial string // of the far end's certificate
}

// hold gives a connection that is open as long as the far end's certificate is not revoked.
func (i *Identity) hold(secured, raw net.Conn, serial string) (net.Conn, error) {
	c := &conn{secured, raw, i, serial}
	i.mu.Lock()
	i.live[c] = struct{}{}
	i.mu.Unlock()
	if i.isRevoked(serial) { // during the handshake, too
		return nil, errors.Join(&RevokedError{serial}, c.Close())
	}
	return c, nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.i.mu.Lock()
	delete(c.i.live, c)
	c.i.mu.Unlock()
	return c.Conn.Close()
}

// Refused reports whether a connection failed because the far end did not take our certificate: it ended the handshake, or the first that
// came after it.
func Refused(err error) bool {
	var alert tlcp.AlertError
	var op *net.OpError
	return errors.As(err, &alert) || errors.As(err, &op) && op.Op == "remote error" // of crypto/tls: an alert
}

// Unproven reports whether a connection failed because the far end did not prove to be the centre.
func Unproven(err error) bool {
	var tlsErr *tls.CertificateVerificationError
	var tlcpErr *cert.Error
	var revoked *RevokedError
	var holder *HolderError
	return errors.As(err, &tlsErr) || errors.As(err, &tlcpErr) || errors.As(err, &revoked) || errors.As(err, &holder)
}

// pinned gives the TLS root that a code's pin names, from what the server at an address shows. Nothing is sent to it: the handshake ends
// as soon as the certificates are here, since nobody is trusted yet.
func pinned(ctx context.Context, address, host string, pin hallsync.RootPin, now func() time.Time) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{RootCAs: x509.NewCertPool(), ServerName: host, MinVersion: tls.VersionTLS13, Time: now}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err == nil { // nobody can prove anything to an empty pool
		return nil, errors.Join(&Fault{Code: CodePin}, conn.Close())
	}
	var shown *tls.CertificateVerificationError
	if !errors.As(err, &shown) {
		return nil, &Fault{Code: CodeUnreached, Args: map[string]string{"address": address}, Err: err}
	}
	for _, c := range shown.UnverifiedCertificates {
		if hallsync.PinOf(gm.Sum(c.RawSubjectPublicKeyInfo)) == pin && c.IsCA {
			return c, nil
		}
	}
	return nil, &Fault{Code: CodePin, Args: map[string]string{"address": address}}
}
