package ingest

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/prometheus/client_golang/prometheus"

	"halledge/cloud/internal/gate"
	"halledge/cloud/internal/media/fanout"
	"halledge/cloud/internal/pki/pkitest"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

type dial = func(context.Context, string, string) (net.Conn, error)

// doors are a centre with its two secured ways in.
type doors struct {
	*pkitest.Centre
	addr [2]string // TLS, TLCP
	all  []net.Listener
	run  func()
}

func newDoors(t *testing.T) *doors {
	t.Helper()
	d := &doors{Centre: pkitest.New(t)}
	g, err := gate.New(gate.Options{
		Register: d.Register, Centre: d.Own, Now: d.Now, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.addr {
		raw, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d.addr[i] = raw.Addr().String()
		var l net.Listener
		if i == 0 {
			l = g.TLS(raw, true)
		} else if l, err = g.TLCP(raw); err != nil {
			t.Fatal(err)
		}
		d.all = append(d.all, l)
	}
	d.run = func() {
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		t.Cleanup(func() { stop(); <-done })
	}
	return d
}

func (d *doors) by(t *testing.T, b *pkitest.Box, gm bool) dial {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		at := 0
		if gm {
			at = 1
		}
		return b.Dial(ctx, t, d.addr[at], gm)
	}
}

// By its certificate a hall publishes its own cameras, without a password, and nobody else's.
func TestHallsPublishByTheirCertificate(t *testing.T) {
	for name, gm := range map[string]bool{"TLS": false, "TLCP": true} {
		t.Run(name, func(t *testing.T) {
			d := newDoors(t)
			d.run()
			_, hub, _ := serve(t, d.all...)
			b := d.Box(t, hallsync.HallID(hall))
			p, err := publishBy(t, "rtsp://"+pkitest.Host+"/"+cam, d.by(t, b, gm))
			if err != nil {
				t.Fatal(err)
			}
			arrives := func() bool {
				for _, c := range hub.Cameras() {
					if c.Camera == cam {
						return c.Live
					}
				}
				return false
			}
			await.That(t, "the camera arrives", arrives)
			for _, login := range []string{"", other + ":" + password + "@"} {
				if p, err := publishBy(t, "rtsp://"+login+pkitest.Host+"/"+foreign, d.by(t, b, gm)); err == nil {
					p.close()
					t.Errorf("another hall's camera is taken, with the login %q", login)
				}
			}
			if _, err := d.Revoke(t.Context(), hall, "stolen", pkitest.Operator); err != nil {
				t.Fatal(err)
			}
			await.That(t, "the pictures of a revoked box end", func() bool { return !arrives() })
			p.close()
			if p, err := publishBy(t, "rtsp://"+pkitest.Host+"/"+cam, d.by(t, b, gm)); err == nil {
				p.close()
				t.Error("a revoked box publishes")
			}
		})
	}
}

// reads plays a camera over connections of dial until it ends, and gives what tells that.
func reads(t *testing.T, dial dial) <-chan error {
	t.Helper()
	u, err := base.ParseURL("rtsp://platform:token-1@" + pkitest.Host + "/" + cam)
	if err != nil {
		t.Fatal(err)
	}
	tcp := gortsplib.TransportTCP
	c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Transport: &tcp, DialContext: dial, ReadTimeout: 20 * time.Second}
	if err := c.Start2(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	d, _, err := c.Describe(u)
	if err == nil {
		err = c.SetupAll(d.BaseURL, d.Medias)
	}
	if err == nil {
		_, err = c.Play(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	return ended
}

// Whoever reads by a certificate is cut with it in the moment that it is revoked, and nobody else; who reads what its holder publishes sees
// the end of that.
func TestReadersAreCutWithTheirCertificate(t *testing.T) {
	for name, gm := range map[string]bool{"TLS": false, "TLCP": true} {
		t.Run(name, func(t *testing.T) {
			d := newDoors(t)
			d.run()
			serve(t, d.all...)
			b, further := d.Box(t, hallsync.HallID(hall)), d.Box(t, hallsync.HallID(other))
			p, err := publishBy(t, "rtsp://"+pkitest.Host+"/"+cam, d.by(t, b, false))
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			cut, stays := reads(t, d.by(t, further, gm)), reads(t, d.by(t, b, gm))
			if _, err := d.Revoke(t.Context(), other, "stolen", pkitest.Operator); err != nil {
				t.Fatal(err)
			}
			select {
			case <-cut:
			case <-time.After(30 * time.Second):
				t.Fatal("a reader stays whose certificate is revoked")
			}
			select {
			case err := <-stays:
				t.Fatalf("another reader is cut: %v", err)
			default:
			}
			if _, err := d.Revoke(t.Context(), hall, "stolen", pkitest.Operator); err != nil {
				t.Fatal(err)
			}
			select {
			case <-stays:
			case <-time.After(30 * time.Second):
				t.Fatal("what a revoked box published goes on")
			}
		})
	}
}

// Other platforms have no certificate: they read with their login, and cannot publish whatever password they know.
func TestStrangersReadAndDoNotPublish(t *testing.T) {
	d := newDoors(t)
	d.run()
	serve(t, d.all...)
	b := d.Box(t, hallsync.HallID(hall))
	p, err := publishBy(t, "rtsp://"+pkitest.Host+"/"+cam, d.by(t, b, false))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	config := b.TLSConfig()
	config.Certificates = nil
	stranger := func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialer := tls.Dialer{Config: config}
		return dialer.DialContext(ctx, "tcp", d.addr[0])
	}
	if p, err := publishBy(t, "rtsp://"+other+":"+password+"@"+pkitest.Host+"/"+foreign, stranger); err == nil {
		p.close()
		t.Error("a password is enough to publish from elsewhere")
	}
	read := func(login string) error {
		u, err := base.ParseURL("rtsp://" + login + pkitest.Host + "/" + cam)
		if err != nil {
			t.Fatal(err)
		}
		tcp := gortsplib.TransportTCP
		c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Transport: &tcp, DialContext: stranger, ReadTimeout: 20 * time.Second}
		if err := c.Start2(); err != nil {
			return err
		}
		defer c.Close()
		_, _, err = c.Describe(u)
		return err
	}
	if err := read("platform:token-1@"); err != nil {
		t.Errorf("a platform may not read: %v", err)
	}
	if read("platform:guess@") == nil || read("") == nil {
		t.Error("a stranger reads without a login")
	}
}

func TestPlainRTSPStaysOnTheLoopback(t *testing.T) {
	hub := fanout.NewHub(func(string, bool) {}, func(string) {})
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if s, err := Listen(address, nil, register{}, hub, func(string, string, string) {}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("listens on %s", s.Addr())
			_ = s.Close()
		}
	}
}
