package gm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Failure is why a call came to no answer.
type Failure string

// The failures.
const (
	Unreached Failure = "unreached" // the question did not arrive: asking again is safe
	Broken    Failure = "broken"    // it may have arrived
	Late      Failure = "late"      // no answer in time
	Denied    Failure = "denied"    // the far end does not know us, or our clock is wrong
	Forged    Failure = "forged"    // the answer is not signed by whom we asked, or is no answer at all
)

// CallError is a call without an answer. Nothing in it is of the question.
type CallError struct {
	Failure Failure
	Err     error
}

func (e *CallError) Error() string {
	if e.Err == nil {
		return "gm: call " + string(e.Failure)
	}
	return "gm: call " + string(e.Failure) + ": " + e.Err.Error()
}

func (e *CallError) Unwrap() error { return e.Err }

// Caller asks signed questions of one far end. It is safe for concurrent use.
type Caller struct {
	URL    string
	Name   string     // under which the far end knows our key
	Key    PrivateKey // ours
	Peer   PublicKey  // the far end's
	Client *http.Client
	Now    func() time.Time // which the far end compares with its own; nil: the machine's clock
}

// NewClient gives a client for callers: it goes where it is sent and nowhere else. roots are the issuers trusted with the far end's
// certificate; nil: the system's.
func NewClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Call asks once and gives the status and body of the answer, which the far end has signed for this question. It fails with *CallError.
func (c *Caller) Call(ctx context.Context, body []byte) (status int, answer []byte, err error) {
	req, nonce, err := c.request(ctx, body)
	if err != nil {
		return 0, nil, &CallError{Broken, err}
	}
	res, err := c.Client.Do(req)
	if err != nil {
		return 0, nil, failed(err)
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, MaxBody+1))
	if err != nil {
		return 0, nil, failed(err)
	}
	sig, sigErr := base64.StdEncoding.DecodeString(res.Header.Get(headerSignature))
	if sigErr != nil || len(answer) > MaxBody || !c.Peer.Verify(answerMessage(nonce, res.StatusCode, answer), sig) {
		switch res.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return 0, nil, &CallError{Failure: Denied}
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout: // of a proxy in between
			return 0, nil, &CallError{Failure: Broken}
		}
		return 0, nil, &CallError{Failure: Forged}
	}
	return res.StatusCode, answer, nil
}

func (c *Caller) request(ctx context.Context, body []byte) (*http.Request, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	q := question{req.URL.Path, c.Name, strconv.FormatInt(now().UnixMilli(), 10), newNonce()}
	sig, err := c.Key.Sign(q.message(body))
	if err != nil {
		return nil, "", err
	}
	req.GetBody = nil // a question is never sent twice behind our back: its nonce would be used up
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(headerSigner, q.signer)
	req.Header.Set(headerPeer, c.Peer.ID())
	req.Header.Set(headerTime, q.time)
	req.Header.Set(headerNonce, q.nonce)
	req.Header.Set(headerSignature, base64.StdEncoding.EncodeToString(sig))
	return req, q.nonce, nil
}

// failed tells what went wrong on the way. The address is left out: it may be one of the government's own network.
func failed(err error) *CallError {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial" && !dial.Timeout():
		return &CallError{Unreached, errors.New("cannot connect")}
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return &CallError{Failure: Late}
	}
	return &CallError{Broken, fmt.Errorf("%T", err)}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
