package caller_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/caller"
	"halledge/agent/internal/caller/hotkey"
)

// hall is the far end: an agent that answers as it is told to, one answer a request.
type hall struct {
	t       *testing.T
	answers []answer
	hold    chan struct{} // answers wait until it is closed; nil: they do not

	mu   sync.Mutex
	keys []string // of the requests for verbs
	seen []string
}

type answer struct {
	status int // 0: the connection breaks
	body   string
}

const (
	ticket = `{"window":{"id":"3","state":"open"},"ticket":{"number":"A007"}}`
	nobody = `{"window":{"id":"3","state":"open"},"ticket":null}`
)

func (h *hall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.seen = append(h.seen, r.Method+" "+r.URL.RequestURI())
	if r.URL.Path != "/sign-in" {
		h.keys = append(h.keys, r.Header.Get("Idempotency-Key"))
	}
	next := answer{status: http.StatusInternalServerError}
	if len(h.answers) > 0 {
		next, h.answers = h.answers[0], h.answers[1:]
	}
	h.mu.Unlock()
	if h.hold != nil {
		<-h.hold
	}
	if next.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(next.status)
	_, _ = w.Write([]byte(next.body))
}

// press presses keys one after the other, each when the one before was answered, and gives what was told: "finish+recall" are
// two at once, of which the hall answers the first after the second was pressed.
func press(t *testing.T, h *hall, way string, verbs ...string) []caller.Outcome {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	cfg, problems := caller.Load(write(t, "agent: "+srv.URL+"\nwindow: \"3\"\n"+way))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	var told []caller.Outcome
	answered := make(chan struct{}, 16)
	keyboard := func(ctx context.Context, _ []hotkey.Chord, ev hotkey.Events) error {
		ev.Ready()
		<-answered
		key := func(verb string) hotkey.Chord {
			i := slices.IndexFunc(cfg.Keys.Bindings(), func(b caller.Binding) bool { return b.Verb == verb })
			return cfg.Keys.Bindings()[i].Key
		}
		for _, verb := range verbs {
			first, meanwhile, both := strings.Cut(verb, "+")
			ev.Pressed(key(first))
			if both {
				ev.Pressed(key(meanwhile))
				<-answered
				close(h.hold)
			}
			<-answered
		}
		return errors.New("unplugged")
	}
	err := caller.Run(t.Context(), cfg, keyboard, func(o caller.Outcome) {
		told = append(told, o)
		answered <- struct{}{}
	})
	if err == nil || err.Error() != "unplugged" {
		t.Fatalf("it ended with %v", err)
	}
	return told[1:]
}

func TestOnePressHappensOnceHoweverOftenItIsSent(t *testing.T) {
	h := &hall{t: t, answers: []answer{{}, {status: 503}, {200, ticket}, {200, nobody}}}
	got := press(t, h, "token: file:token\n", "call-next", "recall")
	if got[0].Kind != caller.Done || got[0].Answer.Number != "A007" || got[1].Kind != caller.Done || got[1].Answer.Number != "" {
		t.Errorf("%+v", got)
	}
	if len(h.keys) != 4 || h.keys[0] == "" || h.keys[0] != h.keys[1] || h.keys[0] != h.keys[2] || h.keys[0] == h.keys[3] {
		t.Errorf("the keys were %q", h.keys)
	}
	if h.seen[3] != "POST /api/v1/windows/3/recall" {
		t.Errorf("asked for %q", h.seen)
	}
}

func TestARefusalIsSaidAndNotSentAgain(t *testing.T) {
	said, _ := json.Marshal(map[string]any{"code": "window_closed", "detail": "3 号窗口还没有开窗。"})
	h := &hall{t: t, answers: []answer{{409, string(said)}}}
	got := press(t, h, "token: file:token\n", "call-next")
	var refused *caller.Refused
	if got[0].Kind != caller.Refusal || !errors.As(got[0].Err, &refused) || refused.Code != "window_closed" || refused.Status != 409 || len(h.keys) != 1 {
		t.Errorf("%+v %q", got, h.keys)
	}
}

func TestAPersonSignsInAndAgainWhenTheSessionIsOver(t *testing.T) {
	h := &hall{t: t, answers: []answer{{204, ""}, {200, ticket}, {401, `{"code":"sign_in"}`}, {204, ""}, {200, ticket}}}
	got := press(t, h, "user: \"1001\"\npin: file:pin\n", "call-next", "finish")
	if got[0].Kind != caller.Done || got[1].Kind != caller.Done {
		t.Errorf("%+v", got)
	}
	want := []string{
		"POST /sign-in", "POST /api/v1/windows/3/call-next?as=window-3", "POST /api/v1/windows/3/finish?as=window-3", "POST /sign-in",
		"POST /api/v1/windows/3/finish?as=window-3",
	}
	if !slices.Equal(h.seen, want) || h.keys[1] != h.keys[2] {
		t.Errorf("asked for %q under %q", h.seen, h.keys)
	}
}

func TestAWrongPINIsNotTriedAgain(t *testing.T) {
	h := &hall{t: t, answers: []answer{{401, `{"code":"pin_wrong","detail":"工号或 PIN 不对。"}`}}}
	if got := press(t, h, "user: \"1001\"\npin: file:pin\n", "call-next"); got[0].Kind != caller.Refusal || len(h.seen) != 1 {
		t.Errorf("%+v %q", got, h.seen)
	}
}

// While one verb is not answered, another key counts for nothing, and the clerk is told so.
func TestOnlyOneVerbIsUnderWay(t *testing.T) {
	h := &hall{t: t, answers: []answer{{200, ticket}}, hold: make(chan struct{})}
	got := press(t, h, "token: file:token\n", "call-next+recall")
	if len(got) != 2 || got[0].Kind != caller.Busy || got[0].Verb != "recall" || got[1].Verb != "call-next" || len(h.keys) != 1 {
		t.Errorf("%+v %q", got, h.keys)
	}
}

func TestWhetherTheAgentCanBeReached(t *testing.T) {
	for name, tc := range map[string]struct {
		way     string
		answers []answer
		seen    string
		refused int // 0: it lets us in; -1: nobody answers
	}{
		"token":        {"token: file:token\n", []answer{{200, "{}"}}, "GET /api/v1/hall", 0},
		"person":       {"user: \"1001\"\npin: file:pin\n", []answer{{204, ""}, {200, "{}"}}, "POST /sign-in GET /api/v1/hall?as=window-3", 0},
		"wrong token":  {"token: file:token\n", []answer{{401, `{"code":"sign_in"}`}}, "GET /api/v1/hall", 401},
		"wrong person": {"user: \"1001\"\npin: file:pin\n", []answer{{401, `{"code":"pin_wrong"}`}}, "POST /sign-in", 401},
		"nobody":       {"token: file:token\n", []answer{{}}, "GET /api/v1/hall", -1},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hall{t: t, answers: tc.answers}
			srv := httptest.NewServer(h)
			defer srv.Close()
			cfg, problems := caller.Load(write(t, "agent: "+srv.URL+"\nwindow: \"3\"\n"+tc.way))
			if problems.Err() != nil {
				t.Fatal(problems)
			}
			err := caller.Reach(t.Context(), cfg)
			var refused *caller.Refused
			switch no := errors.As(err, &refused); {
			case tc.refused == 0 && err != nil, tc.refused < 0 && (err == nil || no), tc.refused > 0 && (!no || refused.Status != tc.refused):
				t.Errorf("it ended with %v", err)
			}
			srv.Close()                                                                                                   // whatever it was asked is written down
			if got := strings.Join(h.seen, " "); got != tc.seen && !(tc.refused < 0 && strings.HasPrefix(got, tc.seen)) { // a broken read is asked again
				t.Errorf("asked for %q", got)
			}
		})
	}
}

// Threat 34: whoever has taken the address of the hall's box, by ARP, DHCP or a name, is told no token and no PIN.
func TestThreat34NobodyElseIsToldTheToken(t *testing.T) {
	far := &hall{t: t, answers: []answer{{200, "{}"}, {200, "{}"}}}
	srv := httptest.NewUnstartedServer(far)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are broken off
	srv.StartTLS()
	defer srv.Close()
	der := srv.Certificate().Raw
	reach := func(root []byte, way string) error {
		config := write(t, "agent: "+srv.URL+"\nwindow: \"3\"\nca: hall-ca.crt\n"+way)
		if err := os.WriteFile(filepath.Join(filepath.Dir(config), "hall-ca.crt"), root, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, problems := caller.Load(config)
		if problems.Err() != nil {
			return problems.Err()
		}
		return caller.Reach(t.Context(), cfg)
	}
	const token, pin = "token: file:token\n", "user: \"1001\"\npin: file:pin\n"
	for _, root := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})} {
		if err := reach(root, token); err != nil {
			t.Error(err)
		}
	}
	asked := len(far.seen)
	for _, way := range []string{token, pin} {
		if err := reach(rootOfAnother(t), way); !errors.As(err, new(x509.UnknownAuthorityError)) {
			t.Errorf("somebody else at the address: %v", err)
		}
	}
	without, _ := caller.Load(write(t, "agent: "+srv.URL+"\nwindow: \"3\"\n"+token))
	if err := caller.Reach(t.Context(), without); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("without the root: %v", err)
	}
	if len(far.seen) != asked {
		t.Errorf("somebody else was asked %q", far.seen[asked:])
	}
	if err := reach([]byte("no certificate"), token); err == nil || !strings.Contains(err.Error(), "caller_ca") {
		t.Errorf("no certificate: %v", err)
	}
}

// rootOfAnother is the root of another hall.
func rootOfAnother(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
