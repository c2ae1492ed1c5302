package edge_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/edge"
	"halledge/cloud/internal/gate"
	"halledge/cloud/internal/pki/pkitest"
	"halledge/cloud/internal/vault"
	"halledge/configs"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	hall     = hallsync.HallID("440900000000001")
	other    = hallsync.HallID("440900000000002")
	patience = 30 * time.Second
	indexKey = "an index key of 32 bytes, invented"
)

// world is a centre with its door for boxes.
type world struct {
	*pkitest.Centre
	tls, tlcp string
	addresses hallsync.CentreAddresses
	vault     *vault.Vault
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Centre: pkitest.New(t), addresses: hallsync.CentreAddresses{MQTT: "tls://centre.example:8883"}}
	dir := filepath.Join(t.TempDir(), "vault")
	if _, err := vault.Open(vault.Options{Directory: dir, Make: true}); err != nil {
		t.Fatal(err)
	}
	keys := hallsync.CentreKeys{}
	for range 2 { // so that the centre has three of each
		var err error
		if w.vault, err = vault.Rotate(vault.Options{Directory: dir}); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range w.vault.Keys().Sign {
		keys.Sign = append(keys.Sign, k.String())
	}
	for _, k := range w.vault.Keys().Open {
		keys.Open = append(keys.Open, k.String())
	}
	log := slog.New(slog.DiscardHandler)
	g, err := gate.New(gate.Options{Register: w.Register, Centre: w.Own, Now: w.Now, Metrics: prometheus.NewRegistry(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		t.Fatal(err)
	}
	s := edge.New(edge.Options{
		Register: w.Register, Vault: w.vault, Keys: keys,
		Index: func(_ context.Context, _ hallsync.HallID, to gm.PublicKey) ([]hallsync.IndexKey, error) {
			wrapped, err := to.Wrap([]byte(indexKey))
			return []hallsync.IndexKey{{ID: "2026", Wrapped: wrapped}}, err
		},
		Addresses: w.addresses, Changed: g.Look, Catalog: catalog, Now: w.Now, Log: log,
		Codes: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "codes") }),
	})
	var raw [2]net.Listener
	for i := range raw {
		if raw[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	w.tls, w.tlcp = raw[0].Addr().String(), raw[1].Addr().String()
	byTLCP, err := g.TLCP(raw[1])
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, g.TLS(raw[0], true), byTLCP) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// stranger gives a client that shows nothing and trusts the centre's root.
func (w *world) stranger() *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(w.Roots().TLS[0])
	return client(func(ctx context.Context) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: pkitest.Host, MinVersion: tls.VersionTLS13, Time: w.Now}}
		return d.DialContext(ctx, "tcp", w.tls)
	})
}

// holder gives a client that shows a box's certificate.
func (w *world) holder(t *testing.T, b *pkitest.Box, gm bool) *http.Client {
	return client(func(ctx context.Context) (net.Conn, error) {
		if gm {
			return b.Dial(ctx, t, w.tlcp, true)
		}
		return b.Dial(ctx, t, w.tls, false)
	})
}

func client(dial func(context.Context) (net.Conn, error)) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}
}

func post(t *testing.T, c *http.Client, path string, body []byte) (status int, answer []byte, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+pkitest.Host+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// want posts, and fails the test unless the status is the one wanted.
func want(t *testing.T, c *http.Client, path string, body []byte, status int) []byte {
	t.Helper()
	got, answer, err := post(t, c, path, body)
	if err != nil || got != status {
		t.Fatalf("%s: %d %s, %v; want %d", path, got, answer, err, status)
	}
	return answer
}

func given(t *testing.T, answer []byte) *hallsync.Enrolled {
	t.Helper()
	a, err := hallsync.ParseEnrolAnswer(answer)
	if err != nil || a.Enrolled == nil {
		t.Fatalf("%s: %v", answer, err)
	}
	return a.Enrolled
}

func (w *world) ask(t *testing.T, b *pkitest.Box) []byte {
	t.Helper()
	code, err := w.NewCode(t.Context(), b.Hall, "", time.Hour, pkitest.Operator)
	if err != nil {
		t.Fatal(err)
	}
	body, err := hallsync.EnrolAsk{Hall: b.Hall, Secret: code.Secret, Requests: b.Requests}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// renewed gives what a renewal answered, which the key that was known has signed.
func renewed(t *testing.T, answer []byte, by gm.PublicKey) *hallsync.Enrolled {
	t.Helper()
	a, err := hallsync.ParseEnrolAnswer(answer)
	if err != nil || a.Enrolled != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	s, err := hallsync.OpenSigned(a.Signed, hallsync.SignedEnrolled, hall, by)
	if err != nil {
		t.Fatal(err)
	}
	e, err := hallsync.ParseEnrolled(s.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func renewal(t *testing.T, b *pkitest.Box, knows ...gm.PublicKey) []byte {
	t.Helper()
	ask := hallsync.RenewAsk{Requests: b.Requests}
	for _, k := range knows {
		ask.Knows = append(ask.Knows, k.ID())
	}
	body, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// enrol gives a box that has come in by a code, and what it was told.
func (w *world) enrol(t *testing.T) (*pkitest.Box, *hallsync.Enrolled) {
	t.Helper()
	b := w.NewBox(t, hall)
	e := given(t, want(t, w.stranger(), hallsync.PathEnrol, w.ask(t, b), http.StatusOK))
	b.Take(e)
	return b, e
}

func TestBoxesEnrolByACode(t *testing.T) {
	w := newWorld(t)
	b := w.NewBox(t, hall)
	web, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if b.Web, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(hall)}}, web); err != nil {
		t.Fatal(err)
	}
	// What others may be called stays out, however it is asked for.
	b.Hosts = []string{"hall.local", "192.168.2.7", pkitest.Host, "www.example.cn", "192.0.2.7"}
	ask := w.ask(t, b)
	e := given(t, want(t, w.stranger(), hallsync.PathEnrol, ask, http.StatusOK))

	own, err := b.SM2.UnsealKey(e.SealedKey, hallsync.EncryptionKeyPart, string(hall))
	if err != nil {
		t.Fatal(err)
	}
	encrypt, err := cert.Parse(e.Encrypt)
	if err != nil || encrypt.PublicKey().String() != own.Public().String() {
		t.Errorf("the sealed key is not that of its certificate: %v", err)
	}
	if key, err := own.Unwrap(e.Index[0].Wrapped); err != nil || string(key) != indexKey {
		t.Errorf("index key %q, %v", key, err)
	}
	pages, err := x509.ParseCertificate(e.Web)
	if err != nil || !slices.Equal(pages.DNSNames, []string{"hall.local"}) || len(pages.IPAddresses) != 1 {
		t.Errorf("the pages' certificate: %v", err)
	}
	if !bytes.Equal(e.Roots.TLS[0], w.Roots().TLS[0].Raw) || !bytes.Equal(e.Roots.SM2[0], w.Roots().SM2[0].DER()) || *e.Addresses != w.addresses {
		t.Error("the box is not told whom to trust, or where to go")
	}
	signer, err := gm.ParsePublicKey(e.Centre.Sign[0])
	if err != nil || !signer.Verify(hallsync.RevocationsMessage(e.Revoked.List), e.Revoked.Signature) {
		t.Errorf("the list is not signed: %v", err)
	}
	if _, err := e.Revoked.Body(); err != nil {
		t.Error(err)
	}
	given(t, want(t, w.stranger(), hallsync.PathEnrol, ask, http.StatusOK)) // the answer was lost on the way
}

func TestDoorRefusesWhoHasNoBusiness(t *testing.T) {
	w := newWorld(t)
	b := w.NewBox(t, hall)
	wrong := hallsync.EnrolAsk{Hall: hall, Requests: b.Requests}
	unknown, err := wrong.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want(t, w.stranger(), hallsync.PathEnrol, unknown, http.StatusForbidden)
	want(t, w.stranger(), hallsync.PathEnrol, []byte("{"), http.StatusBadRequest)
	want(t, w.stranger(), hallsync.PathEnrol, bytes.Repeat([]byte(" "), hallsync.MaxEnrolMessage+1), http.StatusBadRequest)
	want(t, w.stranger(), hallsync.PathRenew, renewal(t, b), http.StatusUnauthorized)
	want(t, w.stranger(), hallsync.PathRenewal, renewal(t, b), http.StatusUnauthorized)
	want(t, w.stranger(), "/", nil, http.StatusNotFound)
	if answer := want(t, w.stranger(), "/edge/v1/codes", nil, http.StatusOK); string(answer) != "codes" {
		t.Errorf("%q", answer)
	}
	res, err := w.stranger().Get("https://" + pkitest.Host + hallsync.PathEnrol)
	if err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v, %v", res, err)
	}
	_ = res.Body.Close()
}

// Threat 5: whoever guesses codes is slowed down, and spares the database.
func TestThreat05GuessingCodesIsLimited(t *testing.T) {
	w := newWorld(t)
	guess, err := hallsync.EnrolAsk{Hall: hall, Requests: w.NewBox(t, hall).Requests}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	limited := 0
	for range 20 {
		status, answer, err := post(t, w.stranger(), hallsync.PathEnrol, guess)
		if err != nil {
			t.Fatal(err)
		}
		if status == http.StatusTooManyRequests && strings.Contains(string(answer), "enrol_limited") {
			limited++
		}
	}
	if limited < 10 {
		t.Errorf("%d of 20 guesses were limited", limited)
	}
}

func TestBoxesRenewByTheirCertificate(t *testing.T) {
	for name, gm := range map[string]bool{"TLS": false, "TLCP": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b, first := w.enrol(t)
			signers := w.vault.Keys().Sign
			e := renewed(t, want(t, w.holder(t, b, gm), hallsync.PathRenew, renewal(t, b), http.StatusOK), signers[0])
			renewed(t, want(t, w.holder(t, b, gm), hallsync.PathRenew, renewal(t, b, signers[2]), http.StatusOK), signers[2])
			if bytes.Equal(e.TLS, first.TLS) {
				t.Error("the same certificate again")
			}
			want(t, w.holder(t, b, gm), hallsync.PathRenew, renewal(t, w.NewBox(t, other)), http.StatusUnprocessableEntity)
			b.Take(e)
			want(t, w.holder(t, b, gm), hallsync.PathRenew, renewal(t, b), http.StatusOK)
			if _, err := w.Revoke(t.Context(), string(hall), "stolen", pkitest.Operator); err != nil {
				t.Fatal(err)
			}
			if status, answer, err := post(t, w.holder(t, b, gm), hallsync.PathRenew, renewal(t, b)); err == nil {
				t.Errorf("a revoked box is answered: %d %s", status, answer)
			}
		})
	}
}

// A box that was off past the end of its certificate comes back without a visit.
// Whoever was put out has nothing of the connection that is still open: a stolen box that asks again and again would come out of its
// revocation with certificates that are not revoked.
func TestThreat25NothingIsRenewedForWhoIsOut(t *testing.T) {
	w := newWorld(t)
	for name, put := range map[string]func() error{
		"revoked": func() error {
			_, err := w.Revoke(t.Context(), string(hall), "stolen", pkitest.Operator)
			return err
		},
		"in quarantine": func() error {
			_, err := w.Quarantine(t.Context(), hall, "clone")
			return err
		},
		"replaced": func() error {
			want(t, w.stranger(), hallsync.PathEnrol, w.ask(t, w.NewBox(t, hall)), http.StatusOK)
			return nil
		},
	} {
		for _, gm := range []bool{false, true} {
			b := w.Box(t, hall)
			c := w.holder(t, b, gm)
			c.Transport.(*http.Transport).DisableKeepAlives = false
			want(t, c, hallsync.PathRenew, renewal(t, b), http.StatusOK)
			if err := put(); err != nil {
				t.Fatal(err)
			}
			if status, answer, err := post(t, c, hallsync.PathRenew, renewal(t, b)); err != nil || status != http.StatusForbidden {
				t.Errorf("%s, by TLCP %t: %d %s, %v", name, gm, status, answer, err)
			}
			if name == "in quarantine" {
				if err := w.Release(t.Context(), hall, pkitest.Operator); err != nil {
					t.Fatal(err)
				}
			}
			c.CloseIdleConnections()
		}
	}
}

// A box that renews for ever does not fill the register.
func TestRenewalsAreLimited(t *testing.T) {
	w := newWorld(t)
	b, mine := w.Box(t, hall), w.Box(t, other)
	for n := range 50 {
		status, answer, err := post(t, w.holder(t, b, false), hallsync.PathRenew, renewal(t, b))
		if err == nil && status == http.StatusTooManyRequests && n > 5 {
			want(t, w.holder(t, mine, false), hallsync.PathRenew, renewal(t, mine), http.StatusOK)
			return
		}
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d: %d %s, %v", n, status, answer, err)
		}
	}
	t.Error("fifty renewals at once")
}

func TestLateQuestionsWaitForAnOperator(t *testing.T) {
	w := newWorld(t)
	b, _ := w.enrol(t)
	known := w.vault.Keys().Sign[2] // it was off during two rotations
	call := func(key gm.PrivateKey, box *pkitest.Box) (int, []byte, error) {
		t.Helper()
		caller := gm.Caller{URL: "https://" + pkitest.Host + hallsync.PathRenewal, Name: string(hall), Key: key, Peer: known, Client: w.stranger()}
		return caller.Call(t.Context(), renewal(t, box, known))
	}
	status, answer, err := call(b.SM2, b)
	if a, perr := hallsync.ParseEnrolAnswer(answer); err != nil || perr != nil || status != http.StatusAccepted || a.RetryS != 300 {
		t.Fatalf("%d %s, %v, %v", status, answer, err, perr)
	}
	stranger := w.NewBox(t, hall)
	if status, _, err := call(stranger.SM2, stranger); err == nil {
		t.Errorf("another key is answered: %d", status)
	}
	waiting, err := w.Renewals(t.Context())
	if err != nil || len(waiting) != 1 {
		t.Fatalf("%+v, %v", waiting, err)
	}
	if err := w.Approve(t.Context(), hall, waiting[0].Name(), pkitest.Operator); err != nil {
		t.Fatal(err)
	}
	if status, answer, err = call(b.SM2, b); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s, %v", status, answer, err)
	}
	b.Take(renewed(t, answer, known))
	want(t, w.holder(t, b, false), hallsync.PathRenew, renewal(t, b), http.StatusOK)
}
