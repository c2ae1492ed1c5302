package relay

import (
	"bytes"
	"crypto/tls"
	"net"
	"slices"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/fakes/camera"
	"halledge/test/fakes/clip"
)

// roads are the listeners of a centre that ask for certificates, by the scheme that leads to them.
func roads(f *identitytest.Centre) map[string]net.Listener {
	from, until := f.Clock.Now().Add(-time.Hour), f.Clock.Now().AddDate(1, 0, 0)
	return map[string]net.Listener{"rtsps": f.ListenTLS(f.Server(from, until)), "rtsp+tlcp": f.ListenTLCP(f.SM2Server(from, until))}
}

// The password in these settings is one that somebody left there: it must not leave the box.
func by(scheme string, n *node) config.Relay {
	return config.Relay{Node: scheme + "://" + n.addr, Password: config.NewSecret(secret)}
}

func TestRelay_publishesByCertificate(t *testing.T) {
	film, err := clip.Load()
	if err != nil {
		t.Fatal(err)
	}
	f := identitytest.NewCentre(t, identitytest.NewClock())
	own, _ := identitytest.Box(t, f, identity.Options{})
	for scheme, l := range roads(f) {
		t.Run(scheme, func(t *testing.T) {
			cams := cameras(t, camera.Options{Speed: 4})
			defer cams.Close()
			n := startNodeOn(t, l, hall, "")
			defer n.close()
			r := startAs(t, own, by(scheme, n), always(cams.URL("/stream")))
			until(t, "pictures", func() bool { return len(n.received(cam)) > 150 })
			r.is("relaying", "")
			got := pictures(t, n.received(cam))
			at := -1
			for i, frame := range film.Frames {
				if bytes.Equal(got[0][len(got[0])-1], frame.NALUs[len(frame.NALUs)-1]) {
					at = i
				}
			}
			if at < 0 {
				t.Fatal("the first picture is none of the clip's")
			}
			for i, au := range got {
				if want := film.Frames[(at+i)%len(film.Frames)]; !bytes.Equal(bytes.Join(au, nil), bytes.Join(want.NALUs, nil)) {
					t.Fatalf("picture %d differs from frame %d of the clip", i, (at+i)%len(film.Frames))
				}
			}
			if asked, logins := n.heard(); asked == 0 || logins != 0 {
				t.Errorf("%d of %d requests had a login, want none", logins, asked)
			}
			cams.HangUp()
			until(t, "it is published again", func() bool { return n.announced(cam) >= 2 })
		})
	}
}

// A line that takes nothing more costs whole groups of pictures under encryption too, and ends when the relay does.
func TestRelay_slowNodeBehindCertificates(t *testing.T) {
	f := identitytest.NewCentre(t, identitytest.NewClock())
	own, _ := identitytest.Box(t, f, identity.Options{})
	for scheme, l := range roads(f) {
		t.Run(scheme, func(t *testing.T) {
			cams := cameras(t, camera.Options{Speed: 40})
			defer cams.Close()
			n := startNodeOn(t, l, hall, "")
			defer n.close()
			r := startAs(t, own, by(scheme, n), always(cams.URL("/stream")))
			r.is("relaying", "")
			n.stall()
			r.is("degraded", UplinkSlow)
			until(t, "groups are left out", func() bool { return r.States()[0].Dropped > 200 })
			n.resume()
			until(t, "pictures flow again after a hole", func() bool {
				packets := n.received(cam)
				at := holes(packets)
				return len(at) > 0 && len(packets) > at[len(at)-1]+200
			})
			pictures(t, n.received(cam))
		})
	}
}

// A node that asks for a login where certificates speak is not told one.
func TestRelay_noPasswordBehindCertificates(t *testing.T) {
	f := identitytest.NewCentre(t, identitytest.NewClock())
	own, _ := identitytest.Box(t, f, identity.Options{})
	for scheme, l := range roads(f) {
		t.Run(scheme, func(t *testing.T) {
			cams := cameras(t, camera.Options{})
			defer cams.Close()
			n := startNodeOn(t, l, hall, secret)
			defer n.close()
			startAs(t, own, by(scheme, n), always(cams.URL("/stream"))).is("offline", NodeRefused)
			if asked, logins := n.heard(); asked == 0 || logins != 0 || n.announced(cam) != 0 {
				t.Errorf("%d of %d requests had a login, %d were let in, want none", logins, asked, n.announced(cam))
			}
		})
	}
}

// Threats 8 and 9 on the way of the pictures: nobody but the centre gets one, nor a word about them, and none goes another way than was
// configured.
func TestThreat09NobodyButTheCentreGetsPictures(t *testing.T) {
	clock := identitytest.NewClock()
	f, other := identitytest.NewCentre(t, clock), identitytest.NewCentre(t, clock)
	from, over, past := clock.Now().Add(-time.Hour), clock.Now().AddDate(1, 0, 0), clock.Now().Add(-time.Minute)
	stolen, stolenSM2 := f.Server(from, over), f.SM2Server(from, over)
	f.List = hallsync.Revocations{Number: 1, Serials: []string{identitytest.SerialOf(t, stolen), stolenSM2.Sign.Serial()}}
	slices.Sort(f.List.Serials)
	own, _ := identitytest.Box(t, f, identity.Options{})
	plain := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	strict := tls.NewListener(plain(), &tls.Config{Certificates: []tls.Certificate{f.Server(from, over)}, ClientCAs: other.Pool(),
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13})
	for _, test := range []struct {
		name, scheme string
		l            net.Listener
		want         Reason
	}{
		{"TLS of a foreign root", "rtsps", other.ListenTLS(other.Server(from, over)), NodeUnproven},
		{"TLCP of a foreign root", "rtsp+tlcp", other.ListenTLCP(other.SM2Server(from, over)), NodeUnproven},
		{"TLS that is revoked", "rtsps", f.ListenTLS(stolen), NodeUnproven},
		{"TLCP that is revoked", "rtsp+tlcp", f.ListenTLCP(stolenSM2), NodeUnproven},
		{"TLS that is over", "rtsps", f.ListenTLS(f.Server(from, past)), NodeUnproven},
		{"TLS of a hall", "rtsps", f.ListenTLS(f.ServerOf(hall, from, over)), NodeUnproven},
		{"in the clear where TLS is configured", "rtsps", plain(), NodeUnreachable},
		{"in the clear where TLCP is configured", "rtsp+tlcp", plain(), NodeUnreachable},
		{"TLS where TLCP is configured", "rtsp+tlcp", f.ListenTLS(f.Server(from, over)), NodeRefused},
		{"a node that does not take our certificate", "rtsps", strict, NodeRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			cams := cameras(t, camera.Options{})
			defer cams.Close()
			n := startNodeOn(t, test.l, hall, "")
			defer n.close()
			startAs(t, own, by(test.scheme, n), always(cams.URL("/stream"))).is("offline", test.want)
			if asked, _ := n.heard(); asked != 0 || len(n.received(cam)) != 0 {
				t.Errorf("it was asked %d times and got %d packets", asked, len(n.received(cam)))
			}
			if cams.Counts().Plays != 0 {
				t.Error("the camera played for nobody")
			}
		})
	}
}

func TestRelay_waitsForEnrolment(t *testing.T) {
	for _, named := range []string{"the site", "the centre"} {
		t.Run("node named by "+named, func(t *testing.T) {
			f := identitytest.NewCentre(t, identitytest.NewClock())
			cams := cameras(t, camera.Options{})
			defer cams.Close()
			n := startNodeOn(t, roads(f)["rtsps"], hall, "")
			defer n.close()
			cfg, p := by("rtsps", n), f.Provision(f.Serve())
			if named == "the centre" {
				p.Addresses.RTSP, cfg.Node = cfg.Node, ""
				f.Spoil = func(e *hallsync.Enrolled) { e.Addresses = &p.Addresses }
			}
			own := alone(t)
			r := startAs(t, own, cfg, always(cams.URL("/stream")))
			r.is("idle", NotEnrolled)
			if asked, _ := n.heard(); asked != 0 || cams.Counts().Plays != 0 {
				t.Error("it does not wait")
			}
			if _, err := own.Enrol(t.Context(), p, "BOX-1"); err != nil {
				t.Fatal(err)
			}
			r.is("relaying", "")
		})
	}
}

// The centre may move the node: what it says is in force at once.
func TestRelay_followsTheNode(t *testing.T) {
	f := identitytest.NewCentre(t, identitytest.NewClock())
	cams := cameras(t, camera.Options{})
	defer cams.Close()
	says := func(rtsp string) func() {
		return func() { f.Spoil = func(e *hallsync.Enrolled) { e.Addresses = &hallsync.CentreAddresses{RTSP: rtsp} } }
	}
	own, _ := identitytest.Box(t, f, identity.Options{})
	r := startAs(t, own, config.Relay{}, always(cams.URL("/stream")))
	r.is("idle", RelayOff)
	for _, scheme := range []string{"rtsps", "rtsp+tlcp"} {
		n := startNodeOn(t, roads(f)[scheme], hall, "")
		defer n.close()
		f.NewCode()
		f.Do(says(scheme + "://" + n.addr))
		if _, err := own.Enrol(t.Context(), f.Provision(f.Serve()), ""); err != nil {
			t.Fatal(err)
		}
		until(t, "pictures at "+scheme, func() bool { return len(n.received(cam)) > 20 })
	}
}

func TestRelay_withoutNode(t *testing.T) {
	f := identitytest.NewCentre(t, identitytest.NewClock())
	for name, said := range map[string]string{"none": "", "of no use": "http://node:1"} {
		t.Run(name, func(t *testing.T) {
			f.NewCode()
			f.Spoil = func(e *hallsync.Enrolled) { e.Addresses = &hallsync.CentreAddresses{RTSP: said} }
			own, _ := identitytest.Box(t, f, identity.Options{})
			startAs(t, own, config.Relay{}, always("rtsp://10.0.0.1/1")).is("idle", RelayOff)
		})
	}
}
