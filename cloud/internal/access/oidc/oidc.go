// Package oidc gives sign-in through a unified identity platform by OpenID Connect Core 1.0: where a browser is sent, and who comes
// back from there. It is the authorization code flow with PKCE (RFC 7636); this package alone knows the libraries.
package oidc

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	patience   = 10 * time.Second // for each answer of the platform
	maxAnswer  = 1 << 20          // bytes of one
	rediscover = 10 * time.Minute // its addresses may change
	maxCode    = 4 << 10          // bytes of an authorization code
	maxClaim   = 256              // bytes of a text in a claim
	freshness  = 10 * time.Minute // an ID token is made for the one who has just signed in
)

// Options say who the platform is, and who we are there.
type Options struct {
	Issuer   string // https, or http on this machine
	Client   string // our id
	Secret   string
	Redirect string         // where browsers come back to, as the platform has it
	Scopes   []string       // beside openid
	Roots    *x509.CertPool // issuers of its certificate; nil: the system's
	Now      func() time.Time
}

// DownError says that the platform did not answer, or not with what it should.
type DownError struct{ Err error }

func (e *DownError) Error() string { return "identity platform: " + e.Err.Error() }

func (e *DownError) Unwrap() error { return e.Err }

// RefusedError says that what somebody came back with is good for nothing.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return "identity platform refused: " + e.Err.Error() }

func (e *RefusedError) Unwrap() error { return e.Err }

// Journey is what a browser is sent away with. State comes back with it, the others never leave us in the clear.
type Journey struct {
	State    string
	nonce    string
	verifier string
}

// Person is whom the platform vouches for.
type Person struct {
	Issuer, Subject string
	ACR             string   // how well he has shown who he is, in the platform's words
	AMR             []string // by what: pwd, otp, hwk … (RFC 8176)
	claims          map[string]any
}

// Text gives a claim that is a text of a length to be kept; empty when it is none.
func (p Person) Text(claim string) string {
	text, _ := p.claims[claim].(string)
	if len(text) > maxClaim {
		return ""
	}
	return text
}

// Has reports whether a claim is a value, or a list with it.
func (p Person) Has(claim, value string) bool {
	switch have := p.claims[claim].(type) {
	case string:
		return have == value
	case []any:
		return slices.Contains(have, any(value))
	}
	return false
}

// Platform is a unified identity platform. It is asked for its addresses when somebody wants to sign in, and not before: that it is
// down hinders nobody else.
type Platform struct {
	o      Options
	client *http.Client
	turn   chan struct{} // held while known is looked at
	known  *metadata
	asked  time.Time
}

// metadata is what the platform says of itself (OpenID Connect Discovery 1.0).
type metadata struct {
	config oauth2.Config
	keys   oidc.KeySet
	algs   []string
}

// New makes a Platform.
func New(o Options) *Platform {
	if o.Now == nil {
		o.Now = time.Now
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots}, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &Platform{o: o, turn: make(chan struct{}, 1), client: &http.Client{
		Timeout: patience, Transport: bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the platform sends elsewhere") },
	}}
}

// bounded reads answers whole: one that is too long, or says that the platform cannot answer, is none.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch err = errors.Join(err, resp.Body.Close()); {
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, errors.New("the answer is too long")
	case resp.StatusCode >= http.StatusInternalServerError:
		return nil, errors.New(resp.Status)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// Begin gives the address that a browser is sent to. It fails with *DownError.
func (p *Platform) Begin(ctx context.Context) (string, Journey, error) {
	m, err := p.discover(ctx)
	if err != nil {
		return "", Journey{}, err
	}
	j := Journey{State: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	return m.config.AuthCodeURL(j.State, oidc.Nonce(j.nonce), oauth2.S256ChallengeOption(j.verifier)), j, nil
}

// Finish says who came back from a journey with a code. It fails with *DownError or *RefusedError.
func (p *Platform) Finish(ctx context.Context, j Journey, code string) (Person, error) {
	if code == "" || len(code) > maxCode {
		return Person{}, &RefusedError{Err: errors.New("no code")}
	}
	m, err := p.discover(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	answer, err := m.config.Exchange(ctx, code, oauth2.VerifierOption(j.verifier))
	var said *oauth2.RetrieveError
	switch {
	case errors.As(err, &said):
		// Not its text: what the platform writes may name people.
		return Person{}, &RefusedError{Err: fmt.Errorf("code: %d %s", said.Response.StatusCode, said.ErrorCode)}
	case err != nil:
		return Person{}, &DownError{Err: fmt.Errorf("redeem code: %w", err)}
	}
	raw, _ := answer.Extra("id_token").(string)
	return p.judge(ctx, m, j, raw)
}

// judge checks an ID token (OpenID Connect Core 1.0, 3.1.3.7).
func (p *Platform) judge(ctx context.Context, m *metadata, j Journey, raw string) (Person, error) {
	seen := &keys{KeySet: m.keys}
	verifier := oidc.NewVerifier(p.o.Issuer, seen, &oidc.Config{ClientID: p.o.Client, SupportedSigningAlgs: m.algs, Now: p.o.Now})
	token, err := verifier.Verify(ctx, raw)
	if seen.down != nil {
		return Person{}, &DownError{Err: seen.down}
	}
	if err != nil {
		return Person{}, &RefusedError{Err: err}
	}
	var own struct {
		AuthorizedParty string   `json:"azp"`
		ACR             string   `json:"acr"`
		AMR             []string `json:"amr"`
	}
	person := Person{Issuer: token.Issuer, Subject: token.Subject}
	if err := errors.Join(token.Claims(&own), token.Claims(&person.claims)); err != nil {
		return Person{}, &RefusedError{Err: fmt.Errorf("claims: %w", err)}
	}
	person.ACR, person.AMR = own.ACR, own.AMR
	switch age := p.o.Now().Sub(token.IssuedAt).Abs(); {
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(j.nonce)) != 1:
		err = errors.New("nonce")
	case len(token.Audience) > 1 && own.AuthorizedParty == "", own.AuthorizedParty != "" && own.AuthorizedParty != p.o.Client:
		err = errors.New("authorized party")
	case age > freshness:
		err = errors.New("issued at another time")
	case token.Subject == "" || len(token.Subject) > maxClaim:
		err = errors.New("subject")
	}
	if err != nil {
		return Person{}, &RefusedError{Err: err}
	}
	return person, nil
}

// discover gives what the platform says of itself.
func (p *Platform) discover(ctx context.Context) (*metadata, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.known != nil && p.o.Now().Sub(p.asked).Abs() < rediscover {
		return p.known, nil
	}
	// Its keys are asked for later, beyond this request.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.o.Issuer)
	if err != nil {
		return nil, &DownError{Err: fmt.Errorf("discover: %w", err)}
	}
	var more struct {
		Keys    string   `json:"jwks_uri"`
		Algs    []string `json:"id_token_signing_alg_values_supported"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, &DownError{Err: fmt.Errorf("discover: %w", err)}
	}
	end := found.Endpoint()
	for _, address := range []string{end.AuthURL, end.TokenURL, more.Keys} {
		if !p.safe(address) {
			return nil, &DownError{Err: fmt.Errorf("discover: %q is not https", address)}
		}
	}
	end.AuthStyle = oauth2.AuthStyleInHeader // which is meant where nothing is said
	if len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") {
		end.AuthStyle = oauth2.AuthStyleInParams
	}
	p.known = &metadata{
		config: oauth2.Config{
			ClientID: p.o.Client, ClientSecret: p.o.Secret, Endpoint: end, RedirectURL: p.o.Redirect,
			Scopes: append([]string{oidc.ScopeOpenID}, p.o.Scopes...),
		},
		keys: oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), p.client), more.Keys),
		algs: asymmetric(more.Algs),
	}
	p.asked = p.o.Now()
	return p.known, nil
}

// safe reports whether an address that the platform names is as safe as that of the platform.
func (p *Platform) safe(address string) bool {
	u, err := url.Parse(address)
	issuer, _ := url.Parse(p.o.Issuer) // it was asked there
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && issuer.Scheme == "http" && u.Hostname() == issuer.Hostname())
}

// asymmetric picks the algorithms that only the platform can sign with.
func asymmetric(algs []string) []string {
	picked := slices.DeleteFunc(slices.Clone(algs), func(a string) bool {
		return !slices.Contains([]string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}, a)
	})
	if len(picked) == 0 {
		return []string{oidc.RS256}
	}
	return picked
}

// keys tells a platform whose keys cannot be read from a signature that is wrong.
type keys struct {
	oidc.KeySet
	down error
}

// VerifySignature implements oidc.KeySet.
func (k *keys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	var network *url.Error
	if errors.As(err, &network) {
		k.down = err
	}
	return payload, err
}
