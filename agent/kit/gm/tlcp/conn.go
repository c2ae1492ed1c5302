package tlcp

import (
	"net"
	"time"

	"github.com/tjfoc/gmsm/gmtls"

	"halledge/agent/kit/gm/cert"
)

// closeTime is how long the word that we close may take to a peer that does not read.
const closeTime = time.Second

// Conn is a connection whose handshake is done. Nothing a peer sends on it makes it panic, and it never renegotiates. A connection that
// was cut reads io.ErrUnexpectedEOF; io.EOF is the peer's own end.
type Conn struct {
	inner *gmtls.Conn
	raw   net.Conn
	peer  *cert.Certificate
}

// PeerCN gives the common name of the peer's certificate, which has been verified.
func (c *Conn) PeerCN() string { return c.peer.CN() }

// Peer gives the certificate that the peer signs with.
func (c *Conn) Peer() *cert.Certificate { return c.peer }

// NetConn gives the connection below, for closing it without a word.
func (c *Conn) NetConn() net.Conn { return c.raw }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (n int, err error) {
	defer c.contain(&n, &err)
	return c.inner.Read(p)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	defer c.contain(&n, &err)
	return c.inner.Write(p)
}

// Close implements net.Conn.
func (c *Conn) Close() (err error) {
	defer c.contain(nil, &err)
	_ = c.raw.SetWriteDeadline(time.Now().Add(closeTime)) // one that cannot be set is closed already
	return c.inner.Close()
}

// contain turns a panic of the library into an error, after which the connection is of no use.
func (c *Conn) contain(n *int, err *error) {
	if recover() == nil {
		return
	}
	if n != nil {
		*n = 0
	}
	*err = ErrHostile
	_ = c.raw.Close()
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.raw.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.raw.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.raw.SetWriteDeadline(t) }
