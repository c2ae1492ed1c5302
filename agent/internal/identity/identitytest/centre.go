// Package identitytest gives a centre for tests: an authority that enrols boxes and renews their certificates, behind real TLS servers.
package identitytest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log" //nolint:depguard // net/http wants one
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/gm/tlcp"
	"halledge/firmware-protocols/hallsync"
)

// Hall is the hall of the boxes that are enrolled.
const Hall hallsync.HallID = "440900000000001"

// Clock is a clock that tests set.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock gives one that shows the present time, and stands.
func NewClock() *Clock { return &Clock{now: time.Now().Truncate(time.Second)} }

// Now gives the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set sets the clock.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
}

// Forward sets it later.
func (c *Clock) Forward(d time.Duration) { c.Set(c.Now().Add(d)) }

// Centre is the far end of enrolment: an authority and the three doors, behind a real TLS server.
type Centre struct {
	T       *testing.T
	Clock   *Clock
	tlsKey  *ecdsa.PrivateKey
	TLSRoot *x509.Certificate
	SM2     *cert.Issuer
	Open    gm.PrivateKey   // opens facts
	Sign    gm.PrivateKey   // signs receipts
	elder   []gm.PrivateKey // that signed before it, the newest first
	Life    time.Duration   // of the certificates it issues

	mu       sync.Mutex
	Code     hallsync.EnrolCode
	Used     []byte // the SM2 request that used the code up
	asked    int
	Wait     int                      // seconds: an operator has to act first
	Spoil    func(*hallsync.Enrolled) // what a centre that is wrong makes of its answer
	Order    func(*hallsync.Signed)   // and of what it signs at a renewal
	Unsigned bool                     // renewals are answered as codes are
	Forger   *gm.PrivateKey           // signs answers to renewals in the place of the centre
	given    uint64                   // number of the last signed answer
	Answer   []byte                   // in the place of every answer
	Status   int
	Known    gm.PublicKey // the box's, for questions that it signs
	List     hallsync.Revocations
}

// NewCentre gives a centre with roots of its own that begins now.
func NewCentre(t *testing.T, c *Clock) *Centre {
	t.Helper()
	f := &Centre{T: t, Clock: c, Life: 365 * 24 * time.Hour, Status: http.StatusOK}
	f.tlsKey, f.TLSRoot = newRoot(t, c.Now())
	for _, k := range []*gm.PrivateKey{&f.Open, &f.Sign} {
		*k = NewKey(t)
	}
	var err error
	f.SM2, err = cert.NewRoot(NewKey(t), cert.Subject{CN: "SM2"}, c.Now().Add(-time.Hour), c.Now().AddDate(20, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	f.NewCode()
	return f
}

// NewKey draws an SM2 key.
func NewKey(t *testing.T) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// NewCode makes a code that has not been used.
func (f *Centre) NewCode() hallsync.EnrolCode {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Code = hallsync.EnrolCode{Hall: Hall, Pin: hallsync.PinOf(gm.Sum(f.TLSRoot.RawSubjectPublicKeyInfo))}
	_, _ = rand.Read(f.Code.Secret[:])
	f.Used = nil
	return f.Code
}

// Do changes what the centre does.
func (f *Centre) Do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// Questions counts what boxes have asked.
func (f *Centre) Questions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// Enrolled answers good requests.
func (f *Centre) Enrolled(r hallsync.Requests, name string) hallsync.Enrolled {
	now := f.Clock.Now()
	from, until := now.Add(-time.Hour), now.Add(f.Life)
	asked, err := x509.ParseCertificateRequest(r.TLS)
	if err != nil || asked.CheckSignature() != nil {
		f.T.Errorf("bad TLS request: %v", err)
		return hallsync.Enrolled{}
	}
	sm2, err := cert.ParseRequest(r.SM2)
	if err != nil {
		f.T.Error(err)
		return hallsync.Enrolled{}
	}
	e := hallsync.Enrolled{
		TLS:   f.Issue(asked.PublicKey, name, x509.ExtKeyUsageClientAuth, from, until),
		Roots: hallsync.TrustedRoots{TLS: [][]byte{f.TLSRoot.Raw}, SM2: [][]byte{f.SM2.Certificate().DER()}},
	}
	if len(r.Web) > 0 {
		web, err := x509.ParseCertificateRequest(r.Web)
		if err != nil {
			f.T.Error(err)
			return e
		}
		e.Web = f.Issue(web.PublicKey, name, x509.ExtKeyUsageServerAuth, from, until, net.ParseIP(r.Hosts[0]))
	}
	own := NewKey(f.T)
	f.Known = sm2.Key
	sign, err1 := f.SM2.Issue(cert.Order{Subject: cert.Subject{CN: name}, Key: sm2.Key, Role: cert.Client, Use: cert.Signing, From: from, Until: until})
	encrypt, err2 := f.SM2.Issue(cert.Order{Subject: cert.Subject{CN: name}, Key: own.Public(), Role: cert.Client, Use: cert.Encrypting, From: from, Until: until})
	if err1 != nil || err2 != nil {
		f.T.Error(err1, err2)
		return e
	}
	e.Sign, e.Encrypt = sign.DER(), encrypt.DER()
	var err3, err4 error
	e.SealedKey, err3 = gm.SealKey(own, sm2.Key, hallsync.EncryptionKeyPart, name)
	index, err4 := own.Public().Wrap([]byte("0123456789abcdef"))
	if err3 != nil || err4 != nil {
		f.T.Error(err3, err4)
	}
	e.Index = []hallsync.IndexKey{{ID: "1", Wrapped: index}}
	e.Centre = hallsync.CentreKeys{Open: []string{f.Open.Public().String()}}
	for _, k := range f.signers() {
		e.Centre.Sign = append(e.Centre.Sign, k.Public().String())
	}
	e.Revoked = f.Revoke(f.List)
	if f.Spoil != nil {
		f.Spoil(&e)
	}
	return e
}

// Revoke signs a list.
func (f *Centre) Revoke(list hallsync.Revocations) hallsync.SignedRevocations {
	list.At = f.Clock.Now()
	raw, err := json.Marshal(list)
	if err != nil {
		f.T.Error(err)
	}
	sig, err := f.Sign.Sign(hallsync.RevocationsMessage(raw))
	if err != nil {
		f.T.Error(err)
	}
	return hallsync.SignedRevocations{List: raw, Signature: sig}
}

// signers are the keys that sign and that have signed, the newest first.
func (f *Centre) signers() []gm.PrivateKey { return append([]gm.PrivateKey{f.Sign}, f.elder...) }

// signer is the newest key of those that a box knows.
func (f *Centre) signer(known ...string) gm.PrivateKey {
	for _, k := range f.signers() {
		if slices.Contains(known, k.Public().ID()) {
			return k
		}
	}
	return f.Sign
}

// Rotate takes a new signing key into use, and another one that opens.
func (f *Centre) Rotate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.elder = f.signers()
	f.Sign, f.Open = NewKey(f.T), NewKey(f.T)
}

// signed gives the answer to a renewal.
func (f *Centre) signed(e hallsync.Enrolled, known []string) []byte {
	body, err := json.Marshal(e)
	if err != nil {
		f.T.Error(err)
	}
	now := f.Clock.Now()
	f.given = max(f.given+1, uint64(now.UnixMilli()))
	order := hallsync.Signed{Type: hallsync.SignedEnrolled, Hall: Hall, Seq: f.given, At: now, NotAfter: now.Add(time.Hour), Body: body}
	if f.Order != nil {
		f.Order(&order)
	}
	key := f.signer(known...)
	if f.Forger != nil {
		key = *f.Forger
	}
	raw, err := order.Sign(key)
	if err != nil {
		f.T.Error(err)
	}
	return raw
}

// reply writes what the centre answers to requests; ask is nil when it showed a code.
func (f *Centre) reply(r hallsync.Requests, ask *hallsync.RenewAsk) (int, []byte) {
	if f.Answer != nil {
		return f.Status, f.Answer
	}
	a := hallsync.EnrolAnswer{RetryS: f.Wait}
	if f.Wait == 0 {
		e := f.Enrolled(r, string(Hall))
		if ask == nil || f.Unsigned {
			a.Enrolled = &e
		} else {
			a.Signed = f.signed(e, ask.Knows)
		}
	}
	raw, err := json.Marshal(a)
	if err != nil {
		f.T.Error(err)
	}
	return f.Status, raw
}

func (f *Centre) enrol(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.T.Error(err)
	}
	ask, err := hallsync.ParseEnrolAsk(body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	// Who lost the answer asks with the same requests.
	if err != nil || ask.Secret != f.Code.Secret || ask.Hall != Hall || f.Used != nil && !bytes.Equal(f.Used, ask.SM2) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	f.Used = ask.SM2
	status, answer := f.reply(ask.Requests, nil)
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

func (f *Centre) renew(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.T.Error(err)
	}
	ask, err := hallsync.ParseRenewAsk(body)
	if err != nil || r.TLS != nil && (len(r.TLS.PeerCertificates) == 0 || r.TLS.PeerCertificates[0].Subject.CommonName != string(Hall)) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	status, answer := f.reply(ask.Requests, &ask)
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// mux are the doors.
func (f *Centre) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+hallsync.PathEnrol, f.enrol)
	mux.HandleFunc("POST "+hallsync.PathRenew, f.renew)
	door := gm.NewDoorOf(func(believed string, message []byte) ([]byte, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.signer(believed).Sign(message)
	}, func(name string) (gm.PublicKey, bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.Known, name == string(Hall) && !f.Known.IsZero()
	})
	door.Now = f.Clock.Now
	mux.Handle("POST "+hallsync.PathRenewal, door.Handler(func(_ context.Context, _ string, body []byte) (int, []byte) {
		ask, err := hallsync.ParseRenewAsk(body)
		if err != nil {
			return http.StatusBadRequest, nil
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked++
		return f.reply(ask.Requests, &ask)
	}))
	return mux
}

// Serve answers at an address of its own, with a certificate of the centre's that is in force by its clock.
func (f *Centre) Serve() (https string) {
	return f.ServeAs(f.Server(f.Clock.Now().Add(-time.Hour), f.Clock.Now().AddDate(10, 0, 0)))
}

// ServeAs is Serve with a certificate of its own.
func (f *Centre) ServeAs(own tls.Certificate) (https string) {
	f.T.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{own}, ClientCAs: f.Pool(), ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS13, Time: f.Clock.Now,
	})
	if err != nil {
		f.T.Fatal(err)
	}
	s := &http.Server{Handler: f.mux(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	f.T.Cleanup(func() { _ = s.Close(); <-done })
	return "https://" + l.Addr().String()
}

// ListenTLS waits on a port of its own for clients with certificates of the centre's TLS root.
func (f *Centre) ListenTLS(own tls.Certificate) net.Listener {
	return tls.NewListener(f.listen(), &tls.Config{
		Certificates: []tls.Certificate{own}, ClientCAs: f.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13, Time: f.Clock.Now,
	})
}

// ListenTLCP does the same for TLCP.
func (f *Centre) ListenTLCP(own tlcp.Identity) net.Listener {
	f.T.Helper()
	roots, err := cert.NewRoots(f.SM2.Certificate())
	if err != nil {
		f.T.Fatal(err)
	}
	l, err := tlcp.Listen(f.listen(), tlcp.Config{Identity: own, Roots: roots, Now: f.Clock.Now}, nil)
	if err != nil {
		f.T.Fatal(err)
	}
	return l
}

func (f *Centre) listen() net.Listener {
	f.T.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.T.Fatal(err)
	}
	return l
}

// Provision is what an operator gives.
func (f *Centre) Provision(https string) hallsync.Provision {
	f.mu.Lock()
	defer f.mu.Unlock()
	return hallsync.Provision{Code: f.Code, Addresses: hallsync.CentreAddresses{HTTPS: https}}
}

// Box is a box that a centre has enrolled, and its directory.
func Box(t *testing.T, f *Centre, o identity.Options) (*identity.Identity, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), identity.Directory)
	o.Now, o.Hall, o.Log = f.Clock.Now, Hall, cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	i, err := identity.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if wait, err := i.Enrol(t.Context(), f.Provision(f.Serve()), "BOX-1"); err != nil || wait != 0 {
		t.Fatal(wait, err)
	}
	return i, dir
}
