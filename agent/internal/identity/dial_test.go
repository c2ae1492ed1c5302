package identity_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/agent/kit/gm/tlcp"
)

// echo answers on a listener until the test ends.
func echo(t *testing.T, l net.Listener) string {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(c, c, 4)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// tlsServer and tlcpServer echo to those who show certificates of the centre's roots.
func tlsServer(f *identitytest.Centre, own tls.Certificate) string {
	return echo(f.T, f.ListenTLS(own))
}

func tlcpServer(f *identitytest.Centre, own tlcp.Identity) string {
	return echo(f.T, f.ListenTLCP(own))
}

// speaks reports whether something comes back over a connection.
func speaks(t *testing.T, i *identity.Identity, by identity.Transport, address string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := i.Dial(ctx, by, address)
	if err != nil {
		return err
	}
	defer c.Close()
	return ping(c)
}

// ping reports whether something comes back over a connection that is open.
func ping(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("ping")); err != nil {
		return err
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != "ping" {
		return fmt.Errorf("got %q", got)
	}
	return nil
}

// Threat 9: certificates that are forged, over or of somebody else, on both transports and at both ends.
func TestThreat09OnlyTheCentresOwnCertificatesAreGood(t *testing.T) {
	c := identitytest.NewClock()
	f, other := identitytest.NewCentre(t, c), identitytest.NewCentre(t, c)
	i, _ := identitytest.Box(t, f, options())
	stranger, _ := identitytest.Box(t, other, options())
	now := c.Now()
	from, until, past := now.Add(-time.Hour), now.AddDate(0, 6, 0), now.Add(-time.Minute)
	good := map[identity.Transport]string{
		identity.TLS: tlsServer(f, f.Server(from, until)), identity.TLCP: tlcpServer(f, f.SM2Server(from, until)),
	}
	for by, address := range good {
		if err := speaks(t, i, by, address); err != nil {
			t.Fatalf("%s: %v", by, err)
		}
		if err := speaks(t, stranger, by, address); !identity.Unproven(err) {
			t.Errorf("%s, a centre that is not ours: %v", by, err)
		}
	}
	bad := map[string]map[identity.Transport]string{
		"of a foreign root": {identity.TLS: tlsServer(other, other.Server(from, until)), identity.TLCP: tlcpServer(other, other.SM2Server(from, until))},
		"of a hall's pages": {identity.TLS: tlsServer(f, f.ServerOf("440900000000002", from, until)), identity.TLCP: tlcpServer(f, f.SM2ServerOf("440900000000002", from, until))},
		"that is over":      {identity.TLS: tlsServer(f, f.Server(from, past)), identity.TLCP: tlcpServer(f, f.SM2Server(from, past))},
	}
	for what, servers := range bad {
		for by, address := range servers {
			if err := speaks(t, i, by, address); !identity.Unproven(err) {
				t.Errorf("%s, a server %s: %v", by, what, err)
			}
		}
	}
	_, port, _ := net.SplitHostPort(good[identity.TLS])
	if err := speaks(t, i, identity.TLS, net.JoinHostPort("localhost", port)); !identity.Unproven(err) {
		t.Errorf("a server of another name: %v", err)
	}
	// A server that trusts another root refuses us, and we know it for that.
	strict := tls.NewListener(listen(t), &tls.Config{
		Certificates: []tls.Certificate{f.Server(from, until)}, ClientCAs: other.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	})
	if err := speaks(t, i, identity.TLS, echo(t, strict)); !identity.Refused(err) {
		t.Errorf("a server that does not want us: %v", err)
	}
}

func TestRevokedCertificatesOfTheCentreAreRefused(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, dir := identitytest.Box(t, f, options())
	from, until := c.Now().Add(-time.Hour), c.Now().AddDate(0, 6, 0)
	own, sm2 := f.Server(from, until), f.SM2Server(from, until)
	servers := map[identity.Transport]string{identity.TLS: tlsServer(f, own), identity.TLCP: tlcpServer(f, sm2)}
	list := f.List
	list.Number, list.Serials = 5, []string{identitytest.SerialOf(t, own), sm2.Sign.Serial()}
	forged := identitytest.NewCentre(t, c).Revoke(list)
	if err := i.Revoke(forged); err == nil {
		t.Error("a list that another centre signed is taken")
	}
	if err := speaks(t, i, identity.TLS, servers[identity.TLS]); err != nil {
		t.Fatal(err)
	}
	if err := i.Revoke(f.Revoke(list)); err != nil {
		t.Fatal(err)
	}
	list.Number, list.Serials = 4, nil
	if err := i.Revoke(f.Revoke(list)); err != nil { // an old one changes nothing
		t.Fatal(err)
	}
	o := options()
	o.Now = c.Now
	for _, i := range []*identity.Identity{i, open(t, dir, o)} {
		for by, address := range servers {
			var revoked *identity.RevokedError
			if err := speaks(t, i, by, address); !errors.As(err, &revoked) {
				t.Errorf("%s: %v", by, err)
			}
		}
	}
}

// Threat 8: nothing is ever spoken in the clear, or with less than was asked for.
func TestThreat08NoDowngrade(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, _ := identitytest.Box(t, f, options())
	from, until := c.Now().Add(-time.Hour), c.Now().AddDate(0, 6, 0)
	plain := echo(t, listen(t))
	for _, by := range []identity.Transport{identity.TLS, identity.TLCP} {
		if err := speaks(t, i, by, plain); err == nil {
			t.Errorf("%s: speaks with a server that speaks in the clear", by)
		}
	}
	old := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{f.Server(from, until)}, MaxVersion: tls.VersionTLS12})
	if err := speaks(t, i, identity.TLS, echo(t, old)); err == nil {
		t.Error("speaks TLS 1.2")
	}
	if err := speaks(t, i, identity.TLCP, tlsServer(f, f.Server(from, until))); err == nil {
		t.Error("speaks TLS where TLCP was asked for")
	}
	if err := speaks(t, i, identity.Plain, plain); err != nil {
		t.Errorf("in the clear on this machine: %v", err)
	}
	far := func(context.Context) (net.Conn, error) { return elsewhere{}, nil }
	var loopback *identity.LoopbackError
	if _, err := i.DialBy(t.Context(), identity.Plain, "192.0.2.1:1883", far); !errors.As(err, &loopback) {
		t.Errorf("in the clear to another machine: %v", err)
	}
	if _, err := i.Dial(t.Context(), "quic", plain); err == nil {
		t.Error("a transport that there is not")
	}
	alone := open(t, directory(t), options())
	for _, by := range []identity.Transport{identity.TLS, identity.TLCP} {
		_, err := alone.Dial(t.Context(), by, plain)
		refused(t, "a box that is not enrolled", err, identity.CodeNotEnrolled)
	}
}

// elsewhere is a connection to another machine.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1883} }
func (elsewhere) Close() error         { return nil }

// Who looks at the files beside the agent judges by the same time.
func TestWhoLooksKnowsWhatTheCentreSigned(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, dir := identitytest.Box(t, f, options())
	start := c.Now()
	i.Learned(start.Add(f.Life / 5 * 4))
	s, err := identity.Look(dir, os.Geteuid(), start)
	if err != nil || s.State != identity.Ending {
		t.Errorf("%+v, %v", s, err)
	}
}

// Threat 22, as far as certificates go: a clock that is set back brings nothing back to life, and one that is wrong loses nothing.
func TestThreat22TimeNeverGoesBehindWhatTheCentreSigned(t *testing.T) {
	c := identitytest.NewClock()
	start := c.Now()
	f := identitytest.NewCentre(t, c)
	i, dir := identitytest.Box(t, f, options())
	short, long := tlsServer(f, f.Server(start.Add(-time.Hour), start.AddDate(0, 1, 0))), tlsServer(f, f.Server(start.Add(-time.Hour), start.AddDate(2, 0, 0)))
	i.Learned(start.AddDate(0, 2, 0))
	c.Set(start) // two months are gone, and the clock says that they are not
	o := options()
	o.Now = c.Now
	for _, i := range []*identity.Identity{i, open(t, dir, o)} {
		if !i.Now().Equal(start.AddDate(0, 2, 0)) {
			t.Errorf("it is %s", i.Now())
		}
		if err := speaks(t, i, identity.TLS, short); !identity.Unproven(err) {
			t.Errorf("a certificate that is over came back: %v", err)
		}
	}
	c.Set(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)) // the battery is dead
	dead := open(t, dir, o)
	if s := dead.Status(); s.State != identity.Good || dead.Damaged() != nil {
		t.Errorf("with a dead clock: %+v", s)
	}
	c.Set(start.AddDate(10, 0, 0)) // and ahead
	ahead := open(t, dir, o)
	if s := ahead.Status(); s.State != identity.Ended || ahead.Damaged() != nil {
		t.Errorf("with a clock ten years ahead: %+v", s)
	}
	ahead.Learned(start.AddDate(10, 0, 0)) // a centre whose clock is wrong does not shut itself out
	c.Set(start.AddDate(0, 3, 0))
	again := open(t, dir, o)
	if s := again.Status(); s.State != identity.Good {
		t.Errorf("after all that: %+v", s)
	}
	if err := speaks(t, again, identity.TLS, long); err != nil {
		t.Errorf("after all that: %v", err)
	}
}
