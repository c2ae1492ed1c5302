package life

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"

	"halledge/test/await"
)

// proves reports whether the hall's pages show a certificate for a name that a root has issued.
func (b *box) proves(root []byte, name string) bool {
	b.t.Helper()
	c, err := x509.ParseCertificate(root)
	if err != nil {
		b.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	conn, err := tls.Dial("tcp", b.at.HTTP, &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12})
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// The pages have a certificate of the centre from the enrolment on, and another one as soon as the hall is called otherwise.
func TestTheCertificateOfThePages(t *testing.T) {
	t.Parallel()
	c := newCentre(t, "").start()
	b := newBoxWith(t, "on\n  hosts: [first.local]")
	b.start()
	b.enrols(c, c.does("enroll-code", hall))
	root := b.enrolled().Roots.TLS[0]
	await.That(t, "a certificate of the centre", func() bool { return b.proves(root, "first.local") })
	b.stop()
	raw, err := os.ReadFile(b.config())
	if err != nil || !bytes.Contains(raw, []byte("first.local")) {
		t.Fatal(err)
	}
	write(t, b.dir, "agent.yaml", strings.Replace(string(raw), "first.local", "second.local", 1))
	b.start()
	await.That(t, "one for the new name", func() bool { return b.proves(root, "second.local") })
	if b.proves(root, "first.local") {
		t.Error("the old name is still there")
	}
}
