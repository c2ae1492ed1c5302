package tlcp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
)

// The same beside the standard library: mutual TLS 1.2 with P-256 and no session resumed.

func BenchmarkHandshake(b *testing.B) {
	w := newWorld(b)
	server, client := w.server(b), w.client(b)
	b.ReportAllocs()
	for b.Loop() {
		near, far := pair(b)
		ended := make(chan error, 1)
		go func() {
			l := newListener(server, nil)
			_, err := l.handshake(far)
			ended <- err
		}()
		_, err := Over(b.Context(), near, host, client)
		if theirs := <-ended; err != nil || theirs != nil {
			b.Fatal(err, theirs)
		}
		near.Close()
		far.Close()
	}
}

func BenchmarkHandshakeOfTLS(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, DNSNames: []string{host}, NotBefore: at(), NotAfter: at().Add(day), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	settings := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, RootCAs: pool, ClientCAs: pool, ServerName: host, Time: at,
		ClientAuth: tls.RequireAndVerifyClientCert, MaxVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
	}
	b.ReportAllocs()
	for b.Loop() {
		near, far := pair(b)
		ended := make(chan error, 1)
		go func() { ended <- tls.Server(far, settings).Handshake() }()
		err := tls.Client(near, settings).Handshake()
		if theirs := <-ended; err != nil || theirs != nil {
			b.Fatal(err, theirs)
		}
		near.Close()
		far.Close()
	}
}

// pair gives the two ends of a connection.
func pair(b *testing.B) (near, far net.Conn) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	return near, far
}
