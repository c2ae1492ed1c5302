package media

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"halledge/agent/kit/problem"
)

const (
	hall = "440900000000001"
	cam  = hall + "-CM001"
)

type register struct{}

func (register) Publisher(h string) (string, bool) { return "publish-1", h == hall }
func (register) Hall(c string) (string, bool)      { return hall, c == cam }
func (register) Reader(user, c string) (string, bool) {
	return "read-1", user == "platform" && c == cam
}

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

func config() Config {
	return Config{RTSP: "127.0.0.1:0", WebRTC: "127.0.0.1:0", Registry: register{}, Messages: problem.NewCatalog(nil),
		Authorize: func(*http.Request, string) error { return nil }}
}

// ffmpeg publishes over RTSP, a WebRTC client sees the camera, and when the node ends nothing is left.
func TestMedia_fromRTSPToWebRTC(t *testing.T) {
	before := runtime.NumGoroutine()
	var changes atomic.Int32
	cfg := config()
	cfg.Changed = func(string) { changes.Add(1) }
	m, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	web := httptest.NewServer(m.Handler())

	push, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(push, "ffmpeg", "-v", "quiet", "-re", "-f", "h264", "-stream_loop", "-1", "-i", "../../../test/fakes/clip/clip.h264",
		"-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", "rtsp://"+hall+":publish-1@"+m.RTSPAddr().String()+"/"+cam)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "pictures arrive", func() bool { c := m.Cameras(); return len(c) == 1 && c[0].Frames > 5 })

	packets, leave := watch(t, web)
	until(t, "the browser sees it", func() bool { return packets.Load() > 50 })
	if c := m.Cameras()[0]; c.Viewers != 1 || !c.Live || c.Width != 640 {
		t.Errorf("camera %+v", c)
	}
	stop()
	_ = cmd.Wait() // it was killed
	until(t, "the camera is offline", func() bool { return !m.Cameras()[0].Live })
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("Run did not return")
	}
	leave()
	web.Close()
	if changes.Load() < 4 { // live, viewer, no viewer, offline
		t.Errorf("%d changes", changes.Load())
	}
	until(t, "all goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
}

// watch opens the camera as a page does and counts packets.
func watch(t *testing.T, web *httptest.Server) (packets *atomic.Int32, leave func()) {
	t.Helper()
	var se webrtc.SettingEngine
	se.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	packets = &atomic.Int32{}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			if _, _, err := track.ReadRTP(); err != nil {
				return
			}
			packets.Add(1)
		}
	})
	direction := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, direction); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	res, err := web.Client().Post(web.URL+"/whep/"+cam, "application/sdp", strings.NewReader(pc.LocalDescription().SDP))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s, %v", res.Status, answer, err)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}); err != nil {
		t.Fatal(err)
	}
	return packets, func() {
		if err := pc.GracefulClose(); err != nil {
			t.Error(err)
		}
	}
}

func TestNew_portsThatAreTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, change := range map[string]func(*Config){
		"rtsp":    func(c *Config) { c.RTSP = ln.Addr().String() },
		"webrtc":  func(c *Config) { c.WebRTC = ln.Addr().String() },
		"no port": func(c *Config) { c.WebRTC = "127.0.0.1" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config()
			change(&cfg)
			m, err := New(cfg, slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("opened", m.Close())
			}
		})
	}
}

func TestMedia_closeWithoutRun(t *testing.T) {
	m, err := New(config(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	addr := m.RTSPAddr().String()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the port is still open: %v", err)
	}
	_ = ln.Close()
}
