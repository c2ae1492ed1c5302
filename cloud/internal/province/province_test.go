package province

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"halledge/agent/kit/breaker"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/fakes/province"
)

const (
	here  = hallsync.HallID("440900000000001")
	there = hallsync.HallID("440900000000002")
	key   = "a key of the halls"
)

// stage is a centre between two halls and a province.
type stage struct {
	t     *testing.T
	far   *province.Province
	halls map[hallsync.HallID]*gm.Caller
	log   *strings.Builder
}

func newKey(t *testing.T) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t *testing.T) *stage {
	t.Helper()
	centre, provincial := newKey(t), newKey(t)
	s := &stage{t: t, halls: map[hallsync.HallID]*gm.Caller{}, log: &strings.Builder{}}
	var err error
	if s.far, err = province.Start(province.Options{Key: provincial, Callers: map[string]gm.PublicKey{"centre": centre.Public()}}); err != nil {
		t.Fatal(err)
	}
	known := map[hallsync.HallID]gm.PublicKey{}
	for _, hall := range []hallsync.HallID{here, there} {
		own := newKey(t)
		known[hall] = own.Public()
		s.halls[hall] = &gm.Caller{Name: string(hall), Key: own, Peer: centre.Public(), Client: gm.NewClient(nil)}
	}
	known["440900000000003"] = gm.PublicKey{} // a hall without a key
	relay := New(Options{
		Caller: &gm.Caller{URL: s.far.URL(), Name: "centre", Key: centre, Peer: provincial.Public(), Client: gm.NewClient(nil)},
		Key:    centre, Halls: known, Names: names, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(s.log, nil)),
	})
	server := httptest.NewServer(relay.Handler())
	for _, c := range s.halls {
		c.URL = server.URL + Path
	}
	t.Cleanup(func() {
		if err := s.far.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return s
}

// names gives what a hall calls whoever has a number: the key of 2027 is not known yet.
func names(_ context.Context, hall hallsync.HallID, index []string, number string) ([]string, error) {
	if !slices.Equal(index, []string{"2027", "2026"}) {
		return nil, errors.New("asked for other names")
	}
	return []string{gm.Pseudonym([]byte(key+string(hall)), number)}, nil
}

func wanted(hall hallsync.HallID, payload string) []string {
	return []string{gm.Pseudonym([]byte(key+string(hall)), province.Number(payload))}
}

func (s *stage) ask(hall hallsync.HallID, place, payload string) hallsync.CodeAnswer {
	s.t.Helper()
	proof := hallsync.ProofYSS
	if strings.HasPrefix(payload, "YSH") {
		proof = hallsync.ProofYSH
	}
	body, err := json.Marshal(hallsync.CodeQuestion{Hall: hall, Place: place, Proof: proof, Purpose: hallsync.ToTake, Payload: payload, Index: []string{"2027", "2026"}})
	if err != nil {
		s.t.Fatal(err)
	}
	status, raw, err := s.halls[hall].Call(s.t.Context(), body)
	var a hallsync.CodeAnswer
	if err != nil || status != http.StatusOK || json.Unmarshal(raw, &a) != nil {
		s.t.Fatalf("%d %s %v", status, raw, err)
	}
	return a
}

func TestHallsLearnADigestAndNothingElse(t *testing.T) {
	s := open(t)
	for _, payload := range []string{"YSS-SIM-1", "YSH-SIM-1"} {
		a := s.ask(here, "kiosk-1", payload)
		if a.Status != hallsync.CodeGood || a.Number != "" || !slices.Equal(a.Persons, wanted(here, payload)) || a.Expires.IsZero() {
			t.Errorf("%s: %+v", payload, a)
		}
		if strings.Contains(s.log.String(), payload) || strings.Contains(s.log.String(), province.Number(payload)) {
			t.Errorf("the log holds %s: %s", payload, s.log)
		}
	}
	for word, want := range map[string]hallsync.CodeStatus{
		"EXPIRED": hallsync.CodeExpired, "REFUSED": hallsync.CodeRefused, "NOBODY": hallsync.CodeNobody, "BARRED": hallsync.CodeBarred,
		"BUSY": hallsync.CodeBusy, "USED": hallsync.CodeUsed, "OFFLINE": hallsync.CodeDown,
	} {
		if a := s.ask(here, "kiosk-1", "YSS-SIM-"+word); !reflect.DeepEqual(a, hallsync.CodeAnswer{Status: want}) {
			t.Errorf("%s: %+v", word, a)
		}
	}
}

func TestACodeCountsOnceInAllHalls(t *testing.T) {
	s := open(t)
	first := s.ask(here, "kiosk-1", "YSS-SIM-1")
	if again := s.ask(here, "kiosk-1", "YSS-SIM-1"); !slices.Equal(again.Persons, first.Persons) || len(first.Persons) == 0 || s.far.Asked() != 1 {
		t.Errorf("%+v, asked %d times", again, s.far.Asked())
	}
	for hall, place := range map[hallsync.HallID]string{here: "kiosk-2", there: "kiosk-1"} {
		if a := s.ask(hall, place, "YSS-SIM-1"); !reflect.DeepEqual(a, hallsync.CodeAnswer{Status: hallsync.CodeUsed}) {
			t.Errorf("%s %s: %+v", hall, place, a)
		}
	}
	if s.far.Asked() != 1 {
		t.Errorf("asked %d times", s.far.Asked())
	}
}

func TestAProvinceThatMisbehaves(t *testing.T) {
	s := open(t)
	for _, tc := range []struct {
		mode province.Mode
		want hallsync.CodeStatus
	}{
		{province.Silent, hallsync.CodeSlow}, {province.Wrong, hallsync.CodeDown}, {province.Forged, hallsync.CodeDown}, {province.Down, hallsync.CodeDown},
	} {
		s.far.Set(tc.mode, 0)
		if a := s.ask(here, "kiosk-1", "YSS-SIM-1"); !reflect.DeepEqual(a, hallsync.CodeAnswer{Status: tc.want}) {
			t.Errorf("%s: %+v", tc.mode, a)
		}
	}
	s.far.Set(province.Slow, 10*time.Millisecond)
	if a := s.ask(here, "kiosk-1", "YSS-SIM-1"); a.Status != hallsync.CodeGood {
		t.Errorf("slow, but not too slow: %+v", a)
	}
	s.far.Set(province.Down, 0)
	before := s.far.Asked()
	for range breaker.Failures + 2 {
		s.ask(here, "kiosk-1", "YSS-SIM-2")
	}
	if got := s.far.Asked() - before; got != breaker.Failures {
		t.Errorf("asked %d times while it is down", got)
	}
}

func TestOnlyHallsAskAndOnlyForThemselves(t *testing.T) {
	s := open(t)
	body := func(q hallsync.CodeQuestion) []byte {
		raw, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	good := hallsync.CodeQuestion{Hall: here, Place: "kiosk-1", Proof: hallsync.ProofYSS, Payload: "YSS-SIM-1"}
	for name, change := range map[string]func(q *hallsync.CodeQuestion){
		"another hall": func(q *hallsync.CodeQuestion) { q.Hall = there },
		"no code":      func(q *hallsync.CodeQuestion) { q.Payload = "" },
		"a long code":  func(q *hallsync.CodeQuestion) { q.Payload = strings.Repeat("x", maxCode+1) },
		"a long place": func(q *hallsync.CodeQuestion) { q.Place = strings.Repeat("x", maxPlace+1) },
		"a card":       func(q *hallsync.CodeQuestion) { q.Proof = hallsync.ProofIDCard },
	} {
		q := good
		change(&q)
		if status, _, err := s.halls[here].Call(t.Context(), body(q)); err != nil || status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", name, status, err)
		}
	}
	for _, name := range []string{"440900000000003", "440900000000009", ""} {
		stranger := *s.halls[here]
		stranger.Name = name
		var failed *gm.CallError
		if _, _, err := stranger.Call(t.Context(), body(good)); !errors.As(err, &failed) || failed.Failure != gm.Denied {
			t.Errorf("%q: %v", name, err)
		}
	}
	if s.far.Asked() != 0 {
		t.Errorf("asked %d times", s.far.Asked())
	}
}

func FuzzUnderstand(f *testing.F) {
	f.Add(200, `{"status":"ok","number":"991101199003070016"}`)
	f.Add(200, `{"status":"ok"}`)
	f.Add(500, `[]`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		a, err := understand(status, []byte(body))
		if err == nil && (a.Status == hallsync.CodeGood) != (a.Number != "") || len(a.Persons) > 0 {
			t.Fatalf("%q: %+v", body, a)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Fatal(err)
		}
	})
}
