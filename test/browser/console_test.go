package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
	"halledge/test/fakes/clip"
)

// Operators have large screens.
const deskWidth, deskHeight = 1920, 1080

// hallName is what the demo's hall is called.
const hallName = "茂名市政务服务大厅（演示）"

// centreTicket is a ticket as the centre lists it.
type centreTicket struct {
	ID, Number, State, Proof, Window, Grade string
}

// inCentre waits until the centre knows a ticket as it should be.
func (s *site) inCentre(t *testing.T, number string, want func(centreTicket) bool) {
	t.Helper()
	demo.Until(t, demo.Patience, "ticket "+number+" in the centre", func() error {
		var page struct{ Items []centreTicket }
		s.GetCloud(t, "/api/v1/tickets?hall="+s.Agent.Hall+"&number="+number).Into(t, &page)
		if len(page.Items) != 1 || !want(page.Items[0]) {
			return fmt.Errorf("the centre has %+v", page.Items)
		}
		return nil
	})
}

// signIn opens a page of the console, as its administrator.
func (s *site) signIn(t *testing.T, path string) *chrome.Page {
	t.Helper()
	p := s.browser.Open(t, deskWidth, deskHeight, s.Info.Cloud.URL+path)
	p.SeesAny("退出", "请使用运行中心分配的账号")
	if strings.Contains(p.Address(), "/sign-in") {
		p.Fill("账号", s.Info.Cloud.Admin.User)
		p.Fill("密码", s.Info.Cloud.Admin.Password)
		p.Press(chrome.Enter)
	}
	p.Has("button", "退出")
	return p
}

func (s *site) console(t *testing.T) {
	t.Run("refuses a wrong password", func(t *testing.T) {
		p := s.browser.Open(t, deskWidth, deskHeight, s.Info.Cloud.URL)
		p.Allow("401 (Unauthorized)") // asked whether somebody is signed in, and the refusal
		p.Has("heading", "登录")
		s.shot(t, p, "console-sign-in")
		p.Fill("账号", s.Info.Cloud.Admin.User)
		p.Fill("密码", "not the password")
		p.Click("button", "登录")
		p.Sees("用户名或密码不对。", "连续输错 5 次会锁定")
		s.shot(t, p, "console-sign-in-refused")
	})
	t.Run("shows the hall as it is now", s.hallLive)
	t.Run("keeps the session until sign-out", s.consoleSession)
}

func (s *site) hallLive(t *testing.T) {
	p := s.signIn(t, "/")
	p.Allow("401 (Unauthorized)") // asked whether somebody is signed in
	p.Has("heading", "大厅")
	p.Sees(hallName, s.Agent.Hall, "茂名市", "市县级大厅", "在线", "实时更新")
	s.shot(t, p, "console-halls")
	p.Resize(1366, 768)
	p.Sees(hallName)
	s.shot(t, p, "console-halls-1366")
	p.Resize(deskWidth, deskHeight)
	p.Click("link", hallName)
	p.Has("heading", hallName)
	p.Sees("1号窗口", "2号窗口", "综合受理", "社保医保", "kiosk-1.printer", "茂名市-市政务服务大厅-入口01")
	taken := s.Take(t, "A")
	s.Verb(t, "2", "open", nil)
	s.Verb(t, "2", "call", map[string]any{"ticket": taken.ID, "reason": "appointment"})
	p.Sees(taken.Number, "已叫号") // nobody reloaded the page
	s.Verb(t, "2", "start", nil)
	p.Sees("办理中")
	s.shot(t, p, "console-hall")
	p.Click("link", "号票")
	p.Has("table", "号票列表")
	p.Sees(taken.Number)
	s.shot(t, p, "console-tickets")
	s.Verb(t, "2", "finish", nil)
	s.Verb(t, "2", "close", nil)
	s.inCentre(t, taken.Number, func(c centreTicket) bool { return c.State == "done" })
	row := chrome.Of[string](p, "cell", taken.Number, `function () { return this.closest('tr').innerText; }`)
	if !strings.Contains(row, "综合受理") {
		t.Errorf("the line of the ticket says %q", row)
	}
}

func (s *site) consoleSession(t *testing.T) {
	p := s.signIn(t, "/halls")
	p.Reload()
	p.Sees("演示管理员", hallName)
	other := s.browser.Open(t, deskWidth, deskHeight, s.Info.Cloud.URL+"/halls/"+s.Agent.Hall)
	other.Sees("演示管理员", "kiosk-1.printer") // the same session in another tab
	p.Click("button", "退出")
	p.Has("heading", "登录")
	p.Allow("401 (Unauthorized)")
	other.Allow("401 (Unauthorized)")
	p.Go(s.Info.Cloud.URL + "/cameras")
	p.Has("heading", "登录")
	p.Misses("入口01")
}

func (s *site) cameras(t *testing.T) {
	t.Run("play in the browser", s.playCamera)
	t.Run("play as they are written", s.probeCamera)
}

// frames says how many pictures a <video> has shown.
const frames = `function () { return this.getVideoPlaybackQuality().totalVideoFrames; }`

func (s *site) playCamera(t *testing.T) {
	p := s.signIn(t, "/cameras")
	p.Allow("401 (Unauthorized)")
	name := "茂名市-市政务服务大厅-入口01"
	p.Sees(name, s.Cameras[0].Code, "传输中")
	s.shot(t, p, "console-cameras")
	begun := time.Now()
	p.Click("link", "播放 "+name)
	p.Has("Video", name)
	demo.Until(t, demo.Patience, "the first picture", func() error {
		if chrome.Of[int](p, "Video", name, frames) == 0 {
			return fmt.Errorf("no picture yet: %s", p.Text())
		}
		return nil
	})
	t.Logf("first picture %d ms after the click", time.Since(begun).Milliseconds())
	p.Sees("播放中")
	first := chrome.Of[int](p, "Video", name, frames)
	demo.Until(t, demo.Patience, "pictures that go on", func() error {
		if now := chrome.Of[int](p, "Video", name, frames); now < first+2*clip.FPS {
			return fmt.Errorf("%d pictures, then %d", first, now)
		}
		return nil
	})
	p.Sees(fmt.Sprintf("%d×%d H264", clip.Width, clip.Height), "演示管理员") // the watermark names who looks
	if seconds := chrome.Of[float64](p, "Video", name, `function () { return this.currentTime; }`); seconds <= 0 {
		t.Errorf("the picture stands at %.1f s", seconds)
	}
	p.Sees("正在观看1 人")
	s.shot(t, p, "console-player")
	p.Click("link", "大厅") // leaves the page
	demo.Until(t, demo.Patience, "the viewer is gone", func() error {
		var page struct{ Items []struct{ Viewers int } }
		s.GetCloud(t, "/api/v1/cameras?q="+s.Cameras[0].Code).Into(t, &page)
		if len(page.Items) != 1 || page.Items[0].Viewers != 0 {
			return fmt.Errorf("%+v", page.Items)
		}
		return nil
	})
}

// probeCamera reads the relayed stream with ffprobe, exactly as demo.json writes it.
func (s *site) probeCamera(t *testing.T) {
	program, err := exec.LookPath("ffprobe")
	if err != nil {
		t.Fatalf("this test needs ffprobe: apt-get install -y --no-install-recommends ffmpeg (%v)", err)
	}
	for _, camera := range s.Cameras {
		ctx, cancel := context.WithTimeout(context.Background(), demo.Patience)
		out, err := exec.CommandContext(ctx, program, "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "json",
			camera.Relayed).Output()
		cancel()
		if err != nil {
			t.Fatalf("ffprobe of %s: %v", camera.Code, err)
		}
		var found struct {
			Streams []struct {
				Codec         string `json:"codec_name"`
				Width, Height int
			}
		}
		if err := json.Unmarshal(out, &found); err != nil {
			t.Fatal(err)
		}
		if len(found.Streams) != 1 || found.Streams[0].Codec != "h264" || found.Streams[0].Width != clip.Width || found.Streams[0].Height != clip.Height {
			t.Errorf("%s is relayed as %s", camera.Code, out)
		}
	}
}
