package tlcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/tjfoc/gmsm/gmtls"
	"github.com/tjfoc/gmsm/x509"

	"halledge/agent/kit/gm/cert"
)

// Over completes the handshake with a server over a connection that is there, in HandshakeTime at most; it closes it when that fails. The server
// must be host, a name or an address of its certificates. A certificate that is not good is *cert.Error, and a key of ours that cannot be used
// now *gm.KeyError.
func Over(ctx context.Context, raw net.Conn, host string, c Config) (*Conn, error) {
	conn, err := over(ctx, raw, host, c)
	if err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("tlcp: handshake: %w", err)
	}
	return conn, nil
}

func over(ctx context.Context, raw net.Conn, host string, c Config) (*Conn, error) {
	if err := c.check(false); err != nil {
		return nil, err
	}
	if host == "" {
		return nil, errors.New("tlcp: no host to check")
	}
	if err := raw.SetDeadline(time.Now().Add(HandshakeTime)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	w := &wire{Conn: raw, expected: fromServer}
	var peer *cert.Certificate
	inner := c.client(w, func(raw [][]byte, _ [][]*x509.Certificate) (err error) {
		if peer, err = c.serverOf(raw, host); err != nil {
			w.blame(err)
		}
		return err
	})
	if err := w.shake(inner.Handshake); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	if !stop() { // the context ended, and its deadline may be set after ours is lifted
		return nil, ctx.Err()
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return &Conn{inner, raw, peer}, nil
}

// client gives the library's end of a connection to a server.
func (c Config) client(w *wire, verify verifier) *gmtls.Conn {
	settings := c.library(verify)
	settings.GetClientCertificate = func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) {
		return &gmtls.Certificate{Certificate: c.chain(c.Identity.Sign), PrivateKey: newSigner(c.Identity.SignKey, w.blame)}, nil
	}
	return gmtls.Client(w, settings)
}

// serverOf verifies what a server showed: the certificate it signs with, the one it decrypts with, and what is above them.
func (c Config) serverOf(raw [][]byte, host string) (*cert.Certificate, error) {
	certs, err := parsed(raw)
	if err != nil {
		return nil, err
	}
	if len(certs) < 2 {
		return nil, &cert.Error{Reason: cert.Malformed}
	}
	sign, enc, above := certs[0], certs[1], certs[2:]
	want := cert.Want{At: c.Now(), Role: cert.Server, Use: cert.Signing, Host: host}
	if err := c.Roots.Verify(append([]*cert.Certificate{sign}, above...), want); err != nil {
		return nil, err
	}
	want.Use = cert.Encrypting
	if err := c.Roots.Verify(append([]*cert.Certificate{enc}, above...), want); err != nil {
		return nil, err
	}
	if !bytes.Equal(sign.Subject(), enc.Subject()) {
		return nil, &cert.Error{Reason: cert.WrongName}
	}
	return sign, nil
}
