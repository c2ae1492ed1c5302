package identity_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

// ids gives the names of keys.
func ids(keys ...gm.PublicKey) (all []string) {
	for _, k := range keys {
		all = append(all, k.ID())
	}
	return all
}

// A box that was off while the centre changed its keys once or twice knows the first ones alone. It comes back by itself, while its
// certificates are good and past their end.
func TestBoxesThatWereOffDuringRotations(t *testing.T) {
	for name, c := range map[string]struct {
		rotations int
		late      bool
	}{"one": {1, false}, "two": {2, false}, "one, late": {1, true}, "two, late": {2, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := identitytest.NewClock()
			f := identitytest.NewCentre(t, clock)
			i, dir := identitytest.Box(t, f, options())
			want := ids(f.Sign.Public())
			for range c.rotations {
				f.Rotate()
				want = append(ids(f.Sign.Public()), want...)
			}
			away := f.Life / 4 * 3
			if c.late {
				away = 2 * f.Life
			}
			clock.Forward(away)
			first := i.Status().Until
			run(t, i)
			await.That(t, "new certificates", func() bool { return i.Status().Until.After(first) })
			o := options()
			o.Now = clock.Now
			for _, i := range []*identity.Identity{i, open(t, dir, o)} {
				if got := ids(i.Receipts()...); !slices.Equal(got, want) || i.Centre()[0].ID() != f.Open.Public().ID() {
					t.Errorf("believes %q, want %q", got, want)
				}
			}
		})
	}
}

// A box that is there learns of new keys as soon as the centre signs with one, and not when its certificates are old.
func TestNewKeysOfTheCentreAreAskedForAtOnce(t *testing.T) {
	t.Parallel()
	f := identitytest.NewCentre(t, identitytest.NewClock())
	i, _ := identitytest.Box(t, f, options())
	run(t, i)
	f.Rotate()
	asked := f.Questions()
	for range 3 {
		if err := i.Revoke(f.Revoke(hallsync.Revocations{Number: 4})); err == nil {
			t.Fatal("a list is believed that an unknown key has signed")
		}
	}
	await.That(t, "the new key", func() bool { return i.Receipts()[0].ID() == f.Sign.Public().ID() })
	if err := i.Revoke(f.Revoke(hallsync.Revocations{Number: 5})); err != nil || f.Questions() != asked+1 {
		t.Errorf("%v after %d questions", err, f.Questions()-asked)
	}
}

// Threat 9: who can answer a renewal, and has not the key that the box knows, brings in no root, no key and no address of his own.
// Nothing of what he says is kept.
func TestThreat09RenewalsBringNoRootsOfOthers(t *testing.T) {
	for name, late := range map[string]bool{"in time": false, "late": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := identitytest.NewClock()
			f := identitytest.NewCentre(t, clock)
			rogue := identitytest.NewCentre(t, clock)
			i, dir := identitytest.Box(t, f, options())
			away := f.Life / 4 * 3
			if late {
				away = 2 * f.Life
			}
			clock.Forward(away)
			before := contents(t, dir)
			roots, keys := i.Roots(), ids(i.Receipts()...)
			worse := func(e *hallsync.Enrolled) {
				e.Roots.TLS = append([][]byte{rogue.TLSRoot.Raw}, e.Roots.TLS...)
				e.Centre.Sign = append(e.Centre.Sign, rogue.Sign.Public().String())
				e.Centre.Open = []string{rogue.Open.Public().String()}
			}
			run(t, i)
			for what, spoil := range map[string]func(){
				"another key":  func() { f.Forger = &rogue.Sign },
				"another hall": func() { f.Order = func(s *hallsync.Signed) { s.Hall = "440900000000002" } },
				"another type": func() { f.Order = func(s *hallsync.Signed) { s.Type = hallsync.SignedCommand } },
				"too old": func() {
					f.Order = func(s *hallsync.Signed) { s.At, s.NotAfter = s.At.Add(-2*time.Hour), s.At.Add(-time.Hour) }
				},
				"nobody": func() { f.Unsigned = true },
			} {
				f.Do(func() {
					f.Spoil = worse
					f.Forger, f.Order, f.Unsigned = nil, nil, false
					spoil()
				})
				refuses(t, i, dir, f)
				if !slices.EqualFunc(i.Roots(), roots, slices.Equal) || !slices.Equal(ids(i.Receipts()...), keys) || contents(t, dir)["enrolled.json"] != before["enrolled.json"] {
					t.Errorf("%s: something of it is kept", what)
				}
			}
			// The centre itself may: it has signed what it says.
			f.Do(func() { f.Forger, f.Order, f.Unsigned = nil, nil, false })
			again(t, dir)
			await.That(t, "what the centre signed", func() bool { return len(i.Roots()) == 2 && len(i.Receipts()) == 2 })
		})
	}
}

// refuses has a box ask once more, and waits until it has refused the answer.
func refuses(t *testing.T, i *identity.Identity, dir string, f *identitytest.Centre) {
	t.Helper()
	asked := f.Questions()
	again(t, dir)
	await.That(t, "the answer is refused", func() bool {
		var fault *identity.Fault
		return f.Questions() > asked && errors.As(i.Status().Fault, &fault) && fault.Code == identity.CodeAnswer
	})
}

// again has a box ask at once: as after a command that has touched its files.
func again(t *testing.T, dir string) {
	t.Helper()
	now := time.Now()
	if err := os.Chtimes(filepath.Join(dir, "enrolled.json"), now, now); err != nil {
		t.Fatal(err)
	}
}

// Threat 31: an answer that was good once does not bring back what it said, such as a root that was taken away since.
func TestThreat31OldAnswersBringNothingBack(t *testing.T) {
	t.Parallel()
	clock := identitytest.NewClock()
	f := identitytest.NewCentre(t, clock)
	i, dir := identitytest.Box(t, f, options())
	run(t, i)
	gone := identitytest.NewCentre(t, clock).TLSRoot.Raw
	var old hallsync.Signed
	f.Do(func() {
		f.Spoil = func(e *hallsync.Enrolled) { e.Roots.TLS = append(e.Roots.TLS, gone) }
		f.Order = func(s *hallsync.Signed) { old = *s }
	})
	clock.Forward(f.Life / 4 * 3)
	await.That(t, "the first renewal", func() bool { return len(i.Roots()) == 2 })
	f.Do(func() { f.Spoil = nil })
	clock.Forward(f.Life / 4 * 3)
	await.That(t, "the second renewal", func() bool { return len(i.Roots()) == 1 })
	first := i.Status().Until
	clock.Forward(f.Life / 4 * 3)
	f.Do(func() { // as it was, and with what is asked now in it under its old number
		f.Order = func(s *hallsync.Signed) { s.Seq = old.Seq }
		f.Spoil = func(e *hallsync.Enrolled) { e.Roots.TLS = append(e.Roots.TLS, gone) }
	})
	refuses(t, i, dir, f)
	f.Do(func() { f.Order = func(s *hallsync.Signed) { *s = old; s.NotAfter = clock.Now().Add(time.Hour) } })
	refuses(t, i, dir, f)
	f.Do(func() {
		f.Order = func(s *hallsync.Signed) { s.Body = old.Body } // with another number it is for keys of the past
	})
	refuses(t, i, dir, f)
	if len(i.Roots()) != 1 || !i.Status().Until.Equal(first) {
		t.Error("an old answer brought a root back")
	}
}

// When the hall's pages are called otherwise, their certificate follows, once the new names have lasted.
func TestTheCertificateOfThePagesFollowsTheAddresses(t *testing.T) {
	t.Parallel()
	f := identitytest.NewCentre(t, identitytest.NewClock())
	var hosts atomic.Pointer[[]string]
	hosts.Store(&[]string{"192.168.1.10"})
	o := options()
	o.Hosts = func() []string { return *hosts.Load() }
	i, _ := identitytest.Box(t, f, o)
	asked := f.Questions()
	run(t, i)
	hosts.Store(&[]string{"192.168.7.7"})
	await.That(t, "a certificate for the new address", func() bool {
		web, ok := i.Web()
		return ok && web.Leaf.IPAddresses[0].Equal(net.ParseIP("192.168.7.7"))
	})
	if got := f.Questions() - asked; got != 1 {
		t.Errorf("%d questions", got)
	}
}

// A connection is over in the moment that the certificate of the far end is revoked, and others go on.
func TestLivingConnectionsAreCutWhenTheFarEndIsRevoked(t *testing.T) {
	f := identitytest.NewCentre(t, identitytest.NewClock())
	i, _ := identitytest.Box(t, f, options())
	from, end := f.Clock.Now().Add(-time.Hour), f.Clock.Now().AddDate(1, 0, 0)
	bad, good := f.Server(from, end), f.Server(from, end)
	badTLCP := f.SM2Server(from, end)
	dial := func(by identity.Transport, address string) net.Conn {
		t.Helper()
		c, err := i.Dial(t.Context(), by, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	cut := []net.Conn{dial(identity.TLS, tlsServer(f, bad)), dial(identity.TLCP, tlcpServer(f, badTLCP))}
	stays := dial(identity.TLS, tlsServer(f, good))
	list := hallsync.Revocations{Number: 9, Serials: []string{identitytest.SerialOf(t, bad), badTLCP.Sign.Serial()}}
	if err := i.Revoke(f.Revoke(list)); err != nil {
		t.Fatal(err)
	}
	for n, c := range cut {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			continue // closed is cut
		}
		var timeout net.Error
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("connection %d: %v", n, err)
		}
	}
	if err := ping(stays); err != nil {
		t.Errorf("a connection with another certificate is cut: %v", err)
	}
}
