package uplink_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/agent/internal/uplink"
	"halledge/firmware-protocols/hallsync"
)

// secured is a cloud behind a listener of a centre that asks for certificates.
func secured(t *testing.T, l net.Listener) *cloud {
	t.Helper()
	c := newCloudAt(t)
	c.startOn(l)
	t.Cleanup(c.stop)
	return c
}

// status waits until the uplink is as wanted.
func (b *box) status(what string, want func(uplink.Status) bool) {
	b.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !want(b.up.Status()) {
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("not in time: %s: %+v", what, b.up.Status())
		}
	}
}

func as(t *testing.T, i *identity.Identity, broker string) *box {
	t.Helper()
	return newBoxAs(t, i, broker, func(*box) {}, func(*uplink.Options) {})
}

func TestFactsTravelOverTLSAndTLCP(t *testing.T) {
	clock := identitytest.NewClock()
	f := identitytest.NewCentre(t, clock)
	i, _ := identitytest.Box(t, f, identity.Options{})
	from, until := clock.Now().Add(-time.Hour), clock.Now().AddDate(1, 0, 0)
	for scheme, l := range map[string]net.Listener{"tls": f.ListenTLS(f.Server(from, until)), "tlcp": f.ListenTLCP(f.SM2Server(from, until))} {
		t.Run(scheme, func(t *testing.T) {
			c := secured(t, l)
			b := as(t, i, scheme+"://"+c.addr)
			b.write(10)
			c.until("ten facts", func() bool { return c.contiguous() == 10 })
			b.status("delivered", func(s uplink.Status) bool { return s.Connected && s.Lag == 0 && !s.Refused && !s.Unproven })
		})
	}
}

func TestABoxThatIsNotEnrolledWaits(t *testing.T) {
	clock := identitytest.NewClock()
	f := identitytest.NewCentre(t, clock)
	c := secured(t, f.ListenTLS(f.Server(clock.Now().Add(-time.Hour), clock.Now().AddDate(1, 0, 0))))
	i := alone(t)
	b := as(t, i, "tls://"+c.addr)
	b.write(3)
	if s := b.up.Status(); s.Connected || s.Err != nil {
		t.Errorf("%+v", s)
	}
	if _, err := i.Enrol(t.Context(), f.Provision(f.Serve()), ""); err != nil {
		t.Fatal(err)
	}
	c.until("three facts", func() bool { return c.contiguous() == 3 })
}

// Threats 8 and 9 at the session with the centre: nothing is told to who is not the centre, and nothing in another way than was configured.
func TestThreat09NobodyButTheCentreHearsTheHall(t *testing.T) {
	clock := identitytest.NewClock()
	f, other := identitytest.NewCentre(t, clock), identitytest.NewCentre(t, clock)
	i, _ := identitytest.Box(t, f, identity.Options{})
	from, until, past := clock.Now().Add(-time.Hour), clock.Now().AddDate(1, 0, 0), clock.Now().Add(-time.Minute)
	unproven := func(s uplink.Status) bool { return s.Unproven && !s.Connected }
	refused := func(s uplink.Status) bool { return s.Refused && !s.Connected }
	failed := func(s uplink.Status) bool { return s.Err != nil && !s.Connected }
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	strict := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{f.Server(from, until)}, ClientCAs: other.Pool(),
			ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13})
	}
	for _, test := range []struct {
		name, scheme string
		l            net.Listener
		want         func(uplink.Status) bool
	}{
		{"TLS of a foreign root", "tls", other.ListenTLS(other.Server(from, until)), unproven},
		{"TLCP of a foreign root", "tlcp", other.ListenTLCP(other.SM2Server(from, until)), unproven},
		{"TLS that is over", "tls", f.ListenTLS(f.Server(from, past)), unproven},
		{"TLCP that is over", "tlcp", f.ListenTLCP(f.SM2Server(from, past)), unproven},
		{"in the clear where TLS is configured", "tls", plain, failed},
		{"TLS where TLCP is configured", "tlcp", f.ListenTLS(f.Server(from, until)), failed},
		{"a broker that does not take our certificate", "tls", strict(), refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := secured(t, test.l)
			b := as(t, i, test.scheme+"://"+c.addr)
			b.write(3)
			b.status("refused", test.want)
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.hellos != 0 || len(c.facts) != 0 {
				t.Error("the hall told it something")
			}
		})
	}
}

// Where the site names no broker it is where the centre says, from then on when it says so.
func TestTheUplinkFollowsTheBroker(t *testing.T) {
	clock := identitytest.NewClock()
	f := identitytest.NewCentre(t, clock)
	i, _ := identitytest.Box(t, f, identity.Options{})
	b := as(t, i, "")
	b.write(3)
	b.status("off", func(s uplink.Status) bool { return s.Off && !s.Connected })
	from, until := clock.Now().Add(-time.Hour), clock.Now().AddDate(1, 0, 0)
	for scheme, l := range map[string]net.Listener{"tls": f.ListenTLS(f.Server(from, until)), "tlcp": f.ListenTLCP(f.SM2Server(from, until))} {
		c := secured(t, l)
		f.NewCode()
		f.Do(func() {
			f.Spoil = func(e *hallsync.Enrolled) { e.Addresses = &hallsync.CentreAddresses{MQTT: scheme + "://" + c.addr} }
		})
		if _, err := i.Enrol(t.Context(), f.Provision(f.Serve()), ""); err != nil {
			t.Fatal(err)
		}
		c.until("a hello by "+scheme, func() bool { return c.hellos > 0 })
		b.status("connected", func(s uplink.Status) bool { return s.Connected && !s.Off })
	}
}

func TestAddressesThatNoBrokerHas(t *testing.T) {
	for _, broker := range []string{"tls://", "ssl://a:1", "ws://a:1", "tls://u:p@a:1", "tls://a", "tls://a:1/x", "a:1", "\x00"} {
		var bad *uplink.AddressError
		if _, err := uplink.New(uplink.Options{Broker: broker}); !errors.As(err, &bad) {
			t.Errorf("%q: %v", broker, err)
		}
	}
}

func TestKeysReceiptsAndWords(t *testing.T) {
	c := newCloud(t)
	c.receipt = []byte("signed")
	receipts, words := make(chan string, 100), make(chan string, 100)
	take := func(what string) func(context.Context, []byte) error {
		return func(_ context.Context, b []byte) error {
			words <- what + " " + string(b)
			return errors.New("not good, and no reason to hang up")
		}
	}
	key := hallsync.KeyMade{Key: "0102", Day: "2026-11-23", Wraps: []hallsync.KeyWrap{{For: "f", Wrapped: []byte{1}}}}
	b := newBoxAs(t, enrolled(t), "tcp://"+c.addr, func(*box) {}, func(o *uplink.Options) {
		o.Keys = func() ([]hallsync.KeyMade, error) { return []hallsync.KeyMade{key}, nil }
		o.Receipt = func(_ context.Context, r []byte) error { receipts <- string(r); return nil }
		o.Command, o.Config = take("command"), take("config")
	})
	b.write(1)
	c.until("the fact", func() bool { return c.contiguous() == 1 })
	c.mu.Lock()
	same := slices.EqualFunc(c.keys, []hallsync.KeyMade{key}, func(a, b hallsync.KeyMade) bool { return a.Key == b.Key && a.Wraps[0].For == b.Wraps[0].For })
	c.mu.Unlock()
	if !same {
		t.Errorf("the hello says %+v", c.keys)
	}
	for range 2 { // of the hello and of the fact
		select {
		case r := <-receipts:
			if r != "signed" {
				t.Errorf("receipt %q", r)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no receipt")
		}
	}
	for _, leaf := range []string{hallsync.DownCommands, hallsync.DownConfig} {
		if err := c.server.Publish(hallsync.Topic(hallCode, leaf), []byte("{}"), false, 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"command {}", "config {}"} {
		select {
		case got := <-words:
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nobody took ", want)
		}
	}
	if !b.up.Status().Connected {
		t.Error("hung up on a word that was not good")
	}
}
