package cert

import (
	"context"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/gm"
)

// openssl runs the program in a folder. It must know SM2, as Debian's does.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v: %s (this test needs OpenSSL 3 with SM2; Debian: apt-get install openssl)", strings.Join(args, " "), err, out)
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// distid is the signer's identity of GM/T 0009; without it OpenSSL takes an empty one.
const distid = "distid:1234567812345678"

func TestOpenSSLTakesOurChain(t *testing.T) {
	dir := t.TempDir()
	now := time.Now() // OpenSSL knows no other
	root, err := NewRoot(newKey(t), Subject{CN: "root"}, now.Add(-day), now.Add(year))
	if err != nil {
		t.Fatal(err)
	}
	cityKey := newKey(t)
	between, err := root.Intermediate(cityKey.Public(), Subject{CN: "city"}, now.Add(-time.Hour), now.Add(100*day))
	if err != nil {
		t.Fatal(err)
	}
	city, err := OpenIssuer(between, cityKey)
	if err != nil {
		t.Fatal(err)
	}
	o := server(newKey(t).Public())
	o.From, o.Until = now.Add(-time.Minute), now.Add(day)
	leaf := issue(t, city, o)
	write(t, dir, "root.pem", root.Certificate().PEM())
	write(t, dir, "city.pem", between.PEM())
	write(t, dir, "leaf.pem", leaf.PEM())
	// It uses the identity for the first certificate of a chain alone: one step at a time.
	openssl(t, dir, "verify", "-x509_strict", "-vfyopt", distid, "-CAfile", "root.pem", "city.pem")
	openssl(t, dir, "verify", "-x509_strict", "-vfyopt", distid, "-partial_chain", "-CAfile", "city.pem",
		"-purpose", "sslserver", "-verify_hostname", "cloud.example", "leaf.pem")

	der, err := NewRequest(cityKey, Subject{CN: hall})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "request.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))
	openssl(t, dir, "req", "-verify", "-noout", "-vfyopt", distid, "-in", "request.pem")
}

func TestWeTakeWhatOpenSSLMade(t *testing.T) {
	dir := t.TempDir()
	openssl(t, dir, "genpkey", "-algorithm", "SM2", "-out", "root.key")
	openssl(t, dir, "genpkey", "-algorithm", "SM2", "-out", "leaf.key")
	openssl(t, dir, "req", "-x509", "-new", "-key", "root.key", "-sm3", "-sigopt", distid, "-subj", "/CN=root", "-days", "30", "-out", "root.pem",
		"-addext", "keyUsage=critical,keyCertSign,cRLSign")
	openssl(t, dir, "req", "-new", "-key", "leaf.key", "-sm3", "-sigopt", distid, "-subj", "/CN="+hall, "-out", "leaf.csr")
	write(t, dir, "ext", "keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\nbasicConstraints=critical,CA:FALSE\n")
	openssl(t, dir, "x509", "-req", "-in", "leaf.csr", "-vfyopt", distid, "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-sm3",
		"-sigopt", distid, "-days", "7", "-extfile", "ext", "-out", "leaf.pem")

	block, _ := pem.Decode([]byte(read(t, dir, "leaf.csr")))
	if block == nil {
		t.Fatal("no request")
	}
	r, err := ParseRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := gm.ParsePrivateKey(read(t, dir, "leaf.key"))
	if err != nil || r.Key.String() != key.Public().String() || r.Subject.CN != hall {
		t.Error(r, err)
	}
	root, err := ParsePEM(read(t, dir, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ParsePEM(read(t, dir, "leaf.pem"))
	if err != nil {
		t.Fatal(err)
	}
	want := Want{At: time.Now().Add(time.Hour), Role: Client, Use: Signing, CN: hall}
	if err := roots(t, root...).Verify(leaf, want); err != nil {
		t.Error(err)
	}
}
