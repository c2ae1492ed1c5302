package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/firmware-protocols/hallsync"
)

func TestEnrolGivesEverythingAndStays(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	o := options()
	o.Hosts = func() []string { return []string{"192.168.1.10", "hall.local"} }
	i, dir := identitytest.Box(t, f, o)
	o.Now = c.Now
	for _, i := range []*identity.Identity{i, open(t, dir, o)} {
		if !i.Enrolled() || i.Status().State != identity.Good {
			t.Fatalf("%+v", i.Status())
		}
		if k := i.Centre(); len(k) != 1 || k[0].ID() != f.Open.Public().ID() {
			t.Error("another key opens facts")
		}
		if k := i.Receipts(); len(k) != 1 || k[0].ID() != f.Sign.Public().ID() {
			t.Error("another key signs receipts")
		}
		if k := i.Index(); len(k) != 1 || string(k[0].Reveal()) != "0123456789abcdef" || strings.Contains(fmt.Sprint(k), "48") {
			t.Error("another index key, or one that prints itself")
		}
		if web, ok := i.Web(); !ok || web.Leaf.IPAddresses[0].String() != "192.168.1.10" {
			t.Error("no certificate for the hall's pages")
		}
		if r := i.Roots(); len(r) != 1 || !bytes.Equal(r[0], f.TLSRoot.Raw) {
			t.Error("other roots")
		}
	}
	for _, name := range []string{"provision.json", "request.json", "enrolled.before.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", name)
		}
	}
}

// Threat 25, in part: whoever has the files of an enrolled box without its own two keys has no key at all.
func TestThreat25KeysOfCertificatesLieSealed(t *testing.T) {
	i, dir := identitytest.Box(t, identitytest.NewCentre(t, identitytest.NewClock()), options())
	data, err := os.ReadFile(filepath.Join(dir, "enrolled.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		TLS struct{ Wrapped, Sealed []byte } `json:"tls"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	once, err := i.Storage().UnwrapDataKey(r.TLS.Wrapped)
	if err != nil {
		t.Fatal(err)
	}
	der, err := once.Open(r.TLS.Sealed, "hall-edge/v1/identity", string(hall), "tls")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, secret) || bytes.Contains(data, der) {
			t.Errorf("the TLS key lies open in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "storage.key")); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir, options()); again.Enrolled() {
		t.Error("enrolled without its key")
	}
}

func TestAnotherCentreIsNotTold(t *testing.T) {
	c := identitytest.NewClock()
	f, other := identitytest.NewCentre(t, c), identitytest.NewCentre(t, c)
	o := options()
	o.Now = c.Now
	i := open(t, directory(t), o)
	_, err := i.Enrol(t.Context(), f.Provision(other.Serve()), "")
	refused(t, "another centre", err, identity.CodePin)
	if other.Questions() != 0 {
		t.Error("it was told the code")
	}
	// One that shows the right root beside its own certificate is no better.
	own := other.Server(c.Now().Add(-time.Hour), c.Now().AddDate(1, 0, 0))
	own.Certificate = [][]byte{own.Certificate[0], f.TLSRoot.Raw}
	_, err = i.Enrol(t.Context(), f.Provision(other.ServeAs(own)), "")
	refused(t, "another centre with our root", err, identity.CodePin)
	if other.Questions() != 0 || i.Enrolled() {
		t.Error("it was told the code")
	}
}

func TestEnrolFaults(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	https := f.Serve()
	o := options()
	o.Now = c.Now
	i := open(t, directory(t), o)
	try := func(what string, p hallsync.Provision, want identity.Code) {
		t.Helper()
		_, err := i.Enrol(t.Context(), p, "")
		refused(t, what, err, want)
		if i.Enrolled() {
			t.Fatalf("%s: enrolled", what)
		}
	}
	p := f.Provision(https)
	p.Code.Hall = "440900000000002"
	try("of another hall", p, identity.CodeForeign)
	p = f.Provision(https)
	p.Until = c.Now().Add(-time.Second)
	try("an old file", p, identity.CodeOver)
	for _, address := range []string{"http://127.0.0.1:1", "tlcp://127.0.0.1:1", "https://user@127.0.0.1", "https://127.0.0.1/x", "", "::"} {
		try(address, f.Provision(address), identity.CodeAddress)
	}
	p = f.Provision(https)
	p.Code.Secret[0]++
	try("a wrong secret", p, identity.CodeRefused)
	for status, want := range map[int]identity.Code{
		http.StatusTooManyRequests: identity.CodeLimited, http.StatusInternalServerError: identity.CodeUnreached,
		http.StatusConflict: identity.CodeRefused, http.StatusFound: identity.CodeUnreached,
	} {
		f.Do(func() { f.Status = status })
		try(http.StatusText(status), f.Provision(https), want)
	}
	f.Do(func() { f.Status = http.StatusOK })
	try("nobody there", f.Provision("https://127.0.0.1:1"), identity.CodeUnreached)
	stale := f.ServeAs(f.Server(c.Now().Add(-time.Hour), c.Now().Add(-time.Minute)))
	try("a server whose certificate is over, or our clock is wrong", f.Provision(stale), identity.CodeClock)
	if wait, err := i.Enrol(t.Context(), f.Provision(https), ""); err != nil || wait != 0 {
		t.Errorf("after all that: %v", err)
	}
}

func TestAnswersThatAreNotRightChangeNothing(t *testing.T) {
	c := identitytest.NewClock()
	f, other := identitytest.NewCentre(t, c), identitytest.NewCentre(t, c)
	https := f.Serve()
	o := options()
	o.Now = c.Now
	dir := directory(t)
	i := open(t, dir, o)
	for name, spoil := range map[string]func(*hallsync.Enrolled){
		"TLS of another root": func(e *hallsync.Enrolled) {
			e.Roots.TLS = [][]byte{other.TLSRoot.Raw, f.TLSRoot.Raw}
			e.TLS = other.TLSRoot.Raw
		},
		"only foreign roots":   func(e *hallsync.Enrolled) { e.Roots.TLS = [][]byte{other.TLSRoot.Raw} },
		"SM2 of another root":  func(e *hallsync.Enrolled) { e.Roots.SM2 = [][]byte{other.SM2.Certificate().DER()} },
		"halves exchanged":     func(e *hallsync.Enrolled) { e.Sign, e.Encrypt = e.Encrypt, e.Sign },
		"sealed for nobody":    func(e *hallsync.Enrolled) { e.SealedKey[len(e.SealedKey)-1]++ },
		"a key that is none":   func(e *hallsync.Enrolled) { e.Centre.Open = []string{"AAAA"} },
		"an index key of none": func(e *hallsync.Enrolled) { e.Index[0].Wrapped[5]++ },
		"a server's":           func(e *hallsync.Enrolled) { e.TLS = f.Server(c.Now(), c.Now().Add(time.Hour)).Certificate[0] },
	} {
		f.Do(func() { f.Spoil = spoil })
		_, err := i.Enrol(t.Context(), f.Provision(https), "")
		refused(t, name, err, identity.CodeAnswer)
	}
	for name, change := range map[string]func(){
		"not yet": func() {
			f.Life = 365 * 24 * time.Hour
			f.Spoil = func(e *hallsync.Enrolled) { e.TLS = later(f, e.TLS) }
		},
		"already over": func() { f.Spoil = nil; f.Life = -time.Minute },
	} {
		f.Do(change)
		_, err := i.Enrol(t.Context(), f.Provision(https), "")
		refused(t, name, err, identity.CodeAnswer)
	}
	if i.Enrolled() || open(t, dir, o).Enrolled() {
		t.Error("enrolled all the same")
	}
}

// later issues a certificate again that begins tomorrow.
func later(f *identitytest.Centre, der []byte) []byte {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		f.T.Error(err)
		return der
	}
	tomorrow := f.Clock.Now().Add(24 * time.Hour)
	return f.Issue(c.PublicKey, c.Subject.CommonName, x509.ExtKeyUsageClientAuth, tomorrow, tomorrow.Add(time.Hour))
}

// spoilt is a text with a few bits, bytes or brackets of it changed.
func spoilt(rng *mrand.Rand, good []byte) []byte {
	bad := slices.Clone(good)
	for range 1 + rng.IntN(4) {
		switch at := rng.IntN(len(bad)); rng.IntN(3) {
		case 0:
			bad[at] ^= byte(1 << rng.IntN(8))
		case 1:
			bad = slices.Delete(bad, at, min(len(bad), at+1+rng.IntN(40)))
		default:
			bad = slices.Insert(bad, at, "\"A0}]"[rng.IntN(5)])
		}
	}
	return bad
}

// mutations is how many changed answers are tried.
const mutations = 10_000

// Of what comes changed over the line that the code's pin has proved, nothing is taken that names another root or key.
func TestMutatedAnswers(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	https := f.Serve()
	o := options()
	o.Now = c.Now
	dir := directory(t)
	i := open(t, dir, o)
	f.Do(func() { f.Wait = 60 })
	if wait, err := i.Enrol(t.Context(), f.Provision(https), ""); err != nil || wait != time.Minute {
		t.Fatal(wait, err) // and the request is kept: every answer below is to the same one
	}
	var kept struct{ Requests hallsync.Requests }
	data, err := os.ReadFile(filepath.Join(dir, "request.json"))
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	e := f.Enrolled(kept.Requests, string(hall))
	good, err := json.Marshal(hallsync.EnrolAnswer{Enrolled: &e})
	if err != nil {
		t.Fatal(err)
	}
	judge, err := i.Judge(f.TLSRoot)
	if err != nil {
		t.Fatal(err)
	}
	want, ok := judge(good)
	if !ok || !slices.Equal(want.Keys, ids(f.Open.Public(), f.Sign.Public())) {
		t.Fatalf("the answer that was not changed: %t, %+v", ok, want)
	}
	rng := mrand.New(mrand.NewPCG(1, 2))
	taken := 0
	for n := range mutations {
		bad := spoilt(rng, good)
		got, ok := judge(bad)
		if !ok {
			continue
		}
		taken++ // such as a bit of an index key's name, or of white space
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%d: taken as something else: %+v, want %+v:\n%s", n, got, want, bad)
		}
	}
	if taken > mutations/20 {
		t.Errorf("%d of the changed answers were taken", taken)
	}
	t.Logf("%d of %d were taken, which say the same", taken, mutations)
	f.Do(func() { f.Answer = good[1:] })
	if _, err := i.Enrol(t.Context(), f.Provision(https), ""); err == nil || i.Enrolled() {
		t.Errorf("a changed answer was taken: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "enrolled.json")); err == nil {
		t.Error("stored and not in force")
	}
	f.Do(func() { f.Answer = good })
	if _, err := i.Enrol(t.Context(), f.Provision(https), ""); err != nil || !i.Enrolled() {
		t.Fatalf("the answer that was not changed: %v", err)
	}
}

// Of renewals' answers, which are signed, none is taken that was changed.
func TestMutatedRenewals(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, _ := identitytest.Box(t, f, options())
	body, err := json.Marshal(hallsync.Enrolled{Roots: hallsync.TrustedRoots{TLS: [][]byte{f.TLSRoot.Raw}}, Addresses: &hallsync.CentreAddresses{MQTT: "tls://centre.example:8883"}})
	if err != nil {
		t.Fatal(err)
	}
	now := c.Now()
	good, err := hallsync.Signed{
		Type: hallsync.SignedEnrolled, Hall: identitytest.Hall, Seq: uint64(now.UnixMilli()), At: now, NotAfter: now.Add(time.Hour), Body: body,
	}.Sign(f.Sign)
	if err != nil {
		t.Fatal(err)
	}
	rng := mrand.New(mrand.NewPCG(3, 4))
	for n := range mutations {
		bad := spoilt(rng, good)
		if _, ok := i.JudgeSigned(bad); ok && !bytes.Equal(bad, good) {
			t.Fatalf("%d: taken:\n%s", n, bad)
		}
	}
}
