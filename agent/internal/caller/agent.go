package caller

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"time"
)

// Bounds of a verb: how long one try and all of them together may take, and how far apart they are.
const (
	tryTime   = 4 * time.Second
	patience  = 12 * time.Second
	tryAgain  = 500 * time.Millisecond
	maxAnswer = 64 << 10
)

// Refused is what the agent said against a verb: nothing happened.
type Refused struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Advice string `json:"advice"`
}

func (r *Refused) Error() string { return fmt.Sprintf("refused: %d %s", r.Status, r.Code) }

// Answer is what a verb did. Number is of the ticket it dealt with, empty for none.
type Answer struct {
	Number string
	State  string // of the window
}

// agent is the hall's agent as one window's clerk sees it. It is not safe for concurrent use.
type agent struct {
	cfg    *Config
	client *http.Client
	query  string // which page's cookie counts
	in     bool   // signed in
}

func newAgent(cfg *Config) (*agent, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	a := &agent{cfg: cfg, client: &http.Client{Jar: jar, Timeout: tryTime, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.roots},
		MaxIdleConns: 1, IdleConnTimeout: time.Minute,
	}}}
	if cfg.Token.Empty() {
		a.query = "?as=" + url.QueryEscape(a.page())
	}
	return a, nil
}

func (a *agent) page() string { return "window-" + a.cfg.Window }

// do sends a verb until it is answered, always under the same key: however often it arrives, it happens once. What is not answered in
// time may have happened all the same.
func (a *agent) do(ctx context.Context, verb string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	key := rand.Text()
	for {
		answer, err := a.try(ctx, verb, key)
		var refused *Refused
		switch {
		case err == nil:
			return answer, nil
		case errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && a.cfg.Token.Empty() && a.in:
			a.in = false // the session is over: sign in anew, at once
			continue
		case errors.As(err, &refused) && !passing(refused.Status):
			return Answer{}, err
		}
		select {
		case <-time.After(tryAgain):
		case <-ctx.Done():
			return Answer{}, err
		}
	}
}

// passing reports whether the same request may go through a moment later.
func passing(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (a *agent) try(ctx context.Context, verb, key string) (Answer, error) {
	if err := a.enter(ctx); err != nil {
		return Answer{}, err
	}
	var got struct {
		Window struct{ State string }
		Ticket *struct{ Number string }
	}
	err := a.post(ctx, "/api/v1/windows/"+url.PathEscape(a.cfg.Window)+"/"+verb+a.query, key, struct{}{}, &got)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{State: got.Window.State}
	if got.Ticket != nil {
		answer.Number = got.Ticket.Number
	}
	return answer, nil
}

// enter signs in where the agent has not let us in yet.
func (a *agent) enter(ctx context.Context) error {
	if !a.cfg.Token.Empty() || a.in {
		return nil
	}
	body := map[string]any{"user": a.cfg.User, "pin": a.cfg.PIN.Reveal(), "page": a.page(), "beside": true}
	if err := a.post(ctx, "/sign-in", "", body, nil); err != nil {
		return err
	}
	a.in = true
	return nil
}

// Reach finds out whether the agent answers and lets us in, without doing anything there. A *Refused is its no.
func Reach(ctx context.Context, cfg *Config) error {
	a, err := newAgent(cfg)
	if err != nil {
		return err
	}
	if err := a.enter(ctx); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.Agent+"/api/v1/hall"+a.query, nil)
	if err != nil {
		return err
	}
	return a.send(req, nil)
}

// post sends JSON and reads the answer, if any is wanted.
func (a *agent) post(ctx context.Context, path, key string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.Agent+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return a.send(req, into)
}

// send sends a request as the one whose token we have, and reads the answer, if any is wanted.
func (a *agent) send(req *http.Request, into any) error {
	if !a.cfg.Token.Empty() {
		req.Header.Set("Authorization", "Bearer "+a.cfg.Token.Reveal())
	}
	res, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("reach the agent: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("read the agent's answer: %w", err)
	case res.StatusCode >= http.StatusBadRequest:
		refused := &Refused{}
		_ = json.Unmarshal(answer, refused) // whatever says no is no agent of ours, or says why
		refused.Status = res.StatusCode
		return refused
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("the agent's answer: %w", err)
	}
	return nil
}
