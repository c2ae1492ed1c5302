// Package trust gives the certificate of the hall's pages, and the root that the hall's machines are told to trust: the centre's,
// once the box is enrolled there, else one that the hall makes for itself at its first start.
package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Directory is the name of the own root's directory below the agent's data.
const Directory = "web"

// Options of Open.
type Options struct {
	Dir   string          // of the own root
	Hall  string          // code of the hall
	Name  string          // of the hall
	Names func() []string // under which the pages are opened now: DNS names and addresses
	// Centre gives the certificate that the centre has issued, and the centre's roots in DER, of which one is its issuer's; ok is false
	// while there is none. Nil: the hall has no centre.
	Centre func() (c tls.Certificate, roots [][]byte, ok bool)
	// Changed gives a channel that is closed when the centre has issued others; nil: nobody says.
	Changed func() <-chan struct{}
	Other   func()           // called when the root has become another; nil: nobody asks
	Now     func() time.Time // nil: the machine's clock
	Log     *slog.Logger
}

// Keeper keeps a good certificate for the pages. It is safe for concurrent use.
type Keeper struct {
	opts Options

	mu    sync.Mutex // one renewal at a time
	own   *authority // nil until it is needed
	aside []string   // files of a root that was damaged
	now   atomic.Pointer[shown]
}

// shown is the certificate that is shown now.
type shown struct {
	certificate tls.Certificate
	root        *x509.Certificate
	names       []string // it was asked for
	own         bool     // issued by the hall's own root
}

// Open gives the keeper with a certificate. It fails with *Fault when somebody else could read or change the root's files.
func Open(o Options) (*Keeper, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	k := &Keeper{opts: o}
	return k, k.Renew()
}

// Config is for the server of the pages. TLS 1.2 is for old machines; what it encrypts with is authenticated there, too.
func (k *Keeper) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &k.now.Load().certificate, nil },
	}
}

// Root is the issuer that machines are to trust now.
func (k *Keeper) Root() Root { return Root{k.now.Load().root} }

// Aside lists the files of a damaged root, under the names they were given when another took its place.
func (k *Keeper) Aside() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.aside)
}

// Names are the DNS names and addresses that the certificate is good for.
func (k *Keeper) Names() []string {
	leaf := k.now.Load().certificate.Leaf
	out := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

// Ends is when the certificate, and when its root, is good no more.
func (k *Keeper) Ends() (certificate, root time.Time) {
	s := k.now.Load()
	return s.certificate.Leaf.NotAfter, s.root.NotAfter
}

// every is how often it is looked whether the certificate is still right: a box gets its time and its address after it has started.
const every = time.Minute

// Run renews the certificate whenever that is due.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var changed <-chan struct{}
		if k.opts.Changed != nil {
			changed = k.opts.Changed()
		}
		if err := k.Renew(); err != nil {
			k.opts.Log.Error("certificate of the pages not renewed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-tick.C:
		}
	}
}

// Renew makes a new certificate if the one that is shown is no more right: it is old, its issuer is another, or the box is called otherwise.
func (k *Keeper) Renew() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	last, now := k.now.Load(), k.opts.Now()
	if from := k.issued(now); from != nil {
		k.show(last, from)
		return nil
	}
	names := tidy(k.opts.Names())
	if last != nil && last.own && slices.Equal(last.names, names) && fresh(last.certificate.Leaf, now) {
		return nil
	}
	if k.own == nil || !now.Before(k.own.root.NotAfter) {
		own, aside, err := openAuthority(k.opts, now)
		if err != nil {
			return err
		}
		k.own, k.aside = own, append(k.aside, aside...)
	}
	certificate, left, err := k.own.issue(k.opts.Hall, names, now)
	if err != nil {
		return fmt.Errorf("certificate of the pages: %w", err)
	}
	if len(left) > 0 {
		k.opts.Log.Warn("the hall's root is not for these names", "names", strings.Join(left, " "))
	}
	k.show(last, &shown{certificate: certificate, root: k.own.root, names: names, own: true})
	return nil
}

// issued gives what the centre has issued, if it is good now.
func (k *Keeper) issued(now time.Time) *shown {
	if k.opts.Centre == nil {
		return nil
	}
	c, roots, ok := k.opts.Centre()
	if !ok {
		return nil
	}
	pool := x509.NewCertPool()
	for _, der := range roots {
		if root, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(root)
		}
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	var chains [][]*x509.Certificate
	if err == nil {
		chains, err = leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now})
	}
	if err != nil {
		k.opts.Log.Warn("the centre's certificate of the pages is not used", "error", err)
		return nil
	}
	c.Leaf = leaf
	return &shown{certificate: c, root: chains[0][len(chains[0])-1]}
}

// show changes the certificate for those who come from now on.
func (k *Keeper) show(last, next *shown) {
	if last != nil && last.certificate.Leaf.Equal(next.certificate.Leaf) {
		return
	}
	k.now.Store(next)
	k.opts.Log.Info("certificate of the pages", "names", strings.Join(k.Names(), " "), "until", next.certificate.Leaf.NotAfter, "own", next.own)
	if last != nil && !last.root.Equal(next.root) {
		k.opts.Log.Warn("machines must be told to trust another root", "sha256", Root{next.root}.SHA256())
		if k.opts.Other != nil {
			k.opts.Other()
		}
	}
}

// fresh reports whether a certificate is good, and will be for a third of its time.
func fresh(c *x509.Certificate, now time.Time) bool {
	return !now.Before(c.NotBefore) && now.Before(c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore)/3))
}

// tidy sorts names and drops what is there twice.
func tidy(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSuffix(n, ".")); n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Code is why the root cannot be used, for the sentence that people read.
type Code string

// The codes. Their sentences take path.
const (
	CodeUnsafe  Code = "web_root_unsafe"  // others could read or change it
	CodeDamaged Code = "web_root_damaged" // not what was written there, or one without the other
)

// Fault is a root that cannot be used, and why.
type Fault struct {
	Code Code
	Path string
	Err  error // may be nil
}

func (f *Fault) Error() string {
	return errors.Join(fmt.Errorf("trust: %s: %s", f.Code, f.Path), f.Err).Error()
}

func (f *Fault) Unwrap() error { return f.Err }

// is reports whether a fault of a code is among what an error says.
func is(err error, code Code) bool {
	var f *Fault
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return is(err, code) })
	}
	return errors.As(err, &f) && f.Code == code
}
