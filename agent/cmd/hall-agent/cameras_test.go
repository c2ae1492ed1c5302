package main

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/ops"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/relay/pin"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
	"halledge/test/fakes/camera"
)

const entrance = "440900000000001-CM001"

// atCamera is a box with one camera, which is looked at all the time and was known by another key until yesterday.
func atCamera(t *testing.T, cams *camera.Cameras) (path string, cfg *config.Config) {
	t.Helper()
	path = box(t)
	text, err := os.ReadFile(path)
	must(t, err)
	site := strings.Replace(string(text), "127.0.0.1:8080", "127.0.0.1:0", 1) +
		"cameras:\n  - {code: " + entrance + ", name: 入口, scene: 1, url: \"" + cams.URL("/stream") + "\", user: viewer, password: file:password, always: true}\n" +
		"relay: {node: \"rtsp://127.0.0.1:9\", password: file:password, subnets: [127.0.0.0/8]}\n"
	must(t, os.WriteFile(filepath.Join(filepath.Dir(path), "password"), []byte("p@ss word"), 0o600))
	must(t, os.WriteFile(path, []byte(site), 0o600))
	cfg, problems := config.Load(path)
	must(t, problems.Err())

	plan, err := hall.PlanOf(&cfg.Plan)
	must(t, err)
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(cfg.Site.Data, store.Options{Hall: hallsync.HallID(cfg.Site.Hall.Code), Delivered: "cloud", Log: quiet})
	must(t, err)
	h, err := hall.New(st, plan, quiet, hall.SystemClock())
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- st.Run(ctx) }()
	must(t, pin.NewBook(h).Write(ctx, entrance, pin.Machine{Key: strings.Repeat("5f", 32)}))
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must(t, st.Close())
	return path, cfg
}

// A camera that was replaced is shown as what it may be, and is the camera once somebody of the hall says so: the log tells who did.
func TestAReplacedCameraIsAdopted(t *testing.T) {
	own, err := camera.Certify()
	must(t, err)
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	must(t, err)
	cams, err := camera.Start(camera.Options{User: "viewer", Password: "p@ss word", Certificate: own})
	must(t, err)
	defer cams.Close()
	path, cfg := atCamera(t, cams)
	_, err = say(path, "cameras")
	wantCode(t, err, "agent_not_running")

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- serve(ctx, path, t.TempDir(), "", io.Discard) }()
	out := ""
	await.That(t, "the camera is another one", func() bool {
		out, _ = say(path, "cameras")
		return strings.Contains(out, "换了机器")
	})
	if !strings.Contains(out, "认它的依据：公钥 5f5f") || !strings.Contains(out, "现在应答的：公钥 "+pin.KeyOf(leaf)) || !strings.Contains(out, "cameras adopt "+entrance) {
		t.Errorf("said\n%s", out)
	}
	await.That(t, "the doctor tells", func() bool {
		out, _ := say(path, "doctor")
		return strings.Contains(out, "camera_changed")
	})
	_, err = say(path, "cameras", "adopt", "440900000000001-CM009")
	wantCode(t, err, "camera_unknown")
	list, err := ops.Cameras(ctx, cfg)
	must(t, err)
	other := list[0]
	other.Seen.Key = strings.Repeat("aa", 32)
	if err := ops.AdoptCamera(ctx, cfg, other); err == nil || !strings.Contains(err.Error(), "不是您核对的那一台") {
		t.Errorf("another machine than the one that was looked at: %v", err)
	}
	if got := cams.Counts(); got.Describes != 0 {
		t.Errorf("it was asked something: %+v", got)
	}

	if out, err := say(path, "cameras", "adopt", "入口"); err != nil || !strings.Contains(out, "现在：公钥 "+pin.KeyOf(leaf)) {
		t.Errorf("%q, %v", out, err)
	}
	await.That(t, "it is asked for its pictures", func() bool { return cams.Counts().Describes > 0 })
	if out, err := say(path, "cameras"); err != nil || !strings.Contains(out, "✓ 是它") {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := say(path, "cameras", "adopt", entrance); err == nil || !strings.Contains(err.Error(), "还是原来那一台") {
		t.Errorf("a camera that did not change: %v", err)
	}
	cancel()
	must(t, <-ended)
	if fact := pinnedFact(t, cfg); fact.Key != pin.KeyOf(leaf) || fact.By.Kind != "staff" {
		t.Errorf("the log says %+v", fact)
	}
}

// pinnedFact gives what the log of a box that is switched off says of its camera.
func pinnedFact(t *testing.T, cfg *config.Config) (f hallsync.CameraPinned) {
	t.Helper()
	o, err := journalOptions(cfg)
	must(t, err)
	o.Log = slog.New(slog.DiscardHandler)
	st, err := store.Open(cfg.Site.Data, o)
	must(t, err)
	plan, err := hall.PlanOf(&cfg.Plan)
	must(t, err)
	h, err := hall.New(st, plan, o.Log, hall.SystemClock())
	must(t, err)
	h.Read(func(s *queue.State, _ hallsync.Seq) { f = s.Camera(entrance) })
	must(t, st.Close())
	return f
}
