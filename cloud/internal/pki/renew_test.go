package pki_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/pki"
	"halledge/firmware-protocols/hallsync"
)

// serial gives the serial number of a certificate of either kind.
func serial(t *testing.T, der []byte) string {
	t.Helper()
	if c, err := cert.Parse(der); err == nil {
		return c.Serial()
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pki.SerialOf(c)
}

func (b box) requests() hallsync.Requests { return hallsync.Requests{TLS: b.tlsAsk, SM2: b.sm2Ask} }

// enrolled gives a box of the hall that has its certificates.
func (c *centre) enrolled() (box, pki.Issued) {
	c.t.Helper()
	b := newBox(c.t, string(hall))
	issued, err := c.Enrol(c.t.Context(), b.ask(c.code("", time.Hour), "192.0.2.1"))
	if err != nil {
		c.t.Fatal(err)
	}
	return b, issued
}

func TestRenewalLeavesWhatIsThere(t *testing.T) {
	c := newCentre(t)
	b, first := c.enrolled()
	c.set(start.AddDate(0, 8, 0))
	second, err := c.Renew(t.Context(), hall, serial(t, first.TLS), b.requests(), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, der := range [][]byte{first.TLS, first.Sign, second.TLS, second.Sign} {
		if err := c.Admit(t.Context(), serial(t, der), hall); err != nil {
			t.Error(err)
		}
	}
	_, err = c.Renew(t.Context(), other, serial(t, first.TLS), b.requests(), "192.0.2.1")
	refused(t, "requests of another hall", err, pki.CodeRequest)
	if got := c.audits("renew"); !slices.Equal(got, []string{"ok", "enrol_request"}) {
		t.Errorf("audit %v", got)
	}
}

// A box that was off past the end of its certificate asks with its own key, and an operator lets it in without a visit.
func TestLateRenewalWaitsForAnOperator(t *testing.T) {
	c := newCentre(t)
	b, issued := c.enrolled()
	c.set(start.AddDate(2, 0, 0))
	if key, number, err := c.SigningKey(t.Context(), hall); err != nil || key.String() != b.sm2.Public().String() || number != serial(t, issued.Sign) {
		t.Errorf("the key of a certificate that is over: %s, %v", number, err)
	}
	late := func(b box) error {
		t.Helper()
		_, err := c.RenewLate(t.Context(), hall, b.requests(), "192.0.2.9")
		return err
	}
	refused(t, "approving who did not ask", c.Approve(t.Context(), hall, c.waits(), operator), pki.CodeNotAsked)
	for range 3 {
		if err := late(b); !errors.Is(err, pki.ErrWaiting) {
			t.Fatal(err)
		}
	}
	waiting, err := c.Renewals(t.Context())
	if err != nil || len(waiting) != 1 || waiting[0].Hall != hall || waiting[0].Remote != "192.0.2.9" || !waiting[0].Approved.IsZero() {
		t.Fatalf("%+v, %v", waiting, err)
	}
	if err := c.Approve(t.Context(), hall, c.waits(), operator); err != nil {
		t.Fatal(err)
	}
	looked := c.waits()
	// Whoever asks for other keys meanwhile does not profit from it, nor from what somebody has looked into before.
	if err := late(newBox(t, string(hall))); !errors.Is(err, pki.ErrWaiting) {
		t.Errorf("an approval was used for other keys: %v", err)
	}
	refused(t, "approving what is not there any more", c.Approve(t.Context(), hall, looked, operator), pki.CodeOtherAsk)
	if err := late(b); !errors.Is(err, pki.ErrWaiting) {
		t.Errorf("an approval outlived another question: %v", err)
	}
	if err := c.Approve(t.Context(), hall, c.waits(), operator); err != nil {
		t.Fatal(err)
	}
	if err := late(b); err != nil {
		t.Fatal(err)
	}
	if err := late(b); !errors.Is(err, pki.ErrWaiting) {
		t.Errorf("an approval was used twice: %v", err)
	}
	if got := c.audits("renew_ask"); !slices.Equal(got, []string{"waits", "waits", "waits", "waits"}) {
		t.Errorf("audit of asking %v", got)
	}
	if got := c.audits("renew_approve"); len(got) != 2 {
		t.Errorf("audit of approvals %v", got)
	}
	bad := b
	bad.tlsAsk = b.sm2Ask
	refused(t, "a request that is none", late(bad), pki.CodeRequest)
}

// What was made for a hall and lies with its box, on a stick perhaps, does not bring who was revoked in again.
func TestRevokedBoxesHaveNoCodesLeft(t *testing.T) {
	c := newCentre(t)
	b, _ := c.enrolled()
	left := c.code("", time.Hour)
	theirs, err := c.NewCode(t.Context(), other, "", time.Hour, operator)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Revoke(t.Context(), string(hall), "stolen", operator); err != nil {
		t.Fatal(err)
	}
	_, err = c.Enrol(t.Context(), b.ask(left, "192.0.2.1"))
	refused(t, "a code from before", err, pki.CodeEnrol)
	for _, code := range []hallsync.EnrolCode{c.code("", time.Hour), theirs} {
		if _, err := c.Enrol(t.Context(), newBox(t, string(code.Hall)).ask(code, "192.0.2.2")); err != nil {
			t.Errorf("hall %s: %v", code.Hall, err)
		}
	}
}

func TestRevokedBoxesCannotAskLate(t *testing.T) {
	c := newCentre(t)
	b, _ := c.enrolled()
	c.set(start.AddDate(2, 0, 0))
	if _, err := c.RenewLate(t.Context(), hall, b.requests(), "192.0.2.9"); !errors.Is(err, pki.ErrWaiting) {
		t.Fatal(err)
	}
	c.set(start.AddDate(0, 6, 0)) // revoked while it was in force
	if n, err := c.Revoke(t.Context(), string(hall), "stolen", operator); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	c.set(start.AddDate(2, 0, 0))
	_, err := c.RenewLate(t.Context(), hall, b.requests(), "192.0.2.9")
	refused(t, "a stolen box", err, pki.CodeStranger)
	refused(t, "approving it", c.Approve(t.Context(), hall, c.waits(), operator), pki.CodeNotAsked)
}

func TestQuarantineKeepsOutUntilReleased(t *testing.T) {
	c := newCentre(t)
	_, issued := c.enrolled()
	refused(t, "releasing who is free", c.Release(t.Context(), hall, operator), pki.CodeNotKept)
	for i := range 2 {
		if added, err := c.Quarantine(t.Context(), hall, "clone"); err != nil || added != (i == 0) {
			t.Errorf("%v, %v", added, err)
		}
	}
	refused(t, "a hall in quarantine", c.Admit(t.Context(), serial(t, issued.TLS), hall), pki.CodeKeptOut)
	if all, err := c.Quarantines(t.Context()); err != nil || len(all) != 1 || all[0].Hall != hall || all[0].Reason != "clone" || !all[0].Since.Equal(start) {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.Release(t.Context(), hall, operator); err != nil {
		t.Fatal(err)
	}
	if err := c.Admit(t.Context(), serial(t, issued.TLS), hall); err != nil {
		t.Error(err)
	}
	if got := append(c.audits("quarantine"), c.audits("release")...); !slices.Equal(got, []string{"clone", "ok"}) {
		t.Errorf("audit %v", got)
	}
}

func TestCentreHasItsOwnPapers(t *testing.T) {
	c := newCentre(t)
	hosts := []string{"centre.example", "192.0.2.10"}
	own, err := c.OpenCentre(t.Context(), hosts)
	if err != nil {
		t.Fatal(err)
	}
	first := own.Papers()
	if info, err := os.Stat(c.path("centre.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	roots, err := cert.NewRoots(c.Roots().SM2...)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c.Roots().TLS[0])
	for _, host := range hosts {
		if _, err := first.TLS.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, CurrentTime: start}); err != nil {
			t.Error(err)
		}
		for use, one := range map[cert.Use]*cert.Certificate{cert.Signing: first.TLCP.Sign, cert.Encrypting: first.TLCP.Enc} {
			if err := roots.Verify([]*cert.Certificate{one}, cert.Want{At: start, Role: cert.Server, Use: use, Host: host}); err != nil {
				t.Error(err)
			}
		}
	}
	if last := first.TLS.Certificate[len(first.TLS.Certificate)-1]; !bytes.Equal(last, c.Roots().TLS[0].Raw) {
		t.Error("who has a pin alone does not find the root")
	}

	same := func(want bool, what string, with []string) *pki.Centre {
		t.Helper()
		again, err := c.OpenCentre(t.Context(), with)
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Papers().TLS.Leaf.Equal(first.TLS.Leaf); got != want {
			t.Errorf("%s: the same certificate is %v", what, got)
		}
		return again
	}
	same(true, "a restart", []string{"192.0.2.10", "centre.example"})
	c.set(start.AddDate(0, 7, 0))
	same(true, "before its time", hosts)
	if changed, err := own.Renew(t.Context()); err != nil || changed {
		t.Errorf("renewed before its time: %v", err)
	}
	c.set(start.AddDate(0, 9, 0))
	if changed, err := own.Renew(t.Context()); err != nil || !changed || own.Papers().TLS.Leaf.Equal(first.TLS.Leaf) {
		t.Errorf("not renewed: %v", err)
	}
	first = own.Papers()
	same(true, "after a renewal", hosts)
	same(false, "other hosts", []string{"centre.example"})
	if _, err := c.Revoke(t.Context(), hallsync.CentreName, "lost", operator); err != nil {
		t.Fatal(err)
	}
	if changed, err := own.Renew(t.Context()); err != nil || !changed {
		t.Errorf("a revoked certificate is shown on: %v", err)
	}
	if err := os.WriteFile(c.path("centre.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = c.OpenCentre(t.Context(), hosts)
	refused(t, "a damaged file", err, pki.CodeDamaged)
}

// What opens nothing must open nothing: every byte of the list is signed.
func TestRevocationsCannotBeChanged(t *testing.T) {
	c := newCentre(t)
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.Revocations(t.Context(), key.Sign)
	if err != nil {
		t.Fatal(err)
	}
	for i := range signed.List {
		bad := slices.Clone(signed.List)
		bad[i] ^= 1
		if key.Public().Verify(hallsync.RevocationsMessage(bad), signed.Signature) {
			t.Errorf("byte %d may be changed", i)
		}
	}
}
