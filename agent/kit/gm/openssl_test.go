package gm

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openssl runs the program in a folder, and gives what it prints. It must know SM2, as Debian's does.
func openssl(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", args...)
	cmd.Dir = dir
	var fault strings.Builder
	cmd.Stderr = &fault
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v: %s (this test needs OpenSSL 3 with SM2; Debian: apt-get install openssl)", strings.Join(args, " "), err, fault.String())
	}
	return out
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// identity is how OpenSSL is told the signer's identity; without it it takes an empty one.
const identity = "distid:" + userID

func TestOpenSSLTakesOursAndWeTakeIts(t *testing.T) {
	dir := t.TempDir()
	message := []byte("a message\n")
	write(t, dir, "message", message)

	ours := newKey(t)
	text, err := ours.PEM()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "our.key", []byte(text))
	write(t, dir, "our.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: mustBase64(t, ours.Public().String())}))
	openssl(t, dir, "genpkey", "-algorithm", "SM2", "-out", "its.key")
	openssl(t, dir, "pkey", "-in", "its.key", "-pubout", "-out", "its.pub")
	its, err := ParsePrivateKey(string(read(t, dir, "its.key")))
	if err != nil {
		t.Fatal(err)
	}
	itsPublic, err := ParsePublicKey(string(read(t, dir, "its.pub")))
	if err != nil || itsPublic.String() != its.Public().String() {
		t.Fatal("the halves of its key do not belong together:", err)
	}

	sign := []string{"pkeyutl", "-rawin", "-digest", "sm3", "-in", "message", "-pkeyopt", identity}
	for _, key := range []PrivateKey{ours, its} {
		name := map[bool]string{true: "our", false: "its"}[key == ours]
		openssl(t, dir, append(sign, "-sign", "-inkey", name+".key", "-out", "made.sig")...)
		if !key.Public().Verify(message, read(t, dir, "made.sig")) {
			t.Errorf("%s key: we do not take its signature", name)
		}
		sig, err := key.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, "sig", sig)
		openssl(t, dir, append(sign, "-verify", "-pubin", "-inkey", name+".pub", "-sigfile", "sig")...)

		write(t, dir, "secret", []byte("sixteen bytes ok"))
		openssl(t, dir, "pkeyutl", "-encrypt", "-pubin", "-inkey", name+".pub", "-in", "secret", "-out", "wrapped")
		if got, err := key.Unwrap(read(t, dir, "wrapped")); err != nil || string(got) != "sixteen bytes ok" {
			t.Errorf("%s key: we open what it wrapped as %q, %v", name, got, err)
		}
		write(t, dir, "wrapped", wrapped(t, key.Public(), "sixteen bytes ok"))
		if got := openssl(t, dir, "pkeyutl", "-decrypt", "-inkey", name+".key", "-in", "wrapped"); string(got) != "sixteen bytes ok" {
			t.Errorf("%s key: it opens what we wrapped as %q", name, got)
		}
	}
}

func TestOpenSSLHasTheSameDigests(t *testing.T) {
	dir := t.TempDir()
	key := random(32)
	for _, n := range []int{0, 1, 55, 56, 64, 10_000} {
		message := random(n)
		write(t, dir, "message", message)
		if ours, its := Sum(message), openssl(t, dir, "dgst", "-sm3", "-binary", "message"); !bytes.Equal(ours[:], its) {
			t.Errorf("SM3 of %x: %x and %x", message, ours, its)
		}
		its := openssl(t, dir, "mac", "-digest", "SM3", "-macopt", "hexkey:"+hex.EncodeToString(key), "-binary", "-in", "message", "HMAC")
		if ours := mac(key, message); !bytes.Equal(ours[:], its) {
			t.Errorf("HMAC-SM3 of %x: %x and %x", message, ours, its)
		}
	}
}
