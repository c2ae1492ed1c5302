package gate_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halledge/cloud/internal/gate"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/pki/pkitest"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	hall  = hallsync.HallID("440900000000001")
	other = hallsync.HallID("440900000000002")

	// patience bounds each wait of a test.
	patience = 30 * time.Second
)

// world is a gate with a listener of each kind, behind which whoever comes in hears the name of his hall and then what he says.
type world struct {
	*pkitest.Centre
	gate   *gate.Gate
	kept   chan []hallsync.HallID
	listed chan struct{}
	tls    net.Listener
	tlcp   net.Listener
	open   net.Listener // of TLS, where strangers may come
	came   atomic.Int64 // who came in
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{Centre: pkitest.New(t), kept: make(chan []hallsync.HallID, 16), listed: make(chan struct{}, 16)}
	var err error
	w.gate, err = gate.New(gate.Options{
		Register: w.Register, Centre: w.Own, Kept: func(h []hallsync.HallID) { w.kept <- h }, Listed: func() { w.listed <- struct{}{} }, Now: w.Now,
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.tls, w.open = w.gate.TLS(raw(t), false), w.gate.TLS(raw(t), true)
	if w.tlcp, err = w.gate.TLCP(raw(t)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		if err := w.gate.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, l := range []net.Listener{w.tls, w.tlcp, w.open} {
		all.Go(func() { w.echo(l, &all) })
	}
	t.Cleanup(func() {
		stop()
		for _, l := range []net.Listener{w.tls, w.tlcp, w.open} {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		all.Wait()
	})
	return w
}

func raw(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (w *world) echo(l net.Listener, all *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		w.came.Add(1)
		all.Go(func() {
			defer c.Close()
			h, known := gate.HallOf(c)
			if !known {
				h = "a stranger....."
			}
			_, _ = io.WriteString(c, string(h))
			_, _ = io.Copy(c, c)
		})
	}
}

// visit connects and gives who the gate says it is. By TLS a refusal comes with the first read.
func (w *world) visit(t testing.TB, b *pkitest.Box, gm bool) (net.Conn, hallsync.HallID, error) {
	t.Helper()
	address := w.tls.Addr().String()
	if gm {
		address = w.tlcp.Addr().String()
	}
	c, err := b.Dial(t.Context(), t, address, gm)
	if err != nil {
		return nil, "", err
	}
	t.Cleanup(func() { _ = c.Close() })
	name, err := hear(c)
	return c, name, err
}

func hear(c net.Conn) (hallsync.HallID, error) {
	_ = c.SetDeadline(time.Now().Add(patience))
	name := make([]byte, 15)
	_, err := io.ReadFull(c, name)
	return hallsync.HallID(name), err
}

// gone waits until a connection has ended.
func gone(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection goes on: %v", err)
	}
}

func both(t *testing.T, do func(t *testing.T, gm bool)) {
	t.Run("TLS", func(t *testing.T) { do(t, false) })
	t.Run("TLCP", func(t *testing.T) { do(t, true) })
}

func TestHallsComeInByTheirCertificates(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		for _, h := range []hallsync.HallID{hall, other} {
			if _, name, err := w.visit(t, w.Box(t, h), gm); err != nil || name != h {
				t.Errorf("%s is %q: %v", h, name, err)
			}
		}
	})
}

// Threat 9: a forged, expired or foreign certificate does not come in, and neither does one that is for something else.
func TestThreat09CertificatesThatAreNotGoodStayOut(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w, elsewhere := newWorld(t), pkitest.New(t)
		out := func(what string, b *pkitest.Box) {
			t.Helper()
			if _, name, err := w.visit(t, b, gm); err == nil {
				t.Errorf("%s comes in as %s", what, name)
			}
		}
		foreign, here := elsewhere.Box(t, hall), w.Box(t, hall)
		mixed := *here // trusts this centre, and shows the other one's certificate
		mixed.TLS, mixed.SM2, mixed.Issued = foreign.TLS, foreign.SM2, foreign.Issued
		out("another authority's", &mixed)
		thief := *here
		thief.TLS = foreign.TLS
		thief.SM2 = foreign.SM2
		out("a certificate without its key", &thief)
		if _, err := w.Revoke(t.Context(), string(hall), "stolen", pkitest.Operator); err != nil {
			t.Fatal(err)
		}
		out("a revoked one", here)
		fresh := w.Box(t, hall)
		w.Set(w.Now().AddDate(1, 0, 1))
		out("one that is over", fresh)
		w.Set(w.Now().AddDate(-2, 0, 0)) // a clock set back revives nothing
		out("one that is revoked, with the clock set back", here)
		out("one that is not yet good", fresh)
	})
}

// A stolen box is out in the moment that an operator says so, also while it is connected.
func TestRevocationCutsLivingSessions(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		b, quiet := w.Box(t, hall), w.Box(t, other)
		c, _, err := w.visit(t, b, gm)
		if err != nil {
			t.Fatal(err)
		}
		stays, _, err := w.visit(t, quiet, gm)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Revoke(t.Context(), string(hall), "stolen", pkitest.Operator); err != nil {
			t.Fatal(err)
		}
		gone(t, c) // the register alone was told, as by a command in another process
		if _, err := stays.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := stays.Read(make([]byte, 1)); err != nil {
			t.Errorf("another hall was cut: %v", err)
		}
	})
}

func TestSessionsEndWithTheirCertificate(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		c, _, err := w.visit(t, w.Box(t, hall), gm)
		if err != nil {
			t.Fatal(err)
		}
		w.Set(w.Now().AddDate(1, 0, 1))
		w.gate.Look()
		gone(t, c)
	})
}

func TestStrangersComeOnlyWhereTheyMay(t *testing.T) {
	w := newWorld(t)
	config := w.Box(t, hall).TLSConfig()
	ask := func(l net.Listener, config *tls.Config) (hallsync.HallID, error) {
		d := tls.Dialer{Config: config}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return "", err
		}
		defer c.Close()
		return hear(c)
	}
	if name, err := ask(w.open, config); err != nil || name != hall {
		t.Errorf("a hall is %q: %v", name, err)
	}
	none := config.Clone()
	none.Certificates = nil
	if name, err := ask(w.open, none); err != nil || name != "a stranger....." {
		t.Errorf("a stranger is %q: %v", name, err)
	}
	if name, err := ask(w.tls, none); err == nil {
		t.Errorf("a stranger comes in as %q", name)
	}
	foreign := config.Clone()
	foreign.Certificates = pkitest.New(t).Box(t, hall).TLSConfig().Certificates
	if name, err := ask(w.open, foreign); err == nil {
		t.Errorf("a foreign certificate passes for none: %q", name)
	}
}

// Threat 8: who asks for an older protocol, or none, is refused, and nothing is offered instead.
func TestThreat08NoOlderProtocolIsSpoken(t *testing.T) {
	w := newWorld(t)
	for version := uint16(tls.VersionTLS10); version <= tls.VersionTLS12; version++ {
		config := w.Box(t, hall).TLSConfig()
		config.MinVersion, config.MaxVersion = version, version
		for _, l := range []net.Listener{w.tls, w.open, w.tlcp} {
			d := tls.Dialer{Config: config}
			if c, err := d.DialContext(t.Context(), "tcp", l.Addr().String()); err == nil {
				t.Errorf("TLS %x is spoken", version)
				_ = c.Close()
			}
		}
	}
	for _, plain := range []string{"GET / HTTP/1.1\r\nHost: centre.example\r\n\r\n", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"} {
		for _, l := range []net.Listener{w.tls, w.open, w.tlcp} {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(c, plain)
			answer, err := io.ReadAll(c) // an alert and the end
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() || len(answer) > 7 {
				t.Errorf("%.10q is answered: %q, %v", plain, answer, err)
			}
			_ = c.Close()
		}
	}
}

func TestRenewedCertificatesAreShownWithoutARestart(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		c, _, err := w.visit(t, w.Box(t, hall), gm)
		if err != nil {
			t.Fatal(err)
		}
		before := w.Own.Papers().TLS.Leaf.SerialNumber
		w.Set(w.Now().AddDate(0, 9, 0))
		w.gate.Refresh(t.Context())
		if w.Own.Papers().TLS.Leaf.SerialNumber.Cmp(before) == 0 {
			t.Fatal("not renewed")
		}
		w.Set(w.Now().AddDate(0, 4, 0)) // the earlier one is over
		fresh := w.Box(t, other)
		if _, name, err := w.visit(t, fresh, gm); err != nil || name != other {
			t.Errorf("%q: %v", name, err)
		}
		_ = c
	})
}

// A revoked certificate of the centre itself is replaced before halls are told of it.
func TestTheCentreReplacesItsRevokedCertificate(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		before := w.Own.Papers()
		b := w.Box(t, hall)
		if n, err := w.Revoke(t.Context(), hallsync.CentreName, "lost", pkitest.Operator); err != nil || n != 3 {
			t.Fatal(n, err)
		}
		select {
		case <-w.listed:
		case <-time.After(patience):
			t.Fatal("nobody is told")
		}
		if w.Own.Papers().TLS.Leaf.Equal(before.TLS.Leaf) {
			t.Error("the revoked certificate is still shown")
		}
		if _, name, err := w.visit(t, b, gm); err != nil || name != hall {
			t.Errorf("%q: %v", name, err)
		}
	})
}

func TestForksAreKeptOutUntilReleased(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		b := w.Box(t, hall)
		c, _, err := w.visit(t, b, gm)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.gate.Quarantine(t.Context(), hall, "forked"); err != nil {
			t.Fatal(err)
		}
		gone(t, c)
		if got := <-w.kept; !slices.Equal(got, []hallsync.HallID{hall}) {
			t.Errorf("kept out are %v", got)
		}
		if _, name, err := w.visit(t, b, gm); err == nil {
			t.Errorf("%s comes in again", name)
		}
		if err := w.Release(t.Context(), hall, pkitest.Operator); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.visit(t, b, gm); err != nil {
			t.Errorf("after its release: %v", err)
		}
		if got := <-w.kept; len(got) != 0 {
			t.Errorf("kept out are %v", got)
		}
	})
}

// Threat 4: two boxes with one identity do not throw each other out for ever. Both are put out, with an alarm, until somebody looks.
func TestThreat04ClonesArePutInQuarantine(t *testing.T) {
	const a, b, c = "192.0.2.1:1000", "198.51.100.7:2000", "203.0.113.9:3000"
	for name, x := range map[string]struct {
		steps []gate.Place // each replaces the one before
		every time.Duration
		kept  bool
	}{
		"two boxes take turns":                {[]gate.Place{{a, "1"}, {b, "2"}, {a, "1"}, {b, "2"}}, time.Second, true},
		"two boxes behind one address":        {[]gate.Place{{a, "1"}, {a, "2"}, {a, "1"}, {a, "2"}, {a, "1"}}, time.Second, true},
		"two boxes that say nothing":          {[]gate.Place{{a, ""}, {b, ""}, {a, ""}, {b, ""}}, time.Second, true},
		"twice only":                          {[]gate.Place{{a, "1"}, {b, "2"}, {a, "1"}}, time.Second, false},
		"slowly":                              {[]gate.Place{{a, "1"}, {b, "2"}, {a, "1"}, {b, "2"}, {a, "1"}}, 3 * time.Minute, false},
		"one box on two lines":                {[]gate.Place{{a, "1"}, {b, "1"}, {a, "1"}, {b, "1"}, {c, "1"}, {a, "1"}}, time.Second, false},
		"one box that starts again":           {[]gate.Place{{a, "1"}, {a, "2"}, {a, "3"}, {a, "4"}, {a, "5"}, {a, "6"}}, time.Second, false},
		"one box that connects again":         {[]gate.Place{{a, "1"}, {a, "1"}, {a, "1"}, {a, "1"}, {a, "1"}}, time.Second, false},
		"one box that says nothing of itself": {[]gate.Place{{a, ""}, {a, ""}, {a, ""}, {a, ""}, {a, ""}}, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range len(x.steps) - 1 {
				w.gate.Replaced(t.Context(), hall, x.steps[i], x.steps[i+1])
				w.Set(w.Now().Add(x.every))
			}
			all, err := w.Quarantines(t.Context())
			if err != nil || (len(all) == 1) != x.kept {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}

// Threat 5: connections without end that say nothing keep out nobody.
func TestThreat05SilentConnectionsKeepOutNobody(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		address := w.tls.Addr().String()
		if gm {
			address = w.tlcp.Addr().String()
		}
		for range 800 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
		}
		if _, name, err := w.visit(t, w.Box(t, hall), gm); err != nil || name != hall {
			t.Errorf("%q: %v", name, err)
		}
	})
}

// A register that does not answer cuts nobody and lets nobody in; who has to go goes when it answers again.
func TestARegisterThatFailsCutsNobody(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		w := newWorld(t)
		b, another := w.Box(t, hall), w.Box(t, other)
		c, _, err := w.visit(t, b, gm)
		if err != nil {
			t.Fatal(err)
		}
		write := func(do func(tx *store.Tx) error) {
			t.Helper()
			if err := w.Store.Write(t.Context(), do); err != nil {
				t.Fatal(err)
			}
		}
		write(func(tx *store.Tx) error { return tx.Exec(`ALTER TABLE certificates RENAME TO away`) })
		if err := w.gate.Quarantine(t.Context(), "440900000000003", "forked"); err == nil { // everybody is looked at
			t.Error("nobody says that the register fails")
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Errorf("cut: %v", err)
		}
		if _, name, err := w.visit(t, another, gm); err == nil {
			t.Errorf("%s comes in", name)
		}
		write(func(tx *store.Tx) error {
			if err := tx.Exec(`ALTER TABLE away RENAME TO certificates`); err != nil {
				return err
			}
			_, err := tx.RevokeCertificates(string(hall), "stolen", w.Now()) // what was missed, without a further sign
			return err
		})
		gone(t, c)
	})
}

func TestRegisterThatIsAwayLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	b := w.Box(t, hall)
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, name, err := w.visit(t, b, false); err == nil {
		t.Errorf("%s comes in", name)
	}
	var f *pki.Fault
	if err := w.Admit(t.Context(), "4a", hall); err == nil || errors.As(err, &f) {
		t.Errorf("a database that is away is %v", err)
	}
}
