package hallsync_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// key signs with the standard library: what is signed is tested here, the algorithm elsewhere.
type key struct{ private ed25519.PrivateKey }

func newKey(seed string) key {
	return key{ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, ed25519.SeedSize)))}
}

func (k key) Sign(message []byte) ([]byte, error) { return ed25519.Sign(k.private, message), nil }

func (k key) Verify(message, sig []byte) bool {
	return ed25519.Verify(k.private.Public().(ed25519.PublicKey), message, sig)
}

func order() hallsync.Signed {
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	return hallsync.Signed{
		Type: hallsync.SignedNotices, Hall: hall, Seq: 7, At: at, NotAfter: at.Add(24 * time.Hour),
		Body: []byte(`{"bundles":[{"group":"hall","version":3,"id":"` + strings.Repeat("0f", 32) + `"}]}`),
	}
}

func signed(t testing.TB, s hallsync.Signed, k key) []byte {
	t.Helper()
	raw, err := s.Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The file is an order of the first release: every later program must write and read it like this.
func TestOrdersStayAsTheyWereWritten(t *testing.T) {
	golden, err := os.ReadFile("testdata/signed/notices.json")
	if err != nil {
		t.Fatal(err)
	}
	golden = bytes.TrimSuffix(golden, []byte("\n"))
	if got := signed(t, order(), newKey("k")); !bytes.Equal(got, golden) {
		t.Errorf("written as\n%s, was\n%s", got, golden)
	}
	got, err := hallsync.OpenSigned(golden, hallsync.SignedNotices, hall, newKey("x"), newKey("k"))
	if err != nil || got.Seq != 7 || !bytes.Equal(got.Body, order().Body) {
		t.Errorf("%+v, %v", got, err)
	}
	var body hallsync.NoticesOrdered
	if !hallsync.Exact(got.Body, hallsync.MaxSigned, &body) || body.Bundles[0].Version != 3 {
		t.Errorf("%+v", body)
	}
}

// Threat 31: an order that the centre did not give, not to this hall or not of this kind is not followed. How often and how much may be
// ordered is the business of who follows it.
func TestThreat31OrdersOfOthersAreRefused(t *testing.T) {
	k := newKey("k")
	refuses := func(raw []byte, why hallsync.Refusal) {
		t.Helper()
		var refused *hallsync.SignedError
		if _, err := hallsync.OpenSigned(raw, hallsync.SignedNotices, hall, k); !errors.As(err, &refused) || refused.Why != why {
			t.Errorf("%v, want %s: %.200s", err, why, raw)
		}
	}
	refuses(signed(t, order(), newKey("x")), hallsync.RefusedForged)
	foreign := order()
	foreign.Hall = "440900000000002"
	refuses(signed(t, foreign, k), hallsync.RefusedForeign)
	other := order()
	other.Type = "commands"
	refuses(signed(t, other, k), hallsync.RefusedForeign)
	good := signed(t, order(), k)
	if _, err := hallsync.OpenSigned[key](good, hallsync.SignedNotices, hall); err == nil {
		t.Error("an order is followed without any key")
	}
	// Every member is signed: with another value the signature is of something else.
	for _, change := range []func(*hallsync.Signed){
		func(s *hallsync.Signed) { s.Seq++ },
		func(s *hallsync.Signed) { s.At = s.At.Add(time.Second) },
		func(s *hallsync.Signed) { s.NotAfter = s.NotAfter.Add(time.Second) },
		func(s *hallsync.Signed) { s.Body = append(bytes.Clone(s.Body), ' ') },
		func(s *hallsync.Signed) { s.Sig[len(s.Sig)-1] ^= 1 },
	} {
		var s hallsync.Signed
		if err := json.Unmarshal(good, &s); err != nil {
			t.Fatal(err)
		}
		change(&s)
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		refuses(raw, hallsync.RefusedForged)
	}
	// Renamed to this hall, or to this type, it is no longer what was signed.
	refuses(bytes.Replace(signed(t, foreign, k), []byte(foreign.Hall), []byte(hall), 1), hallsync.RefusedForged)
	refuses(bytes.Replace(signed(t, other, k), []byte(`"commands"`), []byte(`"notices"`), 1), hallsync.RefusedForged)
}

// Threat 32: there is one form of an order, and it has bounds. Nothing is decoded in two ways.
func TestThreat32OneFormOfAnOrder(t *testing.T) {
	k := newKey("k")
	good := string(signed(t, order(), k))
	for name, raw := range map[string]string{
		"nothing":        "",
		"null":           "null",
		"white space":    good + "\n",
		"twice":          strings.Replace(good, `"seq":7`, `"seq":8,"seq":7`, 1),
		"other letters":  strings.Replace(good, `"seq":7`, `"SEQ":7`, 1),
		"unknown member": strings.Replace(good, `"seq":7`, `"seq":7,"run":"x"`, 1),
		"other order":    strings.Replace(good, `"seq":7,`, ``, 1),
		"a float":        strings.Replace(good, `"seq":7`, `"seq":7.0`, 1),
		"an exponent":    strings.Replace(good, `"seq":7`, `"seq":7e0`, 1),
		"no number":      strings.Replace(good, `"seq":7`, `"seq":NaN`, 1),
		"negative":       strings.Replace(good, `"seq":7`, `"seq":-7`, 1),
		"huge number":    strings.Replace(good, `"seq":7`, `"seq":`+strings.Repeat("9", 400), 1),
		"beyond floats":  strings.Replace(good, `"seq":7`, `"seq":9007199254740993`, 1),
		"zero":           strings.Replace(good, `"seq":7`, `"seq":0`, 1),
		"other zone":     strings.Replace(good, `"2026-03-02T01:00:00Z"`, `"2026-03-02T09:00:00+08:00"`, 1),
		"escaped":        strings.Replace(good, `"notices"`, `"\u006eotices"`, 1),
		"two values":     good + good,
		"deep":           strings.Repeat("[", 200_000),
		"deep member":    strings.Replace(good, `"seq":7`, `"seq":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000), 1),
		"large":          strings.Replace(good, `"sig":"`, `"sig":"`+strings.Repeat("A", hallsync.MaxSigned), 1),
		"long signature": strings.Replace(good, `"sig":"`, `"sig":"`+strings.Repeat("AAAA", 60), 1),
		"no signature":   good[:strings.Index(good, `"sig"`)] + `"sig":""}`,
	} {
		var refused *hallsync.SignedError
		if _, err := hallsync.OpenSigned([]byte(raw), hallsync.SignedNotices, hall, k); !errors.As(err, &refused) || refused.Why != hallsync.RefusedForm {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := []func(*hallsync.Signed){
		func(s *hallsync.Signed) { s.Type = "" }, func(s *hallsync.Signed) { s.Hall = "1" }, func(s *hallsync.Signed) { s.Seq = 0 },
		func(s *hallsync.Signed) { s.NotAfter = s.At }, func(s *hallsync.Signed) { s.NotAfter = s.At.Add(hallsync.MaxSignedLife + time.Second) },
		func(s *hallsync.Signed) { s.Body = nil }, func(s *hallsync.Signed) { s.Body = make([]byte, hallsync.MaxSigned) },
	}
	for i, change := range bad {
		s := order()
		change(&s)
		if raw, err := s.Sign(k); err == nil {
			t.Errorf("%d: signed %s", i, raw)
		}
	}
}

func FuzzOpenSigned(f *testing.F) {
	k := newKey("k")
	good := signed(f, order(), k)
	f.Add(good)
	f.Add([]byte(`{"type":"notices","hall":"440900000000001","seq":1,"at":"2026-03-02T01:00:00Z","not_after":"2026-03-03T01:00:00Z","body":"e30=","sig":"AA=="}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := hallsync.OpenSigned(raw, hallsync.SignedNotices, hall, k); err == nil && !bytes.Equal(raw, good) {
			t.Errorf("nobody signed %q", raw)
		}
	})
}
