package access_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net/http"
	"testing"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

// administered is a desk of which administrators need a second factor, with li who is one and wu who is none.
func administered(t *testing.T) *fixture {
	t.Helper()
	f := start(t)
	f.Desk = access.New(access.Options{Store: f.st, Factor: true, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)})
	f.change(func(tx *store.Tx) error {
		u, _, err := tx.User("li")
		if err != nil {
			return err
		}
		u.Roles = rights.Roles{rights.Auditor, rights.Admin}
		if err := tx.PutUser(u); err != nil {
			return err
		}
		u.Name, u.Roles = "wu", rights.Roles{rights.Viewer}
		return tx.PutUser(u)
	})
	return f
}

func (f *fixture) change(do func(*store.Tx) error) {
	f.t.Helper()
	if err := f.st.Write(f.t.Context(), do); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) operator() access.Acting {
	return access.Acting{Actor: "root", By: access.ByCommand, Scope: rights.Whole(), At: f.clock.now()}
}

// certify issues a certificate of a kind to a user, good for a month.
func (f *fixture) certify(user, kind string, serial int64) *x509.Certificate {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	now := f.clock.now()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: user}, NotBefore: now, NotAfter: now.AddDate(0, 1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		f.t.Fatal(err)
	}
	if kind != "" {
		f.change(func(tx *store.Tx) error {
			return f.operator().Certify(tx, user, func(tx *store.Tx) error {
				return tx.AddCertificate(store.Certificate{
					Serial: c.SerialNumber.Text(16), Kind: kind, Holder: store.PersonHolder(user), DER: der, From: c.NotBefore, Until: c.NotAfter, Issued: now,
				})
			})
		})
	}
	return c
}

// enter signs somebody in who shows a certificate; nil: none.
func (f *fixture) enter(user, code string, shown *x509.Certificate) (*http.Cookie, access.Who, problem.Code) {
	f.t.Helper()
	cookie, who, err := f.SignIn(f.t.Context(), access.Attempt{User: user, Password: right, Code: code, Certificate: shown, Remote: remote})
	return cookie, who, f.code(err)
}

// showing is a request of a browser that shows a certificate.
func showing(cookie *http.Cookie, c *x509.Certificate) func(*http.Request) {
	return func(r *http.Request) {
		r.AddCookie(cookie)
		r.TLS = &tls.ConnectionState{}
		if c != nil {
			r.TLS.PeerCertificates = []*x509.Certificate{c}
		}
	}
}

// An administrator comes in by his password and his certificate, and the session is good for nobody without it.
func TestAdministratorsComeByCertificate(t *testing.T) {
	f := administered(t)
	if _, who, code := f.enter("li", "", nil); code != "ok" || who.Must != access.MustFactor {
		t.Fatalf("without any: %s, must %q", code, who.Must)
	}
	own, other, strange := f.certify("li", store.KindPerson, 1), f.certify("wu", store.KindPerson, 2), f.certify("li", "", 3)
	for what, shown := range map[string]*x509.Certificate{"none": nil, "another's": other, "one that was never issued": strange, "a machine's": f.certify("li", "hall_tls", 4)} {
		if _, _, code := f.enter("li", "", shown); code != access.CodeNeedsCertificate {
			t.Errorf("%s: %s", what, code)
		}
	}
	if last := f.audit()[0]; last.Action != store.ActionSignIn || last.Result != string(access.CodeNeedsCertificate) || last.Actor != "li" {
		t.Errorf("%+v", last)
	}
	if _, _, err := f.SignIn(t.Context(), access.Attempt{User: "li", Password: "wrong", Certificate: own, Remote: remote}); f.code(err) != access.CodeWrong {
		t.Errorf("the certificate alone: %v", err)
	}
	cookie, who, code := f.enter("li", "", own)
	if code != "ok" || who.Must != "" || !who.May(rights.Users) {
		t.Fatalf("%s, %+v", code, who)
	}
	if last := f.audit()[0]; last.Subject != access.FactorCertificate || last.Result != "ok" {
		t.Errorf("%+v", last)
	}
	for what, shown := range map[string]*x509.Certificate{"none": nil, "another's": other} {
		if _, code := f.identify(showing(cookie, shown)); code != access.CodeSignIn {
			t.Errorf("the session with %s: %s", what, code)
		}
	}
	if _, code := f.identify(with(cookie)); code != access.CodeSignIn {
		t.Errorf("the session by plain HTTP: %s", code)
	}
	if who, code := f.identify(showing(cookie, own)); code != "ok" || who.Must != "" {
		t.Errorf("the session with his own: %s, %+v", code, who)
	}
	next, _, err := f.ChangePassword(t.Context(), who, access.Attempt{Password: right, Remote: remote}, "another right one")
	if err != nil {
		t.Fatal(err)
	}
	if _, code := f.identify(showing(next, nil)); code != access.CodeSignIn {
		t.Errorf("after a change of password, without: %s", code)
	}
	if _, code := f.identify(showing(next, own)); code != "ok" {
		t.Errorf("after a change of password, with: %s", code)
	}
}

// A certificate that is over leaves nobody with his password alone; one that is revoked ends what was begun with it.
func TestCertificatesEnd(t *testing.T) {
	f := administered(t)
	own := f.certify("li", store.KindPerson, 1)
	f.clock.pass(own.NotAfter.Sub(f.clock.now()) - time.Hour)
	cookie, who, code := f.enter("li", "", own)
	if code != "ok" {
		t.Fatal(code)
	}
	f.clock.pass(own.NotAfter.Sub(f.clock.now()))
	if who.Expires.After(own.NotAfter) {
		t.Errorf("the session is good until %s", who.Expires)
	}
	if _, code := f.identify(showing(cookie, own)); code != access.CodeSignIn {
		t.Errorf("the session outlived the certificate: %s", code)
	}
	if _, _, code := f.enter("li", "", own); code != access.CodeNeedsCertificate {
		t.Errorf("with one that is over: %s", code)
	}
	if _, _, code := f.enter("li", "", nil); code != access.CodeNeedsCertificate {
		t.Errorf("without: %s", code)
	}
	again := f.certify("li", store.KindPerson, 2)
	if cookie, who, code = f.enter("li", "", again); code != "ok" {
		t.Fatal(code)
	}
	held, release := f.Hold(t.Context(), who)
	defer release()
	f.change(func(tx *store.Tx) error { return f.operator().RevokeCertificates(tx, "li") })
	if last := f.audit()[0]; last.Action != store.ActionDecertify || last.Actor != "root" || last.Subject != "li" {
		t.Errorf("%+v", last)
	}
	if _, code := f.identify(showing(cookie, again)); code != access.CodeSignIn {
		t.Errorf("the session of a revoked one: %s", code)
	}
	f.run()
	if why := ended(t, held); why != access.CodeEnded {
		t.Errorf("a page on a revoked certificate: %s", why)
	}
	if _, who, code := f.enter("li", "", again); code != "ok" || who.Must != access.MustFactor {
		t.Errorf("with a revoked one: %s, must %q", code, who.Must)
	}
}

// Who has codes may show his certificate instead, or go on with the codes.
func TestACertificateDoesInsteadOfACode(t *testing.T) {
	f := factored(t)
	own := f.certify("li", store.KindPerson, 1)
	if _, _, code := f.enter("li", "", nil); code != access.CodeNeedsCode {
		t.Errorf("neither: %s", code)
	}
	if _, _, code := f.enter("li", f.codeAt(0), nil); code != "ok" {
		t.Errorf("a code: %s", code)
	}
	if last := f.audit()[0]; last.Subject != access.FactorCode {
		t.Errorf("%+v", last)
	}
	if _, _, code := f.enter("li", "", own); code != "ok" {
		t.Errorf("the certificate: %s", code)
	}
	if _, code := f.identify(func(r *http.Request) { r.Header.Set("Authorization", "Bearer 0123456789abcdef") }); code != "ok" {
		t.Errorf("a program: %s", code)
	}
}
