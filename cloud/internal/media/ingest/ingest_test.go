package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtp"

	"halledge/cloud/internal/media/fanout"
	"halledge/test/await"
	"halledge/test/fakes/clip"
)

const (
	hall     = "440900000000001"
	other    = "440900000000002"
	cam      = hall + "-CM001"
	foreign  = other + "-CM001"
	password = "kdf8-publish"
)

// register is a registry of two halls with a camera each; the reader may read the first one's.
type register struct{}

func (register) Publisher(h string) (string, bool) {
	return password, h == hall || h == other
}

func (register) Hall(camera string) (string, bool) {
	h, ok := map[string]string{cam: hall, foreign: other}[camera]
	return h, ok
}

func (register) Reader(user string) (string, bool) { return "token-1", user == "platform" }

func (register) Sees(_, camera string) bool { return camera == cam }

type demand struct {
	mu      sync.Mutex
	log     []string
	watched []string
}

func (d *demand) note(camera, user, remote string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	host, _, _ := strings.Cut(remote, ":")
	d.watched = append(d.watched, user+" "+camera+" "+host)
}

func (d *demand) noted() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.watched, ", ")
}

func (d *demand) tell(camera string, wanted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, fmt.Sprint(camera, " ", wanted))
}

func (d *demand) told() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.log, ", ")
}

// serve runs a server until the end of the test, and checks that it leaves nothing behind.
func serve(t *testing.T, secured ...net.Listener) (*Server, *fanout.Hub, *demand) {
	t.Helper()
	before := runtime.NumGoroutine()
	d := &demand{}
	hub := fanout.NewHub(d.tell, func(string) {})
	s, err := Listen("127.0.0.1:0", secured, register{}, hub, d.note, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run did not return")
		}
		await.That(t, "the goroutines of the server are gone", func() bool { return runtime.NumGoroutine() <= before })
		if n := s.ln.conns.Load(); n != 0 {
			t.Errorf("%d connections are still counted", n)
		}
		if n := s.ln.strangers.Load(); n != 0 {
			t.Errorf("%d strangers are still counted", n)
		}
	})
	return s, hub, d
}

func (s *Server) url(login, camera string) string {
	return "rtsp://" + login + "@" + s.Addr().String() + "/" + camera
}

// publisher is a hall that sends the clip, quickly.
type publisher struct {
	client *gortsplib.Client
	stop   chan struct{}
	sent   sync.WaitGroup
}

func publish(t *testing.T, url string) (*publisher, error) {
	t.Helper()
	return publishBy(t, url, nil)
}

// publishBy publishes over connections that dial makes; nil: plain ones.
func publishBy(t *testing.T, url string, dial func(context.Context, string, string) (net.Conn, error)) (*publisher, error) {
	t.Helper()
	film, err := clip.Load()
	if err != nil {
		t.Fatal(err)
	}
	f := &format.H264{PayloadTyp: 96, PacketizationMode: 1, SPS: film.SPS, PPS: film.PPS}
	m := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{f}}
	tcp := gortsplib.TransportTCP
	c := &gortsplib.Client{Transport: &tcp, DialContext: dial}
	if err := c.StartRecording(url, &description.Session{Medias: []*description.Media{m}}); err != nil {
		return nil, err
	}
	p := &publisher{client: c, stop: make(chan struct{})}
	enc := &rtph264.Encoder{PayloadType: 96, PacketizationMode: 1}
	if err := enc.Init(); err != nil {
		t.Fatal(err)
	}
	p.sent.Go(func() {
		tick := time.NewTicker(time.Second / 60)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-p.stop:
				return
			case <-tick.C:
			}
			packets, err := enc.Encode(film.Frames[i%len(film.Frames)].NALUs)
			if err != nil {
				return
			}
			for _, packet := range packets {
				packet.Timestamp = uint32(i * clip.ClockRate / clip.FPS)
				if c.WritePacketRTP(m, packet) != nil {
					return
				}
			}
		}
	})
	return p, nil
}

func (p *publisher) close() {
	close(p.stop)
	p.sent.Wait()
	p.client.Close()
}

func mustPublish(t *testing.T, url string) *publisher {
	t.Helper()
	p, err := publish(t, url)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func probe(url string) (string, error) {
	out, err := exec.Command("ffprobe", "-v", "error", "-analyzeduration", "1000000", "-show_entries", "stream=codec_name,width,height",
		"-of", "csv=p=0", url).Output()
	return strings.TrimSpace(string(out)), err
}

func TestServer_ffprobeReadsWhatAHallPublishes(t *testing.T) {
	s, hub, d := serve(t)
	p := mustPublish(t, s.url(hall+":"+password, cam))
	defer p.close()
	if got, err := probe(s.url("platform:token-1", cam)); err != nil || got != "h264,640,360" {
		t.Errorf("ffprobe: %q, %v", got, err)
	}
	if got := d.noted(); got != "platform "+cam+" 127.0.0.1" {
		t.Errorf("noted as watching: %q", got)
	}
	await.That(t, "nobody wants it any more", func() bool { return d.told() == cam+" true, "+cam+" false" })
	await.That(t, "the reader is counted out", func() bool { return hub.Cameras()[0].Viewers == 0 })
}

func TestServer_ffmpegPublishes(t *testing.T) {
	s, hub, _ := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-re", "-f", "h264", "-stream_loop", "-1", "-i", "../../../../test/fakes/clip/clip.h264",
		"-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", s.url(hall+":"+password, cam))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await.That(t, "pictures arrive", func() bool { c := hub.Cameras(); return len(c) == 1 && c[0].Frames > 20 })
	if c := hub.Cameras()[0]; c.Codec != fanout.H264 || c.Width != 640 || c.Lost != 0 || c.GOPFrames == 0 {
		t.Errorf("camera %+v", c)
	}
	cancel()
	said, _ := io.ReadAll(stderr)
	_ = cmd.Wait() // it was killed
	await.That(t, "the camera is offline", func() bool { return !hub.Cameras()[0].Live })
	if len(said) > 0 {
		t.Logf("ffmpeg said: %s", said)
	}
}

func TestServer_refusesPublishers(t *testing.T) {
	s, hub, _ := serve(t)
	for name, tt := range map[string]struct {
		login, camera string
		want          base.StatusCode
	}{
		"no login":          {"", cam, base.StatusUnauthorized},
		"wrong password":    {hall + ":wrong", cam, base.StatusUnauthorized},
		"unknown hall":      {"440900000000099:" + password, cam, base.StatusUnauthorized},
		"reader":            {"platform:token-1", cam, base.StatusUnauthorized},
		"another's camera":  {hall + ":" + password, foreign, base.StatusForbidden},
		"unknown camera":    {hall + ":" + password, hall + "-CM099", base.StatusForbidden},
		"path in a path":    {hall + ":" + password, cam + "/x", base.StatusForbidden},
		"no path":           {hall + ":" + password, "", base.StatusForbidden},
		"another hall's id": {other + ":" + password, cam, base.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			url := s.url(tt.login, tt.camera)
			if tt.login == "" {
				url = "rtsp://" + s.Addr().String() + "/" + tt.camera
			}
			p, err := publish(t, url)
			if err == nil {
				p.close()
				t.Fatal("accepted")
			}
			var status liberrors.ErrClientBadStatusCode
			if !errors.As(err, &status) || status.Code != tt.want {
				t.Errorf("%v, want status %d", err, tt.want)
			}
		})
	}
	if n := len(hub.Cameras()); n != 0 {
		t.Errorf("%d cameras are known after refusals only", n)
	}
}

func TestServer_onePublisherPerCamera(t *testing.T) {
	s, _, _ := serve(t)
	url := s.url(hall+":"+password, cam)
	first := mustPublish(t, url)
	_, err := publish(t, url)
	var status liberrors.ErrClientBadStatusCode
	if !errors.As(err, &status) || status.Code != base.StatusMethodNotValidInThisState {
		t.Errorf("a second publisher: %v", err)
	}
	first.close()
	var second *publisher
	await.That(t, "the place is free", func() bool {
		second, err = publish(t, url)
		return err == nil
	})
	second.close()
}

// A publisher whose line died without a word is replaced after two seconds, and its readers are let go.
func TestServer_silentPublisherIsReplaced(t *testing.T) {
	s, hub, _ := serve(t)
	url := s.url(hall+":"+password, cam)
	first := mustPublish(t, url)
	close(first.stop)
	first.sent.Wait()
	var second *publisher
	var err error
	await.That(t, "the second one is let in", func() bool {
		second, err = publish(t, url)
		return err == nil
	})
	defer second.close()
	if err := first.client.Wait(); err == nil {
		t.Error("the first one does not know that it was replaced")
	}
	await.That(t, "pictures arrive", func() bool { c := hub.Cameras()[0]; return c.Live && c.Frames > 5 })
}

func TestServer_refusesReaders(t *testing.T) {
	s, _, d := serve(t)
	t.Cleanup(func() {
		if got := d.noted(); got != "" {
			t.Errorf("noted as watching: %q", got)
		}
	})
	mine, theirs := mustPublish(t, s.url(hall+":"+password, cam)), mustPublish(t, s.url(other+":"+password, foreign))
	defer mine.close()
	defer theirs.close()
	for name, url := range map[string]string{
		"no login":         "rtsp://" + s.Addr().String() + "/" + cam,
		"wrong password":   s.url("platform:token-2", cam),
		"hall's own login": s.url(hall+":"+password, cam),
		"another camera":   s.url("platform:token-1", foreign),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := base.ParseURL(url)
			if err != nil {
				t.Fatal(err)
			}
			c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host}
			if err := c.Start2(); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _, err = c.Describe(u)
			var status liberrors.ErrClientBadStatusCode
			want := base.StatusUnauthorized
			if name == "another camera" {
				want = base.StatusNotFound // as if it were not there
			}
			if !errors.As(err, &status) || status.Code != want {
				t.Errorf("%v, want %d", err, want)
			}
		})
	}
}

// A camera that is relayed on demand comes when a reader asks for it.
func TestServer_readerWaitsForACameraOnDemand(t *testing.T) {
	s, _, d := serve(t)
	u, err := base.ParseURL(s.url("platform:token-1", cam))
	if err != nil {
		t.Fatal(err)
	}
	tcp := gortsplib.TransportTCP
	c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Transport: &tcp}
	if err := c.Start2(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	type answer struct {
		desc *description.Session
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		desc, _, err := c.Describe(u)
		answers <- answer{desc, err}
	}()
	await.That(t, "the camera is asked for", func() bool { return d.told() == cam+" true" })
	p := mustPublish(t, s.url(hall+":"+password, cam))
	defer p.close()
	a := <-answers
	if a.err != nil {
		t.Fatal(a.err)
	}
	if err := c.SetupAll(a.desc.BaseURL, a.desc.Medias); err != nil {
		t.Fatal(err)
	}
	var got atomic.Int32
	c.OnPacketRTPAny(func(*description.Media, format.Format, *rtp.Packet) { got.Add(1) })
	if _, err := c.Play(nil); err != nil {
		t.Fatal(err)
	}
	await.That(t, "pictures come", func() bool { return got.Load() > 20 })
	if d.told() != cam+" true" {
		t.Errorf("demand %q while the reader is there", d.told())
	}
}

// Nothing a stranger sends ends the server or stays open for ever.
func TestServer_oddRequests(t *testing.T) {
	s, _, _ := serve(t)
	announce := func(sdp string) string {
		return fmt.Sprintf("ANNOUNCE rtsp://x/%s RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", cam, len(sdp), sdp)
	}
	for name, request := range map[string]string{
		"noise":           "\x00\xff\x16\x03\x01 GET / HTTP/1.1\r\n\r\n",
		"no CSeq":         "DESCRIBE rtsp://x/y RTSP/1.0\r\n\r\n",
		"frame first":     "$\x00\x00\x04abcd",
		"huge header":     "OPTIONS rtsp://x/y RTSP/1.0\r\nCSeq: 1\r\nX: " + strings.Repeat("a", 1<<16) + "\r\n\r\n",
		"huge body":       "ANNOUNCE rtsp://x/y RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 99999999\r\n\r\n",
		"empty SDP":       announce(""),
		"SDP of nothing":  announce("v=0\r\n"),
		"SDP, odd H264":   announce("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 sprop-parameter-sets=AA==,;packetization-mode=9\r\n"),
		"SDP, sound only": announce("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n"),
		"PLAY at once":    "PLAY rtsp://x/y RTSP/1.0\r\nCSeq: 1\r\nSession: 1\r\n\r\n",
		"RECORD at once":  "RECORD rtsp://x/y RTSP/1.0\r\nCSeq: 1\r\nSession: 1\r\n\r\n",
		"SETUP of UDP":    "SETUP rtsp://x/" + cam + "/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=1-2\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			_ = c.(*net.TCPConn).CloseWrite()
			if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(c)
			if err != nil && errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(answer), "RTSP/1.0 200") {
				t.Errorf("answered %q", answer)
			}
		})
	}
	p := mustPublish(t, s.url(hall+":"+password, cam))
	p.close()
}

func TestListener_strangersAreLimited(t *testing.T) {
	s, _, _ := serve(t)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range maxStrangers {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	await.That(t, "the places are taken", func() bool { return s.ln.strangers.Load() == maxStrangers })
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("one too many: %v, want to be closed", err)
	}
}
