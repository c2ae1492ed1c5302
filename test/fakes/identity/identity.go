// Package identity gives a unified identity platform on the loopback: a real OpenID Connect server with a sign-in page of its own.
package identity

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Client and Secret are what the platform knows the cloud by.
const (
	Client = "hall-cloud"
	Secret = "0123456789abcdef-secret"
)

// Person is somebody the platform knows. Name is what its sign-in page asks for.
type Person struct {
	Subject, Name, FullName, Password string
	Groups                            []string
}

// Platform is a running one.
type Platform struct {
	Issuer string

	store *platformStore

	tokens sync.Mutex
	change func(claims map[string]any)
	before func(http.ResponseWriter, *http.Request) bool
}

// Start runs a platform that sends browsers back to one address, until the test ends.
func Start(t testing.TB, redirect string, people ...Person) *Platform {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Platform{Issuer: "http://" + listener.Addr().String()}
	p.store = &platformStore{
		Storage: storage.NewStorageWithClients(users(people), map[string]*storage.Client{
			Client: storage.WebClient(Client, Secret, redirect), "another": storage.WebClient("another", Secret, redirect),
		}),
		people: people,
	}
	p.Rotate(t)
	router := exampleop.SetupServer(p.Issuer, p.store, nil, false, op.WithAllowInsecure())
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: p.around(router)}}
	server.Start()
	t.Cleanup(server.Close)
	return p
}

// Rotate gives the platform another key; the one before is no longer told.
func (p *Platform) Rotate(t testing.TB) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.store.key = signingKey{id: rand.Text(), key: key}
}

// Change lets all ID tokens carry other claims, under the platform's own signature; nil: none.
func (p *Platform) Change(change func(claims map[string]any)) {
	p.tokens.Lock()
	defer p.tokens.Unlock()
	p.change = change
}

// Before lets something else answer first; when it reports true the platform says nothing more. Nil: nothing else does.
func (p *Platform) Before(answer func(http.ResponseWriter, *http.Request) bool) {
	p.tokens.Lock()
	defer p.tokens.Unlock()
	p.before = answer
}

func (p *Platform) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.tokens.Lock()
		change, before := p.change, p.before
		p.tokens.Unlock()
		switch {
		case before != nil && before(w, r):
		case change == nil || r.URL.Path != "/oauth/token":
			next.ServeHTTP(w, r)
		default:
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body, err := p.store.rewrite(rec.Body.Bytes(), change)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(rec.Code)
			_, _ = w.Write(body) // a client that has gone cannot be told
		}
	})
}

// SignIn goes to the platform as a browser does, fills in its page and gives the address it sends back to.
func (p *Platform) SignIn(ctx context.Context, address, name, password string) (back string, err error) {
	client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), p.Issuer) {
			return nil
		}
		return http.ErrUseLastResponse
	}}
	defer client.CloseIdleConnections()
	page, err := visit(ctx, client, http.MethodGet, address, "") //nolint:bodyclose // visit closes it
	if err != nil {
		return "", err
	}
	if page.StatusCode != http.StatusOK {
		return page.Header.Get("Location"), nil
	}
	form := page.Request.URL.Query()
	form.Set("id", form.Get("authRequestID"))
	form.Set("username", name)
	form.Set("password", password)
	page, err = visit(ctx, client, http.MethodPost, p.Issuer+"/login/username", form.Encode()) //nolint:bodyclose // likewise
	if err != nil {
		return "", err
	}
	if page.StatusCode != http.StatusFound {
		return "", fmt.Errorf("the platform answers with %s", page.Status)
	}
	return page.Header.Get("Location"), nil
}

func visit(ctx context.Context, client *http.Client, method, address, form string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}

// platformStore is the library's own, with keys that change and claims that our people have.
type platformStore struct {
	*storage.Storage
	people users

	mu  sync.Mutex
	key signingKey
}

// SigningKey implements op.Storage.
func (s *platformStore) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key, nil
}

// KeySet implements op.Storage.
func (s *platformStore) KeySet(context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []op.Key{publicKey{s.key}}, nil
}

// GetClientByClientID implements op.Storage.
func (s *platformStore) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return telling{c}, err
}

// SetUserinfoFromRequest implements op.CanSetUserinfoFromRequest.
func (s *platformStore) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	if err := s.Storage.SetUserinfoFromRequest(ctx, info, token, scopes); err != nil {
		return err
	}
	for _, p := range s.people {
		if p.Subject == token.GetSubject() {
			info.Name = p.FullName
			info.AppendClaims("groups", p.Groups)
		}
	}
	return nil
}

// rewrite changes the ID token in an answer and signs it again.
func (s *platformStore) rewrite(body []byte, change func(map[string]any)) ([]byte, error) {
	var answer, claims map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	raw, ok := answer["id_token"].(string)
	if !ok {
		return body, nil
	}
	token, err := jose.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(token.UnsafePayloadWithoutVerification()))
	d.UseNumber() // times stay as they are written
	if err := d.Decode(&claims); err != nil {
		return nil, err
	}
	change(claims)
	s.mu.Lock()
	key := s.key
	s.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key.key}, (&jose.SignerOptions{}).WithHeader("kid", key.id))
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, err
	}
	answer["id_token"], err = signed.CompactSerialize()
	out, marshalErr := json.Marshal(answer)
	return out, errors.Join(err, marshalErr)
}

// telling is a client that is told of people in ID tokens.
type telling struct{ op.Client }

// IDTokenUserinfoClaimsAssertion implements op.Client.
func (telling) IDTokenUserinfoClaimsAssertion() bool { return true }

type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

// SignatureAlgorithm implements op.SigningKey.
func (signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

// Key implements op.SigningKey.
func (k signingKey) Key() any { return k.key }

// ID implements op.SigningKey.
func (k signingKey) ID() string { return k.id }

type publicKey struct{ of signingKey }

// ID implements op.Key.
func (k publicKey) ID() string { return k.of.id }

// Algorithm implements op.Key.
func (publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }

// Use implements op.Key.
func (publicKey) Use() string { return "sig" }

// Key implements op.Key.
func (k publicKey) Key() any { return &k.of.key.PublicKey }

// users are people as the library wants them.
type users []Person

// GetUserByID implements storage.UserStore.
func (u users) GetUserByID(id string) *storage.User {
	return u.find(func(p Person) bool { return p.Subject == id })
}

// GetUserByUsername implements storage.UserStore.
func (u users) GetUserByUsername(name string) *storage.User {
	return u.find(func(p Person) bool { return p.Name == name })
}

func (u users) find(which func(Person) bool) *storage.User {
	for _, p := range u {
		if which(p) {
			return &storage.User{ID: p.Subject, Username: p.Name, Password: p.Password}
		}
	}
	return nil
}

// ExampleClientID implements storage.UserStore.
func (users) ExampleClientID() string { return "nobody" }
