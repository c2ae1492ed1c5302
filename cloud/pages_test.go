package cloud_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/phc"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

// office is a centre whose pages are served by TLS, with an administrator called boss.
type office struct {
	*service
	dir      string
	register *pki.Register
	roots    *x509.CertPool
}

func startOffice(t *testing.T, change ...func(*config.Config)) *office {
	t.Helper()
	dir := t.TempDir()
	s := start(t, filepath.Join(dir, "cloud.db"), func(c *config.Config) {
		const any = "127.0.0.1:0"
		c.PKI.Directory, c.HTTP.TLS.Listen, c.MQTT.TLS = filepath.Join(dir, "pki"), any, any
		c.Edge = config.Edge{TLS: any, Hosts: []string{"127.0.0.1"}}
		for _, do := range change {
			do(c)
		}
	})
	o := &office{service: s, dir: dir, register: register(t, dir), roots: x509.NewCertPool()}
	o.roots.AddCert(o.register.Roots().TLS[0])
	o.change(func(tx *store.Tx) error {
		return tx.PutUser(store.User{Name: "boss", Password: phc.New([]byte("the right one")).String(), Origin: store.FromCLI, Created: time.Now(), Roles: rights.Roles{rights.Admin}, Scope: rights.Whole()})
	})
	return o
}

func (o *office) change(do func(*store.Tx) error) {
	o.t.Helper()
	beside(o.t, filepath.Join(o.dir, "cloud.db"), do)
}

func (o *office) operator() access.Acting {
	return access.Acting{Actor: "root", By: access.ByCommand, Scope: rights.Whole(), At: time.Now()}
}

// certify gives boss a certificate.
func (o *office) certify() tls.Certificate {
	o.t.Helper()
	p, err := o.register.NewPersonal("boss")
	if err != nil {
		o.t.Fatal(err)
	}
	o.change(func(tx *store.Tx) error {
		return o.operator().Certify(tx, "boss", func(tx *store.Tx) error { return o.register.AddPersonal(tx, p) })
	})
	return tls.Certificate{Certificate: [][]byte{p.Certificate.Raw}, PrivateKey: p.Key}
}

// browser is one that shows these certificates and has the cookies of another one, if any is given.
func (o *office) browser(cookies http.CookieJar, shows ...tls.Certificate) *http.Client {
	o.t.Helper()
	if cookies == nil {
		var err error
		if cookies, err = cookiejar.New(nil); err != nil {
			o.t.Fatal(err)
		}
	}
	c := &http.Client{Jar: cookies, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS12, Certificates: shows}}}
	o.t.Cleanup(c.CloseIdleConnections)
	return c
}

// ask gives the status of an answer, its code if it is a problem, and what somebody who signed in has to do first.
func (o *office) ask(c *http.Client, method, path string) (status int, code, must string) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, "https://"+o.addr.HTTPS+path, strings.NewReader(`{"user":"boss","password":"the right one"}`))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Strict-Transport-Security") == "" {
		o.t.Error("browsers are not told to come by TLS alone")
	}
	for _, cookie := range resp.Cookies() {
		if !cookie.Secure {
			o.t.Errorf("cookie %s goes out by plain HTTP", cookie.Name)
		}
	}
	var body struct{ Code, Must string }
	raw, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(raw, &body) != nil {
		o.t.Fatalf("%s, %v", raw, err)
	}
	return resp.StatusCode, body.Code, body.Must
}

// An administrator signs in over TLS with his certificate and his password; nobody uses his session without it, and it ends when it is
// revoked.
func TestAdministratorsSignInWithCertificates(t *testing.T) {
	o := startOffice(t)
	if status, _, must := o.ask(o.browser(nil), http.MethodPost, "/api/v1/session"); status != http.StatusCreated || must != access.MustFactor {
		t.Fatalf("without a second factor: %d, must %q", status, must)
	}
	own := o.certify()
	if status, code, _ := o.ask(o.browser(nil), http.MethodPost, "/api/v1/session"); status != http.StatusUnauthorized || code != "sign_in_certificate" {
		t.Errorf("without his certificate: %d %s", status, code)
	}
	client := o.browser(nil, own)
	if status, code, must := o.ask(client, http.MethodPost, "/api/v1/session"); status != http.StatusCreated || must != "" {
		t.Fatalf("with his certificate: %d %s, must %q", status, code, must)
	}
	if status, code, _ := o.ask(client, http.MethodGet, "/api/v1/users"); status != http.StatusOK {
		t.Errorf("the users: %d %s", status, code)
	}
	if status, _, _ := o.ask(o.browser(client.Jar), http.MethodGet, "/api/v1/users"); status != http.StatusUnauthorized {
		t.Errorf("his cookie in another browser: %d", status)
	}
	o.change(func(tx *store.Tx) error { return o.operator().RevokeCertificates(tx, "boss") })
	if status, _, _ := o.ask(client, http.MethodGet, "/api/v1/users"); status != http.StatusUnauthorized {
		t.Errorf("after the revocation: %d", status)
	}
	old := o.browser(nil).Transport.(*http.Transport)
	old.TLSClientConfig.MinVersion, old.TLSClientConfig.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := (&http.Client{Transport: old}).Get("https://" + o.addr.HTTPS + "/healthz"); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}

// The certificate of a hall is no person's, and that of a person opens none of the halls' doors.
func TestPeopleAndMachinesAreNotMistaken(t *testing.T) {
	o := startOffice(t)
	own := o.certify()
	code, err := o.register.NewCode(t.Context(), hall, "", time.Hour, pki.Actor{Name: "root", By: "command"})
	if err != nil {
		t.Fatal(err)
	}
	box := enrol(t, o.addr.EdgeTLS, code)
	machine := tls.Certificate{Certificate: [][]byte{box.told.TLS}, PrivateKey: box.tlsKey}
	o.change(func(tx *store.Tx) error { // somebody who is called as a hall is
		u, _, err := tx.User("boss")
		if err != nil {
			return err
		}
		u.Name = string(hall)
		return tx.PutUser(u)
	})
	if status, code, _ := o.ask(o.browser(nil, machine), http.MethodPost, "/api/v1/session"); status != http.StatusUnauthorized || code != "sign_in_certificate" {
		t.Errorf("a hall's certificate for boss: %d %s", status, code)
	}
	for name, certificate := range map[string][]byte{"a hall's": box.told.TLS, "a person's": own.Certificate[0]} {
		c, err := x509.ParseCertificate(certificate)
		if err != nil || slices.Contains(c.Subject.OrganizationalUnit, "HallEdge people") != (name == "a person's") || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || c.IsCA {
			t.Errorf("%s: %s %v, %v", name, c.Subject, c.ExtKeyUsage, err)
		}
	}
	p, err := o.register.NewPersonal(string(hall))
	if err != nil {
		t.Fatal(err)
	}
	o.change(func(tx *store.Tx) error { return o.register.AddPersonal(tx, p) })
	alike := tls.Certificate{Certificate: [][]byte{p.Certificate.Raw}, PrivateKey: p.Key}
	for name, address := range map[string]string{"MQTT": o.addr.MQTTTLS, "/edge/v1": o.addr.EdgeTLS} {
		for who, shown := range map[string]tls.Certificate{"boss": own, "who is called as a hall": alike} {
			conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{shown}})
			if err == nil { // in TLS 1.3 the client learns of the refusal when it reads
				_, err = conn.Read(make([]byte, 1))
				_ = conn.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "bad certificate") {
				t.Errorf("%s for %s: %v", name, who, err)
			}
		}
	}
}
