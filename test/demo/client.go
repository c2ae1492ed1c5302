package demo

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// Answer is one HTTP answer, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Into decodes a JSON answer.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("answer is not the JSON expected: %v\n%s", err, a.Body)
	}
}

// Ticket and Window are T and W of the contract; Hall is GET /api/v1/hall.
type (
	Ticket struct {
		ID, Number, Queue, Class, State string
		Ahead                           int
		Window                          *string
		Print                           string
		Reprints                        int
	}
	Window struct {
		ID, Name, State string
		Ticket          *Ticket
	}
	Hall struct {
		Seq    uint64
		Queues []struct {
			ID, Name string
			Waiting  int
		}
		Windows []Window
		Calls   []struct {
			Number, Window string
			Times          int
		}
		Missed []string
		Health []struct{ Code, Title, Advice string }
	}
	// WindowAnswer is the answer to a window's verb.
	WindowAnswer struct {
		Window Window
		Ticket *Ticket
		Why    *struct {
			Rule string
			Next string
		}
	}
)

// client never follows redirects and waits no longer than a test would.
func client() *http.Client {
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do sends one request to a base address (Agent.URL or Cloud.URL). body may be nil, a []byte sent as it is, or anything that
// becomes JSON. A POST gets a fresh Idempotency-Key unless header has one; an empty one leaves it out.
func (d *Demo) Do(base, token, method, path string, body any, header map[string]string) (Answer, error) {
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		payload = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return Answer{}, err
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, base+path, payload)
	if err != nil {
		return Answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", Key())
	}
	for k, v := range header {
		if v == "" {
			req.Header.Del(k)
		} else {
			req.Header.Set(k, v)
		}
	}
	res, err := client().Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return Answer{Status: res.StatusCode, Header: res.Header, Body: raw}, err
}

// Ready fails until the program at a base address says that it is ready.
func (d *Demo) Ready(base string) error {
	a, err := d.Do(base, "", http.MethodGet, "/readyz", nil, nil)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("readyz %d", a.Status)
	}
	return err
}

// Key draws an idempotency key.
func Key() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x", b)
}

// Post sends a POST to the agent as a role and wants a status.
func (d *Demo) Post(t testing.TB, role, path string, body any, want int) Answer {
	t.Helper()
	a, err := d.Do(d.Agent.URL, d.Agent.Tokens[role], http.MethodPost, path, body, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != want {
		t.Fatalf("POST %s: %d, want %d\n%s", path, a.Status, want, a.Body)
	}
	return a
}

// Get reads from the agent as a role.
func (d *Demo) Get(t testing.TB, role, path string) Answer {
	t.Helper()
	a, err := d.Do(d.Agent.URL, d.Agent.Tokens[role], http.MethodGet, path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != http.StatusOK {
		t.Fatalf("GET %s: %d\n%s", path, a.Status, a.Body)
	}
	return a
}

// GetCloud reads from the cloud's API.
func (d *Demo) GetCloud(t testing.TB, path string) Answer {
	t.Helper()
	a, err := d.Do(d.Info.Cloud.URL, d.Info.Cloud.Token, http.MethodGet, path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != http.StatusOK {
		t.Fatalf("GET %s: %d\n%s", path, a.Status, a.Body)
	}
	return a
}

// Hall reads the hall's state.
func (d *Demo) Hall(t testing.TB) (h Hall) {
	t.Helper()
	d.Get(t, "screen", "/api/v1/hall").Into(t, &h)
	return h
}

// Take takes a ticket at the kiosk.
func (d *Demo) Take(t testing.TB, queue string) Ticket {
	t.Helper()
	var a struct{ Ticket Ticket }
	d.Post(t, "kiosk", "/api/v1/tickets", map[string]any{"queue": queue, "channel": "kiosk"}, http.StatusCreated).Into(t, &a)
	return a.Ticket
}

// Verb sends a window's verb and wants 200.
func (d *Demo) Verb(t testing.TB, window, verb string, body any) (a WindowAnswer) {
	t.Helper()
	if body == nil {
		body = map[string]any{}
	}
	d.Post(t, "staff", "/api/v1/windows/"+window+"/"+verb, body, http.StatusOK).Into(t, &a)
	return a
}
