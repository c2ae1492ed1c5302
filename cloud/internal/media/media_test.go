package media

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/kit/problem"
	"halledge/test/await"
	"halledge/test/fakes/viewer"
)

const (
	hall = "440900000000001"
	cam  = hall + "-CM001"
)

type register struct{}

func (register) Publisher(h string) (string, bool) { return "publish-1", h == hall }
func (register) Hall(c string) (string, bool)      { return hall, c == cam }
func (register) Reader(user string) (string, bool) { return "read-1", user == "platform" }
func (register) Sees(_, c string) bool             { return c == cam }

func config() Config {
	return Config{RTSP: "127.0.0.1:0", WebRTC: "127.0.0.1:0", Registry: register{}, Messages: problem.NewCatalog(nil),
		Authorize: func(*http.Request, string) (Permit, error) { return Permit{}, nil }}
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
	await.That(t, "pictures arrive", func() bool { c := m.Cameras(); return len(c) == 1 && c[0].Frames > 5 })

	v, err := viewer.Open(t.Context(), viewer.Options{URL: web.URL + "/whep/" + cam})
	if err != nil {
		t.Fatal(err)
	}
	await.That(t, "the browser sees it", func() bool { return v.Pictures() > 20 })
	if c := m.Cameras()[0]; c.Viewers != 1 || !c.Live || c.Width != 640 {
		t.Errorf("camera %+v", c)
	}
	stop()
	_ = cmd.Wait() // it was killed
	await.That(t, "the camera is offline", func() bool { return !m.Cameras()[0].Live })
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("Run did not return")
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	web.Close()
	if changes.Load() < 4 { // live, viewer, no viewer, offline
		t.Errorf("%d changes", changes.Load())
	}
	await.That(t, "all goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
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
