package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/config"
	halls "halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/relay/pin"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/fakes/camera"
	"halledge/test/fakes/segment"
)

// inHall opens the log of a hall, in which it is written by what cameras are known.
func inHall(t *testing.T, dir string) (*halls.Hall, *pin.Book) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(dir, store.Options{Hall: hall, Delivered: "cloud", Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	h, err := halls.New(st, &queue.Plan{Location: time.FixedZone("CST", 8*3600)}, quiet, halls.SystemClock())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = st.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, pin.NewBook(h)
}

func certify(t *testing.T) *tls.Certificate {
	t.Helper()
	c, err := camera.Certify()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// known gives how the first camera is known.
func (r *running) known() Known { return r.Known()[0] }

// sees waits for a verdict about the machine at the first camera's address.
func (r *running) sees(v pin.Verdict) {
	r.t.Helper()
	until(r.t, "the machine is "+string(v), func() bool { return r.known().Verdict == v })
}

// adopt does what POST /api/v1/cameras/{code}/adopt does.
func (r *running) adopt(h *halls.Hall) {
	r.t.Helper()
	by := hallsync.By{Kind: "staff", Staff: "m01"}
	if _, err := h.Do(context.Background(), pin.Fact(cam, r.known().Seen, by)); err != nil {
		r.t.Fatal(err)
	}
	r.Again(cam)
}

// Threat 01: a machine that answers at a camera's address with another key is told nothing, gets no password, and nobody sees its pictures,
// until somebody of the hall says that it is the camera.
func TestThreat01AFalseCameraIsNotRelayed(t *testing.T) {
	h, book := inHall(t, t.TempDir())
	was := camera.Options{User: "admin", Password: secret, Certificate: certify(t)}
	cams := cameras(t, was)
	n := startNode(t, "", hall, secret)
	defer n.close()
	c := always(cams.URL("/stream"))
	c.User, c.Password = "admin", config.NewSecret(secret)
	r := startKnowing(t, book, relayTo(n), c)
	r.is("relaying", "")
	until(t, "it is known", func() bool { return r.known().Known.Key != "" })
	first := r.known().Known

	was.Listen = cams.Addr()
	cams.Close()
	r.is("offline", CameraUnreachable)
	other := was
	other.Certificate = certify(t)
	spy := cameras(t, other) // it has the password, and would play
	published := n.announced(cam)
	r.is("offline", CameraChanged)
	r.sees(pin.Changed)
	until(t, "it is tried again", func() bool { return spy.Counts().Connections >= 2 })
	if got := spy.Counts(); got.Describes != 0 || got.Plays != 0 || got.BadLogins != 0 {
		t.Errorf("the false camera was asked something: %+v", got)
	}
	if n.announced(cam) != published {
		t.Error("the pictures of the false camera were published")
	}
	if now := r.known(); now.Known != first || now.Seen.Key == first.Key || now.Seen.Key == "" {
		t.Errorf("known %+v, seen %+v", now.Known, now.Seen)
	}
	spy.Close()

	cams = cameras(t, was) // the camera itself needs nobody's word
	r.is("relaying", "")
	r.sees(pin.Same)
	cams.Close()

	replaced := cameras(t, other) // somebody of the hall put up another one
	defer replaced.Close()
	r.is("offline", CameraChanged)
	r.adopt(h)
	r.is("relaying", "")
	if now := r.known(); now.Known.Key == first.Key || now.Known.Key != now.Seen.Key {
		t.Errorf("known %+v, seen %+v", now.Known, now.Seen)
	}
	var fact hallsync.CameraPinned
	h.Read(func(s *queue.State, _ hallsync.Seq) { fact = s.Camera(cam) })
	if fact.Key != r.known().Seen.Key || fact.Camera != cam {
		t.Errorf("the log says %+v", fact)
	}
}

// onSegment starts cameras on a machine that is plugged in with a card.
func onSegment(t *testing.T, port, mac string, o camera.Options) (m *segment.Machine, cams *camera.Cameras) {
	t.Helper()
	m = segment.Plug(t, port, mac, "192.168.77.64")
	o.Listen = "192.168.77.64:554"
	var err error
	if m.Do(func() { cams, err = camera.Start(o) }); err != nil {
		t.Fatal(err)
	}
	return m, cams
}

// Threat 01: a camera without TLS is known by its network card. Nothing is cut that happens every day: the camera starts anew, or asks for
// its address again.
func TestThreat01AnotherCardIsAnotherCamera(t *testing.T) {
	if !segment.Inside(t) {
		return
	}
	const card, other = "c0:56:e3:01:02:03", "c0:56:e3:0a:0b:0c"
	h, book := inHall(t, t.TempDir())
	n := startNode(t, "", hall, secret)
	defer n.close()
	o := camera.Options{User: "admin", Password: secret}
	m, cams := onSegment(t, "port1", card, o)
	c := always("rtsp://192.168.77.64:554/stream")
	c.User, c.Password = "admin", config.NewSecret(secret)
	r := startKnowing(t, book, relayTo(n), c)
	r.is("relaying", "")
	until(t, "it is known", func() bool { return r.known().Known.MAC == card })

	for _, port := range []string{"port2", "port3"} { // pulled out and put into another socket
		m.Pull()
		cams.Close()
		m, cams = onSegment(t, port, card, o)
		until(t, "it is opened again", func() bool { return cams.Counts().Plays > 0 })
		r.is("relaying", "")
	}
	m.Pull()
	cams.Close()

	m, cams = onSegment(t, "port4", other, o)
	r.is("offline", CameraChanged)
	until(t, "it is tried again", func() bool { return cams.Counts().Connections >= 2 })
	if got := cams.Counts(); got.Describes != 0 || got.Plays != 0 {
		t.Errorf("the false camera was asked something: %+v", got)
	}
	if r.known().Seen.MAC != other {
		t.Errorf("seen %+v", r.known().Seen)
	}
	r.adopt(h)
	until(t, "it is opened", func() bool { return cams.Counts().Plays > 0 })
	r.is("relaying", "")
	m.Pull()
	cams.Close()
}

// Threat 01: what was learnt lives through a restart.
func TestThreat01CamerasAreKnownAfterARestart(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, "", hall, secret)
	defer n.close()
	o := camera.Options{Certificate: certify(t)}
	t.Run("before", func(t *testing.T) {
		_, book := inHall(t, dir)
		cams := cameras(t, o)
		defer cams.Close()
		o.Listen = cams.Addr()
		r := startKnowing(t, book, relayTo(n), always(cams.URL("/stream")))
		r.is("relaying", "")
		until(t, "it is known", func() bool { return r.known().Known.Key != "" })
	})
	t.Run("after", func(t *testing.T) {
		_, book := inHall(t, dir)
		o.Certificate = certify(t)
		cams := cameras(t, o)
		defer cams.Close()
		c := always(cams.URL("/stream"))
		c.Always = false
		r := startKnowing(t, book, relayTo(n), c)
		if err := r.Start(cam); err != nil {
			t.Fatal(err)
		}
		r.is("offline", CameraChanged)
		if err := r.Stop(cam); err != nil {
			t.Fatal(err)
		}
		r.is("idle", CameraChanged) // nobody looks any more, and it is not over
	})
}

// Threat 01: a camera whose key somebody wrote down is believed from the first time on, and no other.
func TestThreat01AWrittenKeyIsKnownFromTheStart(t *testing.T) {
	h, book := inHall(t, t.TempDir())
	n := startNode(t, "", hall, secret)
	defer n.close()
	own := certify(t)
	cams := cameras(t, camera.Options{Certificate: certify(t)})
	c := always(cams.URL("/stream"))
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Key = config.KeyDigest(pin.KeyOf(leaf))
	r := startKnowing(t, book, relayTo(n), c)
	r.is("offline", CameraChanged)
	r.adopt(h) // what is written goes before what is said
	until(t, "it is looked at again", func() bool { return cams.Counts().Connections >= 2 })
	r.is("offline", CameraChanged)
	addr := cams.Addr()
	cams.Close()
	cams = cameras(t, camera.Options{Listen: addr, Certificate: own})
	defer cams.Close()
	r.is("relaying", "")
}

// named answers as a camera with a name.
func named(t *testing.T, name func() string) *odd {
	t.Helper()
	var o *odd
	o = startOdd(t, func(c *oddConn, method, _ string, _ textproto.MIMEHeader) string {
		if method == "PLAY" {
			o.pump(c, func(i int) string { return media(6, uint16(i), uint32(i*1800), 7) })
		}
		if method == "DESCRIBE" {
			sdp := strings.Replace(oddSDP, "$ money", name(), 1)
			return fmt.Sprintf("RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nServer: Rtsp Server/3.0\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		}
		return usual(method)
	})
	return o
}

// What a camera says of itself changes with its program: it is relayed, and somebody is asked to look where nothing else proves it.
func TestRelay_aCameraThatSaysSomethingElseIsRelayed(t *testing.T) {
	h, book := inHall(t, t.TempDir())
	n := startNode(t, "", hall, secret)
	defer n.close()
	var mu sync.Mutex
	name := "Media Server V4.1"
	o := named(t, func() string {
		mu.Lock()
		defer mu.Unlock()
		return name
	})
	r := startKnowing(t, book, relayTo(n), always(o.url()))
	r.is("relaying", "")
	until(t, "it is known", func() bool { return r.known().Known.Says == "Rtsp Server/3.0 · Media Server V4.1" })
	mu.Lock()
	name = "Media Server V4.2"
	mu.Unlock()
	o.hangUp()
	r.is("relaying", CameraUnlike)
	before := len(n.received(cam))
	until(t, "pictures", func() bool { return len(n.received(cam)) > before })
	if r.known().Known.Says != "Rtsp Server/3.0 · Media Server V4.1" {
		t.Errorf("known %+v", r.known().Known)
	}
	r.adopt(h)
	r.is("relaying", "")
}

// hangUp ends every connection.
func (o *odd) hangUp() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.conns {
		_ = c.Close()
	}
}
