package main

import (
	"crypto/ecdsa"
	"os"
	"regexp"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"halledge/agent/kit/command"
)

// A person's certificate comes as a file that its password alone opens, and is gone again when it is revoked.
func TestCertificatesOfPeople(t *testing.T) {
	s := newSite(t)
	file := s.path("li.p12")
	s.want(0, "HallEdge Root TLS", "", "pki", "init")
	s.want(command.Failure, "没有名为“li”的用户", "", "user", "certificate", "li", "--out", file)
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a certificate of nobody")
	}
	s.want(0, "", "plums and pears\n", "user", "add", "li")
	for _, args := range [][]string{{"li"}, {"li", "--out", file, "--revoke"}, {"L I", "--out", file}} {
		s.want(command.Usage, "hall-cloud: ", "", append([]string{"user", "certificate"}, args...)...)
	}
	code, out := s.do("", "user", "certificate", "li", "--out", file)
	password := regexp.MustCompile(`[A-Z2-7]{5}(-[A-Z2-7]{5}){3}`).FindString(out)
	if code != 0 || password == "" {
		t.Fatalf("exit %d: %s", code, out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, _, _, err := pkcs12.DecodeChain(raw, "another"); err == nil {
		t.Error("opened by another password")
	}
	key, certificate, issuers, err := pkcs12.DecodeChain(raw, password)
	if err != nil {
		t.Fatal(err)
	}
	own, ok := key.(*ecdsa.PrivateKey)
	if !ok || !own.PublicKey.Equal(certificate.PublicKey) || certificate.Subject.CommonName != "li" || len(issuers) != 1 || certificate.CheckSignatureFrom(issuers[0]) != nil {
		t.Errorf("%T for %s, issued by %d", key, certificate.Subject, len(issuers))
	}
	s.want(0, "个人证书", "", "user", "list")
	s.want(command.Failure, "li.p12", "", "user", "certificate", "li", "--out", file) // what is there stays
	s.want(0, "", "", "user", "certificate", "li", "--revoke")
	if _, out := s.do("", "user", "list"); strings.Contains(out, "个人证书") {
		t.Errorf("after the revocation:\n%s", out)
	}
}
