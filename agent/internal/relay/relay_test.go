package relay

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/pion/rtp"

	"halledge/agent/internal/config"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/relay/pin"
	"halledge/test/fakes/camera"
	"halledge/test/fakes/clip"
)

const (
	hall   = "440900000000001"
	secret = "p@ss/wörd?%41"
	cam    = "440900000000001-CM001"
)

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		case <-tick.C:
		}
	}
}

// logged is a log that tests may read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a relay under test. Its network back-off is short; the others are as they are.
type running struct {
	*Relay
	t   *testing.T
	log *logged
}

func start(t *testing.T, cfg config.Relay, cameras ...config.Camera) *running {
	t.Helper()
	return startAs(t, alone(t), cfg, cameras...)
}

// alone is a box that is not enrolled.
func alone(t *testing.T) *identity.Identity {
	t.Helper()
	own, err := identity.Open(filepath.Join(t.TempDir(), identity.Directory), identity.Options{Hall: hall, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return own
}

func startAs(t *testing.T, own *identity.Identity, cfg config.Relay, cameras ...config.Camera) *running {
	t.Helper()
	return startWith(t, own, nil, cfg, cameras...)
}

// startKnowing starts a relay that knows cameras again.
func startKnowing(t *testing.T, book *pin.Book, cfg config.Relay, cameras ...config.Camera) *running {
	t.Helper()
	return startWith(t, alone(t), book, cfg, cameras...)
}

func startWith(t *testing.T, own *identity.Identity, book *pin.Book, cfg config.Relay, cameras ...config.Camera) *running {
	t.Helper()
	r := newWith(t, own, book, cfg, cameras...)
	r.run()
	return r
}

// newWith makes a relay that run starts.
func newWith(t *testing.T, own *identity.Identity, book *pin.Book, cfg config.Relay, cameras ...config.Camera) *running {
	t.Helper()
	r := &running{t: t, log: &logged{}}
	if cfg.Subnets == nil {
		cfg.Subnets = []string{"127.0.0.0/8", "192.168.77.0/24"} // where the played cameras are
	}
	var err error
	if r.Relay, err = New(cfg, hall, cameras, own, book, slog.New(slog.NewTextHandler(r.log, nil))); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.feeds {
		f.paces.network = pace{base: 50 * time.Millisecond, top: 200 * time.Millisecond}
	}
	return r
}

func (r *running) run() {
	t := r.t
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != context.Canceled {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(15 * time.Second):
			t.Error("Run did not return")
		}
		if log := r.log.String(); strings.Contains(log, secret) || strings.Contains(log, "p%40ss") {
			t.Errorf("the log holds a password:\n%s", log)
		}
		until(t, "the goroutines of the relay are gone", func() bool { return runtime.NumGoroutine() <= before })
	})
}

// is waits for a state and reason of the first camera.
func (r *running) is(state string, reason Reason) {
	r.t.Helper()
	until(r.t, state+" "+string(reason), func() bool {
		s := r.Status()[0]
		return s.State == state && s.Reason == string(reason)
	})
}

func cameras(t *testing.T, o camera.Options) *camera.Cameras {
	t.Helper()
	c, err := camera.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func always(url string) config.Camera {
	return config.Camera{Code: cam, Name: "大厅", Scene: 1, URL: url, Always: true}
}

func relayTo(n *node) config.Relay {
	return config.Relay{Node: n.url(), Password: config.NewSecret(n.password)}
}

// pictures puts packets together again, from the first key frame on, and fails on anything that is not whole.
func pictures(t *testing.T, packets []*rtp.Packet) [][][]byte {
	t.Helper()
	dec := &rtph264.Decoder{PacketizationMode: 1}
	if err := dec.Init(); err != nil {
		t.Fatal(err)
	}
	var out [][][]byte
	begun := false
	for _, p := range packets {
		if !begun && p.Payload[0]&0x1f != 7 && p.Payload[0]&0x1f != 24 {
			continue
		}
		begun = true
		au, err := dec.Decode(p)
		switch {
		case err == nil:
			out = append(out, au)
		case err != rtph264.ErrMorePacketsNeeded:
			t.Fatalf("packet %d: %v", p.SequenceNumber, err)
		}
	}
	return out
}

func TestRelay_carriesPicturesUnchanged(t *testing.T) {
	film, err := clip.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, udp := range map[string]bool{"tcp": false, "udp": true} {
		t.Run(name, func(t *testing.T) {
			cams := cameras(t, camera.Options{User: "admin", Password: secret, Speed: 4})
			defer cams.Close()
			n := startNode(t, "", hall, secret)
			defer n.close()
			c := always(cams.URL("/stream"))
			c.User, c.Password, c.UDP = "admin", config.NewSecret(secret), udp
			r := start(t, relayTo(n), c)
			until(t, "100 pictures", func() bool { return len(n.received(cam)) > 350 })
			got := pictures(t, n.received(cam))
			at := -1
			for i, f := range film.Frames {
				if bytes.Equal(got[0][len(got[0])-1], f.NALUs[len(f.NALUs)-1]) {
					at = i
				}
			}
			if at < 0 {
				t.Fatal("the first picture is none of the clip's")
			}
			for i, au := range got {
				want := film.Frames[(at+i)%len(film.Frames)]
				if !bytes.Equal(bytes.Join(au, nil), bytes.Join(want.NALUs, nil)) {
					t.Fatalf("picture %d differs from frame %d of the clip", i, (at+i)%len(film.Frames))
				}
			}
			r.is("relaying", "")
			until(t, "a bit rate", func() bool { return r.Status()[0].BitsPS > 0 })
			if s := r.States()[0]; s.Codec != "h264" || s.Packets == 0 || s.LostByCamera != 0 || s.Dropped != 0 || s.Opens != 1 {
				t.Errorf("state %+v", s)
			}
			if c := cams.Counts(); c.Plays != 1 || c.BadLogins != 0 {
				t.Errorf("camera saw %+v, want one play", c)
			}
		})
	}
}

func TestRelay_cameraGoesAndComesBack(t *testing.T) {
	cams := cameras(t, camera.Options{})
	n := startNode(t, "", hall, secret)
	defer n.close()
	r := start(t, relayTo(n), always(cams.URL("/stream")))
	r.is("relaying", "")
	cams.HangUp()
	until(t, "it is opened again", func() bool { return n.announced(cam) >= 2 })
	r.is("relaying", "")
	addr := cams.Addr()
	cams.Close()
	r.is("offline", CameraUnreachable)
	cams = cameras(t, camera.Options{Listen: addr})
	defer cams.Close()
	r.is("relaying", "")
	before := len(n.received(cam))
	until(t, "pictures flow", func() bool { return len(n.received(cam)) > before })
}

func TestRelay_nodeGoesAndComesBack(t *testing.T) {
	cams := cameras(t, camera.Options{})
	defer cams.Close()
	n := startNode(t, "", hall, secret)
	r := start(t, relayTo(n), always(cams.URL("/stream")))
	r.is("relaying", "")
	addr := n.addr
	n.close()
	r.is("offline", NodeUnreachable)
	n = startNode(t, addr, hall, secret)
	defer n.close()
	r.is("relaying", "")
	until(t, "pictures flow", func() bool { return len(n.received(cam)) > 0 })
}

func TestRelay_wrongPasswordOfTheCameraIsNotTriedAgain(t *testing.T) {
	cams := cameras(t, camera.Options{User: "admin", Password: "right"})
	defer cams.Close()
	n := startNode(t, "", hall, secret)
	defer n.close()
	c := always(cams.URL("/stream"))
	c.User, c.Password = "admin", config.NewSecret(secret)
	r := start(t, relayTo(n), c)
	r.is("auth_failed", CameraLogin)
	f := r.feeds[0]
	until(t, "the next attempt is set", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return time.Until(f.retry) > 4*time.Minute
	})
	if c := cams.Counts(); c.BadLogins != 1 {
		t.Errorf("the camera saw %d bad logins, want 1", c.BadLogins)
	}
	if err := r.Start(cam); err != nil { // somebody looks: that must not make it try
		t.Fatal(err)
	}
	r.is("auth_failed", CameraLogin)
}

func TestRelay_sha256(t *testing.T) {
	// This camera offers both and takes both, so one attempt is enough. One that takes only MD5 is in quirks_test.go.
	cams := cameras(t, camera.Options{User: "admin", Password: secret,
		AuthMethods: []auth.VerifyMethod{auth.VerifyMethodDigestMD5, auth.VerifyMethodDigestSHA256}})
	defer cams.Close()
	n := startNode(t, "", hall, secret)
	defer n.close()
	c := always(cams.URL("/stream"))
	c.User, c.Password = "admin", config.NewSecret(secret)
	r := start(t, relayTo(n), c)
	r.is("relaying", "")
	if c := cams.Counts(); c.BadLogins != 0 || c.Connections != 1 {
		t.Errorf("the camera saw %+v, want one connection and no bad login", c)
	}
}

func TestRelay_nodeRefusesTheHall(t *testing.T) {
	cams := cameras(t, camera.Options{})
	defer cams.Close()
	n := startNode(t, "", hall, "another password")
	defer n.close()
	r := start(t, config.Relay{Node: n.url(), Password: config.NewSecret(secret)}, always(cams.URL("/stream")))
	r.is("offline", NodeRefused)
	if n.badLogins() != 1 {
		t.Errorf("the node saw %d bad logins, want 1", n.badLogins())
	}
	if cams.Counts().Plays != 0 {
		t.Error("the camera played for nobody")
	}
}

func TestRelay_reasons(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	full := cameras(t, camera.Options{Refuse: base.StatusNotEnoughBandwidth})
	defer full.Close()
	one := cameras(t, camera.Options{})
	defer one.Close()
	tests := map[string]struct {
		url     string
		subnets []string
		want    Reason
	}{
		"full":            {url: full.URL("/stream"), want: CameraBusy},
		"no such path":    {url: one.URL("/other"), want: CameraNoStream},
		"outside subnets": {url: one.URL("/stream"), subnets: []string{"192.0.2.0/24"}, want: CameraNotAllowed},
		"metadata":        {url: "rtsp://169.254.169.254/stream", want: CameraNotAllowed},
		"no such name":    {url: "rtsp://camera.invalid/stream", want: CameraUnreachable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := relayTo(n)
			cfg.Subnets = tt.subnets
			start(t, cfg, always(tt.url)).is("offline", tt.want)
		})
	}
}

func TestRelay_silentCameraIsOpenedAgain(t *testing.T) {
	cams := cameras(t, camera.Options{})
	defer cams.Close()
	n := startNode(t, "", hall, secret)
	defer n.close()
	r := start(t, relayTo(n), always(cams.URL("/stream")))
	r.is("relaying", "")
	cams.Freeze(true)
	r.is("offline", CameraSilent)
	cams.Freeze(false)
	r.is("relaying", "")
}

func TestRelay_onDemand(t *testing.T) {
	cams := cameras(t, camera.Options{})
	defer cams.Close()
	n := startNode(t, "", hall, secret)
	defer n.close()
	c := always(cams.URL("/stream"))
	c.Always = false
	cfg := relayTo(n)
	cfg.LingerS = 1
	r := start(t, cfg, c)
	r.is("idle", "")
	if err := r.Start("nobody"); err != ErrUnknownCamera {
		t.Errorf("Start of an unknown camera: %v", err)
	}
	for range 2 { // saying it twice is the same as once
		if err := r.Start(cam); err != nil {
			t.Fatal(err)
		}
	}
	r.is("relaying", "")
	stopped := time.Now()
	if err := r.Stop(cam); err != nil {
		t.Fatal(err)
	}
	r.is("idle", "")
	if d := time.Since(stopped); d < time.Second {
		t.Errorf("closed after %v, before the linger time", d)
	}
	if err := r.Start(cam); err != nil {
		t.Fatal(err)
	}
	r.is("relaying", "")
	if got := cams.Counts().Plays; got != 2 {
		t.Errorf("the camera played %d times, want 2", got)
	}
}

// holes gives the indexes of packets whose forerunner is missing.
func holes(packets []*rtp.Packet) (at []int) {
	for i := 1; i < len(packets); i++ {
		if packets[i].SequenceNumber != packets[i-1].SequenceNumber+1 {
			at = append(at, i)
		}
	}
	return at
}

// A node that stops reading for a while gets whole groups of pictures or nothing, and the camera is not disturbed.
func TestRelay_slowNodeGetsWholeGroups(t *testing.T) {
	cams := cameras(t, camera.Options{Speed: 40})
	defer cams.Close()
	n := startNode(t, "", hall, secret)
	defer n.close()
	r := start(t, relayTo(n), always(cams.URL("/stream")))
	r.is("relaying", "")
	n.stall()
	r.is("degraded", UplinkSlow)
	until(t, "groups are left out", func() bool { return r.States()[0].Dropped > 200 })
	if w := r.States()[0].Waiting; w > hardLimit {
		t.Errorf("%d bytes wait, more than the limit", w)
	}
	n.resume()
	until(t, "pictures flow again after a hole", func() bool {
		packets := n.received(cam)
		at := holes(packets)
		return len(at) > 0 && len(packets) > at[len(at)-1]+200
	})
	packets := n.received(cam)
	for _, i := range holes(packets) {
		if !packets[i-1].Marker {
			t.Errorf("the hole before packet %d is in the middle of a picture", i)
		}
		if k := packets[i].Payload[0] & 0x1f; k != 7 && k != 24 {
			t.Errorf("after the hole comes a packet of type %d, not the parameter sets of a key frame", k)
		}
	}
	pictures(t, packets)
	if c := cams.Counts(); c.Plays != 1 {
		t.Errorf("the camera was opened %d times, want once", c.Plays)
	}
}

func TestNew_refusesBadConfiguration(t *testing.T) {
	nobody := alone(t)
	good := config.Camera{Code: "a", URL: "rtsp://10.0.0.1/1"}
	log := slog.New(slog.DiscardHandler)
	for name, tt := range map[string]struct {
		cfg     config.Relay
		cameras []config.Camera
	}{
		"scheme":        {config.Relay{}, []config.Camera{{Code: "a", URL: "http://10.0.0.1/1"}}},
		"file":          {config.Relay{}, []config.Camera{{Code: "a", URL: "file:///etc/passwd"}}},
		"login in URL":  {config.Relay{}, []config.Camera{{Code: "a", URL: "rtsp://u:" + "hunter2@10.0.0.1/1"}}},
		"no host":       {config.Relay{}, []config.Camera{{Code: "a", URL: "rtsp:///1"}}},
		"port":          {config.Relay{}, []config.Camera{{Code: "a", URL: "rtsp://10.0.0.1:99999/1"}}},
		"two of a code": {config.Relay{}, []config.Camera{good, good}},
		"node":          {config.Relay{Node: "mqtt://node:1"}, []config.Camera{good}},
		"node's port":   {config.Relay{Node: "rtsps://node"}, []config.Camera{good}},
		"node's path":   {config.Relay{Node: "rtsps://node:1/a"}, []config.Camera{good}},
		"node's login":  {config.Relay{Node: "rtsps://u:" + "hunter2@node:1"}, []config.Camera{good}},
		"subnet":        {config.Relay{Subnets: []string{"10.0.0.0/40"}}, []config.Camera{good}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(tt.cfg, hall, tt.cameras, nobody, nil, log)
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the password: %v", err)
			}
		})
	}
}
