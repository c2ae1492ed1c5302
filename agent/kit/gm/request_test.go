package gm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// far is a far end that knows one caller and counts what it is asked.
type far struct {
	*httptest.Server
	caller *Caller
	asked  int
	last   *http.Request
	body   []byte
}

func newFar(t *testing.T, change func(http.Handler) http.Handler) *far {
	t.Helper()
	ours, theirs := newKey(t), newKey(t)
	f := &far{}
	door := NewDoor(theirs, func(name string) (PublicKey, bool) { return ours.Public(), name == "hall" })
	inner := door.Handler(func(_ context.Context, name string, body []byte) (int, []byte) {
		f.asked++
		return http.StatusOK, append([]byte(name+" said "), body...)
	})
	if change != nil {
		inner = change(inner)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.body, _ = io.ReadAll(io.LimitReader(r.Body, 2*MaxBody))
		r.Body = io.NopCloser(bytes.NewReader(f.body))
		f.last = r.Clone(context.Background())
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	f.caller = &Caller{URL: f.URL + "/codes", Name: "hall", Key: ours, Peer: theirs.Public(), Client: NewClient(nil)}
	return f
}

func failure(err error) Failure {
	var e *CallError
	if errors.As(err, &e) {
		return e.Failure
	}
	return ""
}

func TestACallIsAnswered(t *testing.T) {
	f := newFar(t, nil)
	status, answer, err := f.caller.Call(t.Context(), []byte("hello"))
	if err != nil || status != http.StatusOK || string(answer) != "hall said hello" {
		t.Fatal(status, string(answer), err)
	}
}

// Who has changed keys answers with the one that the asker believes. Whom he believes is no secret and no proof: another one is no answer.
func TestADoorAnswersWithTheKeyThatIsBelieved(t *testing.T) {
	ours := newKey(t)
	all := []PrivateKey{newKey(t), newKey(t), newKey(t)}
	door := NewDoorOf(func(believed string, message []byte) ([]byte, error) {
		for _, k := range all {
			if k.Public().ID() == believed {
				return k.Sign(message)
			}
		}
		return all[0].Sign(message)
	}, func(string) (PublicKey, bool) { return ours.Public(), true })
	f := httptest.NewServer(door.Handler(func(context.Context, string, []byte) (int, []byte) { return http.StatusOK, []byte("good") }))
	t.Cleanup(f.Close)
	for _, k := range all {
		c := &Caller{URL: f.URL + "/codes", Name: "hall", Key: ours, Peer: k.Public(), Client: NewClient(nil)}
		if _, answer, err := c.Call(t.Context(), nil); err != nil || string(answer) != "good" {
			t.Errorf("%q, %v", answer, err)
		}
	}
	c := &Caller{URL: f.URL + "/codes", Name: "hall", Key: ours, Peer: newKey(t).Public(), Client: NewClient(nil)}
	if _, _, err := c.Call(t.Context(), nil); failure(err) != Forged {
		t.Errorf("%v", err)
	}
}

// again sends what was sent before, with changes, as somebody on the way would.
func (f *far) again(t *testing.T, change func(*http.Request)) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/codes", bytes.NewReader(f.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = f.last.Header.Clone()
	change(req)
	res, err := f.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestOnlyASignedQuestionIsLetInAndOnlyOnce(t *testing.T) {
	f := newFar(t, nil)
	if _, _, err := f.caller.Call(t.Context(), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	sent, old := f.last, f.body
	for name, change := range map[string]func(*http.Request){
		"a copy":           func(*http.Request) {},
		"another body":     func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("hellp")) },
		"another path":     func(r *http.Request) { r.URL.Path = "/other" },
		"another signer":   func(r *http.Request) { r.Header.Set(headerSigner, "somebody") },
		"another time":     func(r *http.Request) { r.Header.Set(headerTime, "1") },
		"another nonce":    func(r *http.Request) { r.Header.Set(headerNonce, newNonce()) },
		"no nonce":         func(r *http.Request) { r.Header.Del(headerNonce) },
		"no signature":     func(r *http.Request) { r.Header.Del(headerSignature) },
		"a word for one":   func(r *http.Request) { r.Header.Set(headerSignature, "good") },
		"a time that is 0": func(r *http.Request) { r.Header.Set(headerTime, "") },
	} {
		f.last, f.body = sent, old
		if got := f.again(t, change); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got)
		}
	}
	if f.asked != 1 {
		t.Errorf("asked %d times", f.asked)
	}
	if got := f.again(t, func(r *http.Request) { r.Method = http.MethodPut }); got != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", got)
	}
	if got := f.again(t, func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(make([]byte, MaxBody+1))), MaxBody+1
	}); got != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: %d", got)
	}
}

func TestAnAnswerOfAnotherIsNoAnswer(t *testing.T) {
	say := func(status int, body string, header ...string) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for i := 0; i+1 < len(header); i += 2 {
					w.Header().Set(header[i], header[i+1])
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			})
		}
	}
	changed := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			w.Header().Set(headerSignature, rec.Header().Get(headerSignature))
			_, _ = io.WriteString(w, rec.Body.String()+" ")
		})
	}
	var first *httptest.ResponseRecorder
	replayed := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if first == nil {
				first = httptest.NewRecorder()
				next.ServeHTTP(first, r)
			}
			w.Header().Set(headerSignature, first.Header().Get(headerSignature))
			_, _ = w.Write(first.Body.Bytes())
		})
	}
	for name, tc := range map[string]struct {
		change func(http.Handler) http.Handler
		want   Failure
	}{
		"unsigned":       {say(200, "yes"), Forged},
		"signed by none": {say(200, "yes", headerSignature, "MEQ="), Forged},
		"too long":       {say(200, strings.Repeat("x", MaxBody+1)), Forged},
		"changed":        {changed, Forged},
		"denied":         {say(401, ""), Denied},
		"a proxy":        {say(502, "bad gateway"), Broken},
		"not found":      {say(404, "no such page"), Forged},
		"sent elsewhere": {say(302, "", "Location", "/other"), Forged},
	} {
		f := newFar(t, tc.change)
		if _, answer, err := f.caller.Call(t.Context(), []byte("hello")); failure(err) != tc.want || answer != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := newFar(t, replayed)
	if _, _, err := f.caller.Call(t.Context(), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.caller.Call(t.Context(), []byte("hello")); failure(err) != Forged {
		t.Errorf("the answer to an earlier question is taken: %v", err)
	}
}

func TestFailuresOnTheWay(t *testing.T) {
	f := newFar(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := f.caller.Call(ctx, []byte("hello")); failure(err) != Late {
		t.Errorf("silence: %v", err)
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.caller.URL = "http://" + gone.Addr().String() + "/codes"
	gone.Close()
	_, _, err = f.caller.Call(t.Context(), []byte("hello"))
	if failure(err) != Unreached || strings.Contains(err.Error(), gone.Addr().String()) {
		t.Errorf("nobody there: %v", err)
	}
	f.caller.Key = PrivateKey{}
	if _, _, err := f.caller.Call(t.Context(), nil); failure(err) != Broken || !errors.Is(err, ErrInvalid) {
		t.Errorf("no key: %v", err)
	}
}

func TestADoorForgetsOnlyWhatIsTooOldToBeLetIn(t *testing.T) {
	d := NewDoor(PrivateKey{}, nil)
	now := time.Now()
	if !d.first("hall", "a", now) || d.first("hall", "a", now.Add(nonceKept-time.Second)) {
		t.Error("a copy is let in")
	}
	if d.first("hall", "b", now.Add(nonceKept)); d.count != 2 {
		t.Errorf("%d remembered", d.count)
	}
	if d.first("other", "c", now.Add(nonceKept+Window+2*time.Second)); d.count != 2 || len(d.seen) != 2 {
		t.Errorf("%d remembered of %d", d.count, len(d.seen))
	}
	if d.first("other", "d", now.Add(2*nonceKept+2*Window)); d.count != 1 || len(d.seen) != 1 {
		t.Errorf("%d remembered of %d", d.count, len(d.seen))
	}
}

func TestWhoAsksWithoutEndShutsOutHimselfAlone(t *testing.T) {
	d := NewDoor(PrivateKey{}, nil)
	now := time.Now()
	for i := range maxNoncesOf {
		if !d.first("loud", strconv.Itoa(i), now) {
			t.Fatalf("question %d is not let in", i)
		}
	}
	if d.first("loud", "one more", now) {
		t.Error("one more is let in")
	}
	if !d.first("quiet", "0", now) {
		t.Error("another asker is shut out")
	}
	if !d.first("loud", "later", now.Add(nonceKept+time.Second)) {
		t.Error("the asker stays shut out")
	}
}
