package whep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/media/fanout"
	"halledge/test/await"
	"halledge/test/fakes/clip"
)

const cam = "440900000000001-CM001"

// node is an endpoint with its HTTP server and a hub.
type node struct {
	*Server
	t    *testing.T
	hub  *fanout.Hub
	http *httptest.Server
}

func startNode(t *testing.T, change func(*Config)) *node {
	t.Helper()
	before := runtime.NumGoroutine()
	n := &node{t: t, hub: fanout.NewHub(func(string, bool) {}, func(string) {})}
	cfg := Config{
		Listen: "127.0.0.1:0",
		Authorize: func(r *http.Request, camera string) (Permit, error) {
			switch r.Header.Get("Authorization") {
			case "Bearer good":
				return Permit{}, nil
			case "Bearer other":
				return Permit{}, errors.New("may not see " + camera)
			}
			return Permit{}, problem.Problem{Status: http.StatusUnauthorized, Code: "sign_in"}
		},
		Known:    func(camera string) bool { return camera == cam },
		Messages: problem.NewCatalog(nil),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if n.Server, err = Listen(cfg, n.hub, slog.New(slog.NewTextHandler(t.Output(), nil))); err != nil {
		t.Fatal(err)
	}
	n.http = httptest.NewServer(n.Server)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		n.http.Close()
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(15 * time.Second):
			t.Error("Run did not return")
		}
		await.That(t, "the goroutines of the server are gone", func() bool { return runtime.NumGoroutine() <= before })
	})
	return n
}

// request makes a request with a good token, and gives the answer with its body read.
func (n *node) request(method, path, body string, change func(*http.Request)) (*http.Response, string) {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), method, n.http.URL+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Content-Type", "application/sdp")
	if change != nil {
		change(r)
	}
	res, err := n.http.Client().Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return res, string(b)
}

func code(body string) string {
	var p struct{ Code string }
	if json.Unmarshal([]byte(body), &p) != nil {
		return "no problem document: " + body
	}
	return p.Code
}

// film publishes the clip into the hub at its own pace.
type film struct {
	pub    *fanout.Publisher
	frozen atomic.Bool
	stop   chan struct{}
	done   sync.WaitGroup
}

func (n *node) publish() *film {
	n.t.Helper()
	c, err := clip.Load()
	if err != nil {
		n.t.Fatal(err)
	}
	pub, err := n.hub.Publish(cam, &format.H264{PayloadTyp: 96, PacketizationMode: 1, SPS: c.SPS, PPS: c.PPS}, func() {})
	if err != nil {
		n.t.Fatal(err)
	}
	enc := &rtph264.Encoder{PayloadType: 96, PayloadMaxSize: 1400, PacketizationMode: 1}
	if err := enc.Init(); err != nil {
		n.t.Fatal(err)
	}
	f := &film{pub: pub, stop: make(chan struct{})}
	f.done.Go(func() {
		tick := time.NewTicker(time.Second / clip.FPS)
		defer tick.Stop()
		for i := 0; ; {
			select {
			case <-f.stop:
				return
			case <-tick.C:
			}
			if f.frozen.Load() {
				continue
			}
			packets, err := enc.Encode(c.Frames[i%len(c.Frames)].NALUs)
			if err != nil {
				return
			}
			for _, p := range packets {
				p.Timestamp = uint32(i * clip.ClockRate / clip.FPS)
				pub.Write(p)
			}
			i++
		}
	})
	return f
}

func (f *film) close() {
	close(f.stop)
	f.done.Wait()
	f.pub.Close()
}

// browser is a WHEP client made with pion. It counts what it gets; it does not repair losses by itself.
type browser struct {
	t        *testing.T
	pc       *webrtc.PeerConnection
	location string
	asked    time.Time
	state    atomic.Value // webrtc.PeerConnectionState
	reading  sync.WaitGroup

	mu       sync.Mutex
	ssrc     uint32
	packets  []*rtp.Packet
	pictures [][]byte
	first    time.Duration // from the request to the first whole picture
}

// newBrowser makes an offer as a page does. network is udp4 or tcp4.
func newBrowser(t *testing.T, network webrtc.NetworkType) *browser {
	t.Helper()
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	var se webrtc.SettingEngine
	se.SetNetworkTypes([]webrtc.NetworkType{network})
	se.SetIncludeLoopbackCandidate(true)
	se.DisableSRTPReplayProtection(true) // to see packets that are sent again
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(se), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, pc: pc}
	b.state.Store(webrtc.PeerConnectionStateNew)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { b.state.Store(s) })
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { b.reading.Go(func() { b.read(track) }) })
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

func (b *browser) close() {
	if err := b.pc.GracefulClose(); err != nil {
		b.t.Errorf("close browser: %v", err)
	}
	b.reading.Wait()
}

// knows reports whether the browser has noticed the end: by the farewell, or, when that was lost with the line, by the end of that.
func (b *browser) knows() bool {
	s := b.state.Load()
	return s == webrtc.PeerConnectionStateClosed || s == webrtc.PeerConnectionStateDisconnected || s == webrtc.PeerConnectionStateFailed
}

func (b *browser) offer() string {
	b.t.Helper()
	offer, err := b.pc.CreateOffer(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(b.pc)
	if err := b.pc.SetLocalDescription(offer); err != nil {
		b.t.Fatal(err)
	}
	<-gathered
	return b.pc.LocalDescription().SDP
}

// open connects to a node.
func (b *browser) open(n *node) {
	b.t.Helper()
	offer := b.offer()
	b.asked = time.Now()
	res, answer := n.request(http.MethodPost, Prefix+cam, offer, nil)
	if res.StatusCode != http.StatusCreated || res.Header.Get("Content-Type") != "application/sdp" {
		b.t.Fatalf("%d %s", res.StatusCode, answer)
	}
	b.location = res.Header.Get("Location")
	if err := b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) read(track *webrtc.TrackRemote) {
	dec := &rtph264.Decoder{PacketizationMode: 1}
	if err := dec.Init(); err != nil {
		b.t.Error(err)
		return
	}
	var last uint16
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.ssrc = uint32(track.SSRC())
		b.packets = append(b.packets, p)
		if len(b.packets) == 1 || int16(p.SequenceNumber-last) > 0 { // not one that was sent again
			last = p.SequenceNumber
			if au, err := dec.Decode(p); err == nil {
				b.pictures = append(b.pictures, bytes.Join(au, []byte{'|'}))
				if len(b.pictures) == 1 {
					b.first = time.Since(b.asked)
				}
			}
		}
		b.mu.Unlock()
	}
}

func (b *browser) seen() (pictures [][]byte, packets []*rtp.Packet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pictures, b.packets
}

func (b *browser) wait(pictures int) {
	b.t.Helper()
	await.That(b.t, "pictures in the browser", func() bool { p, _ := b.seen(); return len(p) >= pictures })
}

// follows checks that the pictures are the clip's, from a key frame on and without a gap, and that time goes forward.
func (b *browser) follows() {
	b.t.Helper()
	c, err := clip.Load()
	if err != nil {
		b.t.Fatal(err)
	}
	pictures, packets := b.seen()
	at := -1
	for i, f := range c.Frames {
		if f.Key && bytes.Equal(pictures[0], bytes.Join(f.NALUs, []byte{'|'})) {
			at = i
		}
	}
	if at < 0 {
		b.t.Fatal("the first picture is none of the clip's key frames")
	}
	for i, p := range pictures {
		if want := c.Frames[(at+i)%len(c.Frames)]; !bytes.Equal(p, bytes.Join(want.NALUs, []byte{'|'})) {
			b.t.Fatalf("picture %d differs from frame %d of the clip", i, at+i)
		}
	}
	for i, p := range packets {
		if n := p.MarshalSize(); n > 1200 {
			b.t.Errorf("packet %d has %d bytes", i, n)
		}
		if i > 0 && int32(p.Timestamp-packets[i-1].Timestamp) < 0 {
			b.t.Errorf("packet %d: time goes back by %d", i, packets[i-1].Timestamp-p.Timestamp)
		}
	}
}

func TestServer_browserSeesPicturesAtOnce(t *testing.T) {
	for name, network := range map[string]webrtc.NetworkType{"udp": webrtc.NetworkTypeUDP4, "tcp": webrtc.NetworkTypeTCP4} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, nil)
			f := n.publish()
			defer f.close()
			await.That(t, "half a group is kept", func() bool { c := n.hub.Cameras(); return c[0].GOPFrames > clip.GOP/2 })
			b := newBrowser(t, network)
			b.open(n)
			b.wait(3 * clip.GOP)
			b.follows()
			await.That(t, "it is counted", func() bool { return n.hub.Cameras()[0].Viewers == 1 })
			t.Logf("%s: first picture after %v", name, b.first)
			if s := n.transportOf(b.location); s != name {
				t.Errorf("connected over %q", s)
			}
			if res, _ := n.request(http.MethodDelete, b.location, "", nil); res.StatusCode != http.StatusOK {
				t.Errorf("DELETE: %d", res.StatusCode)
			}
			if got := n.hub.Cameras()[0].Viewers; got != 0 {
				t.Errorf("%d viewers after DELETE", got)
			}
			if res, body := n.request(http.MethodDelete, b.location, "", nil); res.StatusCode != http.StatusNotFound || code(body) != string(SessionGone) {
				t.Errorf("a second DELETE: %d %s", res.StatusCode, body)
			}
			await.That(t, "the browser knows", b.knows)
		})
	}
}

func (n *node) transportOf(location string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, s := range n.sessions {
		if strings.HasSuffix(location, "/"+id) {
			return s.transport()
		}
	}
	return "no session"
}

func TestServer_picturesAreShownAnewWhenAskedFor(t *testing.T) {
	n := startNode(t, nil)
	f := n.publish()
	defer f.close()
	b := newBrowser(t, webrtc.NetworkTypeUDP4)
	b.open(n)
	b.wait(clip.GOP)
	f.frozen.Store(true) // so that no key frame comes by itself
	await.That(t, "nothing is on its way", func() bool {
		s := n.hub.Cameras()[0]
		p, _ := b.seen()
		return len(p) > 0 && s.GOPFrames > 0 && time.Since(s.LastFrame) > 300*time.Millisecond
	})
	before, _ := b.seen()
	if err := b.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: b.ssrc}}); err != nil {
		t.Fatal(err)
	}
	b.wait(len(before) + 1)
	after, packets := b.seen()
	if k := after[len(before)][0] & 0x1f; k != 7 {
		t.Errorf("the answer begins with a NAL unit of type %d, not SPS", k)
	}
	for i := 1; i < len(packets); i++ {
		if int32(packets[i].Timestamp-packets[i-1].Timestamp) < 0 {
			t.Errorf("packet %d: time goes back", i)
		}
	}
	f.frozen.Store(false)
	b.wait(len(after) + clip.GOP)
}

func TestServer_missingPacketsAreSentAgain(t *testing.T) {
	n := startNode(t, nil)
	f := n.publish()
	defer f.close()
	b := newBrowser(t, webrtc.NetworkTypeUDP4)
	b.open(n)
	b.wait(clip.GOP)
	_, packets := b.seen()
	want := packets[len(packets)-1]
	nack := &rtcp.TransportLayerNack{MediaSSRC: b.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{want.SequenceNumber, want.SequenceNumber + 30000})}
	same := func() (count int) {
		_, all := b.seen()
		for _, p := range all {
			if p.SequenceNumber == want.SequenceNumber {
				if !bytes.Equal(p.Payload, want.Payload) || p.Timestamp != want.Timestamp || p.Marker != want.Marker {
					t.Error("what was sent again is not the same packet")
				}
				count++
			}
		}
		return count
	}
	for i := range maxResend {
		if err := b.pc.WriteRTCP([]rtcp.Packet{nack}); err != nil {
			t.Fatal(err)
		}
		await.That(t, "the packet comes again", func() bool { return same() == i+2 })
	}
	if err := b.pc.WriteRTCP([]rtcp.Packet{nack}); err != nil { // once too often
		t.Fatal(err)
	}
	pictures, _ := b.seen()
	b.wait(len(pictures) + 5)
	if got := same(); got != maxResend+1 {
		t.Errorf("the packet came %d times, want %d", got, maxResend+1)
	}
}

func TestServer_viewerThatVanishesIsCleanedUp(t *testing.T) {
	n := startNode(t, nil)
	f := n.publish()
	defer f.close()
	b := newBrowser(t, webrtc.NetworkTypeUDP4)
	b.open(n)
	b.wait(5)
	if err := b.pc.Close(); err != nil { // as a tab that is closed: only DTLS says so
		t.Fatal(err)
	}
	await.That(t, "the session is gone", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.sessions) == 0 && n.taken == 0 })
}

func TestServer_viewerThatNeverConnectsIsCleanedUp(t *testing.T) {
	n := startNode(t, nil)
	n.connect = 300 * time.Millisecond
	f := n.publish()
	defer f.close()
	b := newBrowser(t, webrtc.NetworkTypeUDP4)
	res, _ := n.request(http.MethodPost, Prefix+cam, b.offer(), nil) // and the answer is thrown away
	if res.StatusCode != http.StatusCreated {
		t.Fatal(res.Status)
	}
	await.That(t, "the session is gone", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.sessions) == 0 && n.taken == 0 })
}

func TestServer_cameraThatLeavesEndsTheSession(t *testing.T) {
	n := startNode(t, nil)
	f := n.publish()
	b := newBrowser(t, webrtc.NetworkTypeUDP4)
	b.open(n)
	b.wait(5)
	f.close()
	await.That(t, "the browser knows", b.knows)
}

func TestServer_refuses(t *testing.T) {
	n := startNode(t, func(c *Config) { c.MaxPerCamera = 1 })
	f := n.publish()
	defer f.close()
	offer := newBrowser(t, webrtc.NetworkTypeUDP4).offer()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	audio := strings.ReplaceAll(offer, "H264", "VP9")
	tests := map[string]struct {
		method, path, body string
		change             func(*http.Request)
		status             int
		code               string
	}{
		"no token":       {http.MethodPost, Prefix + cam, offer, header("Authorization", ""), 401, "sign_in"},
		"not allowed":    {http.MethodPost, Prefix + cam, offer, header("Authorization", "Bearer other"), 403, "not_allowed"},
		"unknown camera": {http.MethodPost, Prefix + "nobody", offer, nil, 404, "camera_unknown"},
		"no camera":      {http.MethodPost, Prefix, offer, nil, 404, "camera_unknown"},
		"JSON":           {http.MethodPost, Prefix + cam, "{}", header("Content-Type", "application/json"), 415, "offer_invalid"},
		"nothing":        {http.MethodPost, Prefix + cam, "", nil, 400, "offer_invalid"},
		"noise":          {http.MethodPost, Prefix + cam, "v=0\r\nhello", nil, 400, "offer_invalid"},
		"too long":       {http.MethodPost, Prefix + cam, offer + strings.Repeat("a=x\r\n", 20000), nil, 413, "body_too_large"},
		"no H.264":       {http.MethodPost, Prefix + cam, audio, nil, 406, "viewer_codec"},
		"GET":            {http.MethodGet, Prefix + cam, "", nil, 405, "method_not_allowed"},
		"trickle":        {http.MethodPatch, Prefix + cam + "/x", "", nil, 405, "method_not_allowed"},
		"no session":     {http.MethodDelete, Prefix + cam + "/x", "", nil, 404, "session_gone"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			res, body := n.request(tt.method, tt.path, tt.body, tt.change)
			if res.StatusCode != tt.status || code(body) != tt.code {
				t.Errorf("%d %s, want %d %s", res.StatusCode, body, tt.status, tt.code)
			}
		})
	}
	b := newBrowser(t, webrtc.NetworkTypeUDP4)
	b.open(n)
	if res, body := n.request(http.MethodPost, Prefix+cam, offer, nil); res.StatusCode != 503 || code(body) != string(ViewersFull) {
		t.Errorf("one too many: %d %s", res.StatusCode, body)
	}
	if res, _ := n.request(http.MethodOptions, Prefix+cam, "", nil); res.StatusCode != 204 || res.Header.Get("Accept-Post") != "application/sdp" {
		t.Errorf("OPTIONS: %d", res.StatusCode)
	}
}

func TestServer_otherCodecs(t *testing.T) {
	n := startNode(t, nil)
	pub, err := n.hub.Publish(cam, &format.MJPEG{}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer pub.Close()
	res, body := n.request(http.MethodPost, Prefix+cam, newBrowser(t, webrtc.NetworkTypeUDP4).offer(), nil)
	if res.StatusCode != 406 || code(body) != string(CameraCodec) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// A camera on demand comes while the viewer waits; one that does not come is said to be off.
func TestServer_cameraOnDemand(t *testing.T) {
	n := startNode(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, Prefix+cam, strings.NewReader(newBrowser(t, webrtc.NetworkTypeUDP4).offer()))
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Content-Type", "application/sdp")
	n.ServeHTTP(w, r)
	if w.Code != http.StatusConflict || code(w.Body.String()) != string(NotLive) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var f *film
	var later sync.WaitGroup
	later.Go(func() {
		<-time.After(200 * time.Millisecond) // the hall's relay needs a moment
		f = n.publish()
	})
	b := newBrowser(t, webrtc.NetworkTypeUDP4)
	b.open(n)
	later.Wait()
	defer f.close()
	b.wait(5)
	b.follows()
}
