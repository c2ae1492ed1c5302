package cert

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/gmtest"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// at is the present of these tests.
func at() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }

func newKey(t testing.TB) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRoot(t testing.TB, cn string) *Issuer {
	t.Helper()
	i, err := NewRoot(newKey(t), Subject{CN: cn, Organization: "HallEdge"}, at().Add(-day), at().Add(10*year))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func below(t testing.TB, above *Issuer, cn string) *Issuer {
	t.Helper()
	key := newKey(t)
	c, err := above.Intermediate(key.Public(), Subject{CN: cn}, at().Add(-day), at().Add(5*year))
	if err != nil {
		t.Fatal(err)
	}
	i, err := OpenIssuer(c, key)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func roots(t testing.TB, certs ...*Certificate) *Roots {
	t.Helper()
	r, err := NewRoots(certs...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const hall = "440900000000001"

func server(key gm.PublicKey) Order {
	return Order{Subject{CN: "cloud", Hosts: []string{"cloud.example", "192.0.2.7"}}, key, Server, Signing, at().Add(-day), at().Add(year)}
}

func client(key gm.PublicKey) Order {
	return Order{Subject{CN: hall}, key, Client, Signing, at().Add(-day), at().Add(year)}
}

func issue(t testing.TB, i *Issuer, o Order) *Certificate {
	t.Helper()
	c, err := i.Issue(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reason gives why a certificate is not good, "good" if it is.
func reason(t *testing.T, err error) Reason {
	t.Helper()
	var e *Error
	switch {
	case err == nil:
		return "good"
	case !errors.As(err, &e):
		t.Fatalf("%T: %v", err, err)
	}
	return e.Reason
}

func TestACertificateSaysWhatWasOrdered(t *testing.T) {
	root, key := newRoot(t, "root"), newKey(t)
	o := server(key.Public())
	c := issue(t, root, o)
	from, until := c.Valid()
	if c.CN() != "cloud" || !slices.Equal(c.Hosts(), o.Subject.Hosts) || c.PublicKey().String() != key.Public().String() ||
		!from.Equal(o.From) || !until.Equal(o.Until) || len(c.Serial()) != 32 {
		t.Errorf("%s %s %v %v %s", c.CN(), c.Hosts(), from, until, c.Serial())
	}
	if again := issue(t, root, o); again.Serial() == c.Serial() {
		t.Error("a serial number came twice")
	}
	all, err := ParsePEM(c.PEM() + root.Certificate().PEM())
	if err != nil || len(all) != 2 || !bytes.Equal(all[0].DER(), c.DER()) || !bytes.Equal(all[1].Subject(), root.Certificate().Subject()) {
		t.Error(all, err)
	}
}

func TestChains(t *testing.T) {
	root, foreign := newRoot(t, "root"), newRoot(t, "root")
	province := below(t, root, "province")
	city := below(t, province, "city")
	key := newKey(t).Public()
	direct, deep := issue(t, root, server(key)), issue(t, city, server(key))
	ours := Want{At: at(), Role: Server, Use: Signing, Host: "cloud.example", CN: "cloud"}
	with := func(change func(*Want)) Want { w := ours; change(&w); return w }
	enc := server(key)
	enc.Use = Encrypting

	trusted := roots(t, root.Certificate())
	both := []*Certificate{province.Certificate(), city.Certificate()}
	for name, tc := range map[string]struct {
		chain []*Certificate
		want  Want
		is    Reason
	}{
		"below the root":             {[]*Certificate{direct}, ours, "good"},
		"by address":                 {[]*Certificate{direct}, with(func(w *Want) { w.Host = "192.0.2.7" }), "good"},
		"any host":                   {[]*Certificate{direct}, with(func(w *Want) { w.Host, w.CN = "", "" }), "good"},
		"two between":                {append([]*Certificate{deep}, both...), ours, "good"},
		"in another order":           {[]*Certificate{deep, both[1], both[0]}, ours, "good"},
		"with the root":              {[]*Certificate{direct, root.Certificate()}, ours, "good"},
		"one missing":                {[]*Certificate{deep, both[1]}, ours, UnknownIssuer},
		"none between":               {[]*Certificate{deep}, ours, UnknownIssuer},
		"no chain":                   {nil, ours, UnknownIssuer},
		"a long chain":               {slices.Repeat([]*Certificate{direct}, maxChain+1), ours, UnknownIssuer},
		"a root of the same name":    {[]*Certificate{issue(t, foreign, server(key))}, ours, UnknownIssuer},
		"it brings its root":         {[]*Certificate{issue(t, foreign, server(key)), foreign.Certificate()}, ours, UnknownIssuer},
		"another host":               {[]*Certificate{direct}, with(func(w *Want) { w.Host = "clout.example" }), WrongName},
		"another address":            {[]*Certificate{direct}, with(func(w *Want) { w.Host = "192.0.2.8" }), WrongName},
		"the holder is no host":      {[]*Certificate{direct}, with(func(w *Want) { w.Host = "cloud" }), WrongName},
		"another holder":             {[]*Certificate{direct}, with(func(w *Want) { w.CN = "clout" }), WrongName},
		"over":                       {[]*Certificate{direct}, with(func(w *Want) { w.At = at().Add(year + time.Second) }), Expired},
		"not yet":                    {[]*Certificate{direct}, with(func(w *Want) { w.At = at().Add(-2 * day) }), Expired},
		"no time":                    {[]*Certificate{direct}, with(func(w *Want) { w.At = time.Time{} }), UnknownIssuer},
		"a client's":                 {[]*Certificate{issue(t, root, client(key))}, with(func(w *Want) { w.Host, w.CN = "", "" }), WrongUsage},
		"a server's for a client":    {[]*Certificate{direct}, Want{At: at(), Role: Client, Use: Signing}, WrongUsage},
		"no role":                    {[]*Certificate{direct}, Want{At: at(), Use: Signing}, UnknownIssuer},
		"no use":                     {[]*Certificate{direct}, with(func(w *Want) { w.Use = 0 }), WrongUsage},
		"signs, must decrypt":        {[]*Certificate{direct}, with(func(w *Want) { w.Use = Encrypting }), WrongUsage},
		"decrypts":                   {[]*Certificate{issue(t, root, enc)}, with(func(w *Want) { w.Use = Encrypting }), "good"},
		"decrypts, must sign":        {[]*Certificate{issue(t, root, enc)}, ours, WrongUsage},
		"an issuer's own":            {[]*Certificate{province.Certificate()}, Want{At: at(), Role: Server, Use: Signing}, WrongUsage},
		"the root's own":             {[]*Certificate{root.Certificate()}, Want{At: at(), Role: Server, Use: Signing}, WrongUsage},
		"issued by one of no issuer": {[]*Certificate{forged(t, direct, server(key)), direct}, ours, UnknownIssuer},
	} {
		if got := reason(t, trusted.Verify(tc.chain, tc.want)); got != tc.is {
			t.Errorf("%s: %s", name, got)
		}
	}
	var none *Roots
	if got := reason(t, none.Verify([]*Certificate{direct}, ours)); got != UnknownIssuer {
		t.Error("no roots:", got)
	}
}

// forged gives a certificate that names the holder of c as its issuer.
func forged(t *testing.T, c *Certificate, o Order) *Certificate {
	t.Helper()
	i, err := NewRoot(newKey(t), Subject{CN: c.CN()}, at().Add(-day), at().Add(year))
	if err != nil {
		t.Fatal(err)
	}
	return issue(t, i, o)
}

func TestAnIssuerMakesNothingThatCannotBeGood(t *testing.T) {
	root, key := newRoot(t, "root"), newKey(t)
	for name, change := range map[string]func(*Order){
		"no holder":       func(o *Order) { o.Subject.CN = "" },
		"a long name":     func(o *Order) { o.Subject.CN = strings.Repeat("x", 65) },
		"many hosts":      func(o *Order) { o.Subject.Hosts = slices.Repeat([]string{"a.example"}, maxHosts+1) },
		"no role":         func(o *Order) { o.Role = 0 },
		"no use":          func(o *Order) { o.Use = 3 },
		"no time":         func(o *Order) { o.From = time.Time{} },
		"over at once":    func(o *Order) { o.Until = o.From },
		"outlives issuer": func(o *Order) { o.Until = at().Add(11 * year) },
		"before issuer":   func(o *Order) { o.From = at().Add(-2 * day) },
		"no key":          func(o *Order) { o.Key = gm.PublicKey{} },
	} {
		o := server(key.Public())
		change(&o)
		if c, err := root.Issue(o); err == nil || c != nil {
			t.Errorf("%s: issued", name)
		}
	}
	leaf := issue(t, root, server(key.Public()))
	if _, err := OpenIssuer(leaf, key); reason(t, err) != WrongUsage {
		t.Error("a server issues:", err)
	}
	if _, err := OpenIssuer(root.Certificate(), key); !errors.Is(err, gm.ErrInvalid) {
		t.Error("with another key:", err)
	}
	if _, err := NewRoots(leaf); reason(t, err) != WrongUsage {
		t.Error("a server is a root:", err)
	}
	if _, err := NewRoots(); reason(t, err) != UnknownIssuer {
		t.Error("no roots:", err)
	}
}

func TestRequests(t *testing.T) {
	key := newKey(t)
	s := Subject{CN: hall, Organization: "Hall", Hosts: []string{"hall.example", "192.0.2.1"}}
	der, err := NewRequest(key, s)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if r.Subject.CN != s.CN || r.Subject.Organization != s.Organization || !slices.Equal(r.Subject.Hosts, s.Hosts) || r.Key.String() != key.Public().String() {
		t.Errorf("%+v", r)
	}
	gmtest.Mutated(der, gmtest.Mutations, func(m []byte) {
		if r, err := ParseRequest(m); err == nil {
			t.Errorf("%x is taken: %+v", m, r)
		} else if reason(t, err) != Malformed {
			t.Errorf("%x: %v", m, err)
		}
	})
	if _, err := NewRequest(gm.PrivateKey{}, s); !errors.Is(err, gm.ErrInvalid) {
		t.Error("no key:", err)
	}
	if _, err := NewRequest(key, Subject{}); reason(t, err) != WrongName {
		t.Error("nobody:", err)
	}
}

// Threat 9: no certificate that differs from an issued one in anything is good.
func TestThreat09NoMutatedCertificateIsTaken(t *testing.T) {
	root := newRoot(t, "root")
	city := below(t, root, "city")
	leaf := issue(t, city, server(newKey(t).Public()))
	trusted := roots(t, root.Certificate())
	want := Want{At: at(), Role: Server, Use: Signing}
	parsed := 0
	try := func(m []byte, chain func(*Certificate) []*Certificate) {
		c, err := Parse(m)
		if err != nil {
			if reason(t, err) != Malformed {
				t.Error(err)
			}
			return
		}
		parsed++
		if err := trusted.Verify(chain(c), want); err == nil {
			t.Errorf("%x is taken", m)
		}
	}
	gmtest.Mutated(leaf.DER(), gmtest.Mutations, func(m []byte) {
		try(m, func(c *Certificate) []*Certificate { return []*Certificate{c, city.Certificate()} })
	})
	gmtest.Mutated(city.Certificate().DER(), gmtest.Mutations, func(m []byte) {
		try(m, func(c *Certificate) []*Certificate { return []*Certificate{leaf, c} })
	})
	if parsed == 0 {
		t.Error("none could be read: the check of the signature was not tried")
	}
}

func TestWhatIsNoCertificate(t *testing.T) {
	root := newRoot(t, "root").Certificate()
	for name, der := range map[string][]byte{
		"nothing": nil, "long": make([]byte, maxCertificate+1), "two": append(bytes.Clone(root.DER()), root.DER()...), "of another curve": p256(t),
	} {
		if c, err := Parse(der); reason(t, err) != Malformed || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "words": "words", "after": root.PEM() + "words", "long": strings.Repeat(" ", maxPEM+1),
		"nine": strings.Repeat(root.PEM(), maxChain+1), "a key": strings.ReplaceAll(root.PEM(), "CERTIFICATE", "PRIVATE KEY"),
	} {
		if c, err := ParsePEM(text); reason(t, err) != Malformed || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An issuer's key may be in a module.
func TestAnIssuerWhoseKeyIsInAModule(t *testing.T) {
	m := gmtest.NewModule(t)
	key, _ := gmtest.NewKey(t, m)
	root, err := NewRoot(key, Subject{CN: "root"}, at().Add(-day), at().Add(year+day))
	if err != nil {
		t.Fatal(err)
	}
	leaf := issue(t, root, client(newKey(t).Public()))
	if err := roots(t, root.Certificate()).Verify([]*Certificate{leaf}, Want{At: at(), Role: Client, Use: Signing, CN: hall}); err != nil {
		t.Error(err)
	}
	if _, err := NewRequest(key, Subject{CN: "x"}); err != nil {
		t.Error(err)
	}
	m.Unplug()
	var e *gm.KeyError
	if _, err := root.Issue(client(newKey(t).Public())); !errors.As(err, &e) {
		t.Error("the module is not there:", err)
	}
}
