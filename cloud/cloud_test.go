package cloud_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/strictyaml"
	"halledge/cloud"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
	"halledge/firmware-protocols/hallsync"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	hall     = hallsync.HallID("440900000000001")
	password = "a long random word"
	token    = "0123456789abcdef"

	blindToken     = "0123456789abcdee" // may look at no camera
	elsewhereToken = "0123456789abcded" // has other halls only

	patience = 30 * time.Second
)

// service is a running cloud.
type service struct {
	t    *testing.T
	addr cloud.Addresses
	stop func()
}

func start(t *testing.T, database string, change ...func(*config.Config)) *service {
	t.Helper()
	s := &service{t: t}
	ready := make(chan cloud.Addresses, 1)
	o := cloud.Options{
		Version: "test", Log: slog.New(slog.DiscardHandler), Ready: func(a cloud.Addresses) { ready <- a },
		Config: config.Config{
			HTTP: config.HTTP{Listen: "127.0.0.1:0"}, MQTT: config.MQTT{Listen: "127.0.0.1:0"}, Database: database, Zone: "Asia/Shanghai",
			Media: config.Media{RTSP: "127.0.0.1:0", WebRTC: "127.0.0.1:0"},
			Tokens: []config.Token{
				{Name: "test", Roles: []string{"viewer", "manager", "video"}, Secret: strictyaml.NewSecret(token)},
				{Name: "blind", Roles: []string{"viewer"}, Secret: strictyaml.NewSecret(blindToken)},
				{Name: "elsewhere", Scope: []string{otherHall}, Secret: strictyaml.NewSecret(elsewhereToken)},
			},
			Halls: []config.Hall{{
				Code: hall, Name: "甲厅", Password: config.Hash{Hash: phc.New([]byte(password))}, Publish: strictyaml.NewSecret("publish-me"),
				Cameras: []config.Camera{{Code: "440900000000001-CM001", Name: "入口", Scene: 1}},
			}, {
				Code: otherHall, Name: "乙厅", Password: config.Hash{Hash: phc.New([]byte("another long word"))},
				Cameras: []config.Camera{{Code: otherCamera, Name: "入口", Scene: 1}},
			}},
		},
	}
	for _, c := range change {
		c(&o.Config)
	}
	c, err := cloud.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	select {
	case s.addr = <-ready:
	case err := <-done:
		t.Fatal(err)
	case <-time.After(patience):
		t.Fatal("the cloud is not ready")
	}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("the cloud does not stop")
		}
	}
	t.Cleanup(s.stop)
	return s
}

// get reads one document of the API.
func (s *service) get(path string, into any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.addr.HTTP+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d, %v", path, resp.StatusCode, err)
	}
}

// until asks again until a hall is as wanted.
func (s *service) until(what string, wanted func(api.HallDetail) bool) api.HallDetail {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var d api.HallDetail
		s.get("/api/v1/halls/"+string(hall), &d)
		if wanted(d) {
			return d
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("never %s: %+v", what, d)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// box is a hall's edge box as the cloud sees it.
type box struct {
	t      *testing.T
	client paho.Client
	down   chan paho.Message
}

func (s *service) box() *box {
	s.t.Helper()
	b := &box{t: s.t, down: make(chan paho.Message, 64)}
	b.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://"+s.addr.MQTT).SetProtocolVersion(4).SetAutoReconnect(false).
		SetClientID(string(hall)).SetUsername(string(hall)).SetPassword(password).SetKeepAlive(30*time.Second).
		SetWill(hallsync.Topic(hall, hallsync.UpState), `{"hall":"440900000000001","boot":"b1","online":false}`, 1, true))
	b.finish(b.client.Connect())
	b.finish(b.client.Subscribe(hallsync.Topic(hall, "down/#"), 1, func(_ paho.Client, m paho.Message) { b.down <- m }))
	s.t.Cleanup(func() { b.client.Disconnect(0) })
	return b
}

func (b *box) finish(tok paho.Token) {
	b.t.Helper()
	if !tok.WaitTimeout(patience) {
		b.t.Fatal("no answer from the broker")
	}
	if err := tok.Error(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) publish(leaf string, v any) {
	b.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		b.t.Fatal(err)
	}
	b.finish(b.client.Publish(hallsync.Topic(hall, leaf), 1, leaf == hallsync.UpState, raw))
}

// next waits for a message under down/.
func (b *box) next(leaf string, into any) {
	b.t.Helper()
	for {
		select {
		case m := <-b.down:
			if m.Topic() != hallsync.Topic(hall, leaf) {
				continue
			}
			if err := json.Unmarshal(m.Payload(), into); err != nil {
				b.t.Fatal(err)
			}
			return
		case <-time.After(patience):
			b.t.Fatalf("nothing on %s", leaf)
		}
	}
}

func (b *box) hello(next hallsync.Seq) hallsync.Ack {
	b.t.Helper()
	return b.helloAs("b1", next)
}

// helloAs is the hello of an agent whose start has another name.
func (b *box) helloAs(boot string, next hallsync.Seq) hallsync.Ack {
	b.t.Helper()
	b.publish(hallsync.UpHello, hallsync.Hello{Hall: hall, Epoch: "e1", First: 1, Next: next, Boot: boot, ClockMS: time.Now().UnixMilli()})
	var ack hallsync.Ack
	b.next(hallsync.DownAcks, &ack)
	return ack
}

func (b *box) facts(from hallsync.Seq, payloads ...hallsync.Payload) hallsync.Ack {
	b.t.Helper()
	var batch hallsync.Batch
	for i, p := range payloads {
		e, err := hallsync.NewEvent(hall, "e1", from+hallsync.Seq(i), time.Now(), p)
		if err != nil {
			b.t.Fatal(err)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			b.t.Fatal(err)
		}
		batch.Events = append(batch.Events, raw)
	}
	b.publish(hallsync.UpEvents, batch)
	var ack hallsync.Ack
	b.next(hallsync.DownAcks, &ack)
	return ack
}

func taken(n int) hallsync.TicketTaken {
	return hallsync.TicketTaken{
		Ticket: hallsync.TicketID(fmt.Sprintf("T%d", n)), Number: fmt.Sprintf("A%03d", n), BusinessDay: "2026-11-23", Queue: "A",
		Class: hallsync.Normal, Channel: hallsync.AtKiosk, Proof: hallsync.ProofNone,
	}
}

func TestAHallReportsItsDay(t *testing.T) {
	database := filepath.Join(t.TempDir(), "cloud.db")
	s := start(t, database)
	s.until("never heard", func(d api.HallDetail) bool { return d.State == api.HallNever })
	b := s.box()
	if ack := b.hello(1); ack.UpTo != 0 || ack.EpochStale {
		t.Fatalf("first hello: %+v", ack)
	}
	var clock hallsync.TimeReply
	b.next(hallsync.DownTime, &clock)
	if clock.AskedMS == 0 || clock.ServerMS == 0 {
		t.Errorf("time %+v", clock)
	}
	b.publish(hallsync.UpState, hallsync.Report{Hall: hall, Boot: "b1", Online: true, At: time.Now(), Version: "9", Log: hallsync.LogStatus{Epoch: "e1", Last: 4}})
	if ack := b.facts(1, hallsync.DayOpened{BusinessDay: "2026-11-23"}, taken(1), taken(2)); ack.UpTo != 3 {
		t.Fatalf("ack %+v", ack)
	}
	by := hallsync.By{Kind: "staff", Staff: "s1"}
	if ack := b.facts(4, hallsync.WindowWasOpened{Window: "1", By: by}, hallsync.TicketCalled{Ticket: "T1", Number: "A001", Queue: "A", Window: "1", How: "next", By: by}); ack.UpTo != 5 {
		t.Fatalf("ack %+v", ack)
	}
	d := s.until("called", func(d api.HallDetail) bool { return d.Serving == 1 && d.WindowsOpen == 1 })
	if d.State != api.HallOnline || d.Version != "9" || d.Waiting != 1 || d.TakenToday != 2 || len(d.Calls) != 1 || d.Log.Stored != 5 {
		t.Errorf("%+v", d)
	}

	// The cloud goes away and comes back: nothing is lost, and the hall is told where it was.
	s.stop()
	s = start(t, database)
	d = s.until("offline after the restart", func(d api.HallDetail) bool { return d.State == api.HallOffline })
	if d.SeenAt == nil || d.Version != "9" || d.Waiting != 1 {
		t.Errorf("after the restart %+v", d)
	}
	b = s.box()
	if ack := b.hello(6); ack.UpTo != 5 {
		t.Fatalf("hello after the restart: %+v", ack)
	}
	if ack := b.facts(4, taken(9)); !ack.EpochStale {
		t.Fatalf("another fact under a stored number: %+v", ack)
	}
	s.until("stale", func(d api.HallDetail) bool { return d.Log.Stale && d.Severity == "error" })
	b.client.Disconnect(50)
	s.until("offline", func(d api.HallDetail) bool { return d.State == api.HallOffline })
}

// ffmpeg plays the hall's relay: it publishes a camera, which then shows as live, and can be read with an API token, which is
// written to the audit.
func TestAPublishedCameraIsShown(t *testing.T) {
	database := filepath.Join(t.TempDir(), "cloud.db")
	s := start(t, database)
	camera := func() api.Camera {
		var page api.Page[api.Camera]
		s.get("/api/v1/cameras", &page)
		return page.Items[0]
	}
	if c := camera(); c.Live || c.Whep != "/whep/440900000000001-CM001" {
		t.Fatalf("before: %+v", c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	push := exec.CommandContext(ctx, "ffmpeg", "-v", "quiet", "-re", "-f", "h264", "-stream_loop", "-1", "-i", "../test/fakes/clip/clip.h264",
		"-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", "rtsp://440900000000001:publish-me@"+s.addr.RTSP+"/440900000000001-CM001")
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	s.until("live", func(d api.HallDetail) bool { return d.CamerasLive == 1 && d.CameraList[0].Live })
	read := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-rtsp_transport", "tcp",
		"-i", "rtsp://test:"+token+"@"+s.addr.RTSP+"/440900000000001-CM001", "-frames:v", "3", "-c", "copy", "-f", "null", "-")
	if out, err := read.CombinedOutput(); err != nil {
		t.Errorf("reading with a token: %v\n%s", err, out)
	}
	cancel()
	_ = push.Wait()
	s.until("no longer live", func(d api.HallDetail) bool { return d.CamerasLive == 0 })
	resp, err := http.Post("http://"+s.addr.HTTP+camera().Whep, "application/sdp", strings.NewReader("v=0"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger's offer: %d", resp.StatusCode)
	}
	s.stop()
	st, err := store.Open(t.Context(), database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	lines, _, err := st.Audits(t.Context(), store.AuditQuery{Limit: 10})
	if err != nil || len(lines) != 1 {
		t.Fatalf("audit %+v, %v", lines, err)
	}
	if l := lines[0]; l.Actor != "test" || l.By != "token" || l.Action != "watch" || l.Subject != "440900000000001-CM001" || l.Result != "ok" || l.Remote != "127.0.0.1" {
		t.Errorf("audit %+v", l)
	}
}

func TestMessagesThatCannotBeTakenDoNotStopAHall(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "cloud.db"))
	b := s.box()
	for _, leaf := range []string{hallsync.UpEvents, hallsync.UpHello, hallsync.UpState, hallsync.UpResults} {
		for _, body := range []string{``, `{`, `null`, `[1]`, `{"events":[{}]}`, `{"hall":"440900000000002"}`, strings.Repeat("x", 5000)} {
			b.finish(b.client.Publish(hallsync.Topic(hall, leaf), 1, false, body))
		}
	}
	b.publish(hallsync.UpResults, hallsync.Result{ID: "0192", State: "done"})
	if ack := b.facts(1, taken(1)); ack.UpTo != 1 {
		t.Fatalf("ack %+v", ack)
	}
}

func TestNewGivesBackWhatItTookWhenItFails(t *testing.T) {
	database := filepath.Join(t.TempDir(), "cloud.db")
	s := start(t, database)
	s.stop()
	bad := config.Config{
		HTTP: config.HTTP{Listen: "256.0.0.1:0"}, MQTT: config.MQTT{Listen: "127.0.0.1:0"}, Database: database, Zone: "Asia/Shanghai",
		Media: config.Media{RTSP: "127.0.0.1:0", WebRTC: "127.0.0.1:0"},
	}
	if _, err := cloud.New(cloud.Options{Config: bad, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Fatal("made with an address that cannot be")
	}
	start(t, database) // the database is free again
}

func TestConsoleAndHealthAreServed(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "cloud.db"))
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.addr.HTTP+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
