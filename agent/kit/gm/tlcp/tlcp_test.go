package tlcp

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/gm/gmtest"
)

const (
	day  = 24 * time.Hour
	hall = "440900000000001"
	host = "cloud.example"
)

// at is the present of these tests, as far as certificates go.
func at() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }

// world is a root and who it vouches for.
type world struct {
	root  *cert.Issuer
	roots *cert.Roots
	above []*cert.Certificate
	by    *cert.Issuer
}

func newKey(t testing.TB) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newWorld(t testing.TB) *world {
	t.Helper()
	root, err := cert.NewRoot(newKey(t), cert.Subject{CN: "root"}, at().Add(-day), at().Add(400*day))
	if err != nil {
		t.Fatal(err)
	}
	roots, err := cert.NewRoots(root.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return &world{root: root, roots: roots, by: root}
}

// withIntermediate puts an issuer between the root and the others.
func (w *world) withIntermediate(t testing.TB) *world {
	t.Helper()
	key := newKey(t)
	c, err := w.root.Intermediate(key.Public(), cert.Subject{CN: "city"}, at().Add(-day), at().Add(300*day))
	if err != nil {
		t.Fatal(err)
	}
	by, err := cert.OpenIssuer(c, key)
	if err != nil {
		t.Fatal(err)
	}
	return &world{w.root, w.roots, []*cert.Certificate{c}, by}
}

func (w *world) order(role cert.Role, use cert.Use) cert.Order {
	o := cert.Order{Subject: cert.Subject{CN: hall}, Role: role, Use: use, From: at().Add(-day), Until: at().Add(30 * day)}
	if role == cert.Server {
		o.Subject = cert.Subject{CN: "cloud", Hosts: []string{host, "127.0.0.1"}}
	}
	return o
}

func (w *world) issue(t testing.TB, key gm.PrivateKey, o cert.Order) *cert.Certificate {
	t.Helper()
	o.Key = key.Public()
	c, err := w.by.Issue(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) config(t testing.TB, role cert.Role, sign, enc gm.PrivateKey) Config {
	t.Helper()
	return Config{Identity: Identity{
		w.issue(t, sign, w.order(role, cert.Signing)), sign, w.issue(t, enc, w.order(role, cert.Encrypting)), enc, w.above,
	}, Roots: w.roots, Now: at}
}

func (w *world) server(t testing.TB) Config { return w.config(t, cert.Server, newKey(t), newKey(t)) }
func (w *world) client(t testing.TB) Config { return w.config(t, cert.Client, newKey(t), newKey(t)) }

// deadline is when a test stops waiting.
const deadline = 30 * time.Second

// echo is a listener that answers each connection with what it gets, and tells who came.
type echo struct {
	*Listener
	came chan string
	all  sync.WaitGroup
}

func newEcho(t testing.TB, c Config, alarm func(string, int)) *echo {
	t.Helper()
	if err := c.check(true); err != nil {
		t.Fatal(err)
	}
	return newThief(t, c, alarm)
}

// newThief is newEcho without the check that keys and certificates belong together.
func newThief(t testing.TB, c Config, alarm func(string, int)) *echo {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listen(raw, c, alarm)
	e := &echo{Listener: l, came: make(chan string, 4096)}
	e.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			e.all.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(deadline))
				e.came <- conn.(*Conn).PeerCN()
				_, _ = io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		e.all.Wait()
	})
	return e
}

func (e *echo) address() string { return e.Addr().String() }

// talk sends a message of n bytes to and fro.
func talk(t testing.TB, c net.Conn, n int) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, n)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := c.Write(sent); err != nil {
			t.Error(err)
		}
	})
	got := make([]byte, n)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != string(sent) {
		t.Errorf("of %d bytes not all came back: %v", n, err)
	}
	all.Wait()
}

// works says that a good client is served.
func (e *echo) works(t testing.TB, c Config) {
	t.Helper()
	conn, err := connect(t.Context(), e.address(), host, c)
	if err != nil {
		t.Fatal("a good client is not served: ", err)
	}
	defer conn.Close()
	talk(t, conn, 100)
}

func TestBothEndsKnowEachOther(t *testing.T) {
	w := newWorld(t)
	for name, w := range map[string]*world{"below the root": w, "with an issuer between": w.withIntermediate(t)} {
		t.Run(name, func(t *testing.T) {
			e := newEcho(t, w.server(t), nil)
			for _, as := range []string{host, "127.0.0.1", ""} {
				conn, err := connect(t.Context(), e.address(), as, w.client(t))
				if err != nil {
					t.Fatal(err)
				}
				if conn.PeerCN() != "cloud" || conn.RemoteAddr().String() != e.address() || conn.LocalAddr().String() == e.address() {
					t.Error(conn.PeerCN(), conn.RemoteAddr(), conn.LocalAddr())
				}
				for _, n := range []int{1, 16 << 10, 1 << 20} {
					talk(t, conn, n)
				}
				if got := <-e.came; got != hall {
					t.Error("the server saw", got)
				}
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
				if _, err := conn.Write([]byte("x")); err == nil {
					t.Error("written after the end")
				}
			}
		})
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	w := newWorld(t)
	e, c := newEcho(t, w.server(t), nil), w.client(t)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			conn, err := connect(t.Context(), e.address(), host, c)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			talk(t, conn, 5000)
		})
	}
	all.Wait()
}

func TestKeysMayBeInModules(t *testing.T) {
	w := newWorld(t)
	theirs, ours := gmtest.NewModule(t), gmtest.NewModule(t)
	key := func(m *gmtest.Module) gm.PrivateKey { k, _ := gmtest.NewKey(t, m); return k }
	e := newEcho(t, w.config(t, cert.Server, key(theirs), key(theirs)), nil)
	c := w.config(t, cert.Client, key(ours), key(ours))
	e.works(t, c)
	ours.Unplug()
	var unusable *gm.KeyError
	if _, err := connect(t.Context(), e.address(), host, c); !errors.As(err, &unusable) || !errors.Is(err, gmtest.ErrUnplugged) {
		t.Error("a client without its module:", err)
	}
	theirs.Unplug()
	if _, err := connect(t.Context(), e.address(), host, w.client(t)); err == nil {
		t.Error("a server signs without its module")
	}
	if err := e.Close(); err != nil { // and all handshakes are over
		t.Error(err)
	}
	if s := e.Stats(); s.Unusable != 1 || s.Done != 1 {
		t.Errorf("%+v", s)
	}
}

func reason(err error) cert.Reason {
	var e *cert.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestAClientRefusesAServer(t *testing.T) {
	w, foreign := newWorld(t), newWorld(t)
	good := w.server(t)
	with := func(change func(*Config)) Config { c := good; change(&c); return c }
	odd := func(use cert.Use, change func(*cert.Order)) Config {
		c := good
		o := w.order(cert.Server, use)
		change(&o)
		if use == cert.Signing {
			c.Identity.Sign = w.issue(t, c.Identity.SignKey, o)
		} else {
			c.Identity.Enc = w.issue(t, c.Identity.EncKey, o)
		}
		return c
	}
	otherHost := func(o *cert.Order) { o.Subject.Hosts = []string{"clout.example"} }
	over := func(o *cert.Order) { o.Until = at().Add(-time.Hour) }
	asClient := func(o *cert.Order) { o.Role = cert.Client }
	for name, tc := range map[string]struct {
		server Config
		want   cert.Reason
	}{
		"foreign root": {foreign.server(t), cert.UnknownIssuer},
		"foreign decrypting": {with(func(c *Config) {
			f := foreign.server(t)
			c.Identity.Enc, c.Identity.EncKey = f.Identity.Enc, f.Identity.EncKey
		}), cert.UnknownIssuer},
		"other host":              {odd(cert.Signing, otherHost), cert.WrongName},
		"other host, decrypting":  {odd(cert.Encrypting, otherHost), cert.WrongName},
		"over":                    {odd(cert.Signing, over), cert.Expired},
		"over, decrypting":        {odd(cert.Encrypting, over), cert.Expired},
		"a client's":              {odd(cert.Signing, asClient), cert.WrongUsage},
		"a client's, decrypting":  {odd(cert.Encrypting, asClient), cert.WrongUsage},
		"two holders":             {odd(cert.Encrypting, func(o *cert.Order) { o.Subject.CN = "other" }), cert.WrongName},
		"stolen, without its key": {with(func(c *Config) { c.Identity.SignKey = newKey(t) }), ""},
		"stolen, decrypting":      {with(func(c *Config) { c.Identity.EncKey = newKey(t) }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newThief(t, tc.server, nil)
			conn, err := connect(t.Context(), e.address(), host, w.client(t))
			if err == nil {
				conn.Close()
				t.Fatal("taken")
			}
			if reason(err) != tc.want {
				t.Error(err)
			}
		})
	}
}

func TestAServerRefusesAClient(t *testing.T) {
	w, foreign := newWorld(t), newWorld(t)
	e := newEcho(t, w.server(t), nil)
	good := w.client(t)
	odd := func(change func(*cert.Order)) Config {
		c := good
		o := w.order(cert.Client, cert.Signing)
		change(&o)
		c.Identity.Sign = w.issue(t, c.Identity.SignKey, o)
		return c
	}
	foreigner := foreign.client(t)
	foreigner.Roots = w.roots
	for name, c := range map[string]Config{
		"foreign root": foreigner,
		"over":         odd(func(o *cert.Order) { o.Until = at().Add(-time.Hour) }),
		"not yet":      odd(func(o *cert.Order) { o.From = at().Add(time.Hour) }),
		"a server's":   odd(func(o *cert.Order) { o.Role = cert.Server }),
		"decrypts":     odd(func(o *cert.Order) { o.Use = cert.Encrypting }),
	} {
		if conn, err := connect(t.Context(), e.address(), host, c); err == nil {
			conn.Close()
			t.Errorf("%s: taken", name)
		}
	}
	thief := good
	thief.Identity.SignKey = newKey(t)
	if _, err := connect(t.Context(), e.address(), host, thief); err == nil {
		t.Error("the key of another certificate is used")
	}
	raw := dial(t, e.address())
	if conn, err := unchecked(t, raw, thief); err == nil {
		conn.Close()
		t.Error("a stolen certificate is taken without its key")
	}
	if s := e.Stats(); s.Done != 0 || s.Failed == 0 {
		t.Errorf("%+v", s)
	}
	e.works(t, good)
}

// unchecked is a client whose key is not its certificate's.
func unchecked(t *testing.T, raw net.Conn, c Config) (*Conn, error) {
	t.Helper()
	w := &wire{Conn: raw, expected: fromServer}
	inner := c.client(w, nil)
	if err := w.shake(inner.Handshake); err != nil {
		return nil, err
	}
	return &Conn{inner, raw, c.Identity.Sign}, nil
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	raw, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	if err := raw.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestADialEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := connect(ctx, silent.Addr().String(), host, w.client(t))
		ended <- err
	}()
	raw, err := silent.Accept() // it is connected, and waits for an answer
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestBothEndsNeedAllTheyAreAskedFor(t *testing.T) {
	w := newWorld(t)
	good := w.server(t)
	for name, change := range map[string]func(*Config){
		"no roots":        func(c *Config) { c.Roots = nil },
		"no clock":        func(c *Config) { c.Now = nil },
		"no certificate":  func(c *Config) { c.Identity.Sign = nil },
		"no key":          func(c *Config) { c.Identity.SignKey = gm.PrivateKey{} },
		"another key":     func(c *Config) { c.Identity.SignKey = c.Identity.EncKey },
		"nothing for enc": func(c *Config) { c.Identity.Enc = nil },
		"no enc key":      func(c *Config) { c.Identity.EncKey = gm.PrivateKey{} },
		"many above":      func(c *Config) { c.Identity.Above = make([]*cert.Certificate, maxCertificates) },
	} {
		c := good
		change(&c)
		if _, err := Listen(nil, c, nil); err == nil {
			t.Errorf("%s: listens", name)
		}
	}
	near, far := net.Pipe()
	defer far.Close()
	if _, err := Over(t.Context(), near, "", w.client(t)); err == nil {
		t.Error("no host to check")
	}
	if _, err := connect(t.Context(), "nowhere", "", w.client(t)); err == nil {
		t.Error("no address")
	}
}

// What a listener uses may change while it runs: a renewed certificate, and who may come in.
func TestListenersTakeNewSettings(t *testing.T) {
	w := newWorld(t)
	first, second, client := w.server(t), w.server(t), w.client(t)
	refused := errors.New("not today")
	second.Admit = func(c *cert.Certificate) error {
		if c.Serial() == client.Identity.Sign.Serial() {
			return refused
		}
		return nil
	}
	e := newEcho(t, first, nil)
	conn, err := connect(t.Context(), e.address(), host, client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := e.Use(second); err != nil {
		t.Fatal(err)
	}
	talk(t, conn, 100) // who is in stays
	if _, err := connect(t.Context(), e.address(), host, client); err == nil {
		t.Error("who is not admitted comes in")
	}
	other, err := connect(t.Context(), e.address(), host, w.client(t))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if other.Peer().Serial() != second.Identity.Sign.Serial() {
		t.Error("the listener shows its earlier certificate")
	}
	second.Identity.SignKey = newKey(t)
	if e.Use(second) == nil {
		t.Error("settings that no handshake would work with were taken")
	}
}
