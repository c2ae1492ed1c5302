package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
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
	ID, Number, Class, State, Proof, Window, Grade string
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
	s.Sim(t, "unplug", "kiosk-1.scanner")
	t.Cleanup(func() { s.Sim(t, "plug", "kiosk-1.scanner") })
	p.Sees("故障", "设备没有连上 kiosk-1.scanner") // named in the list, before anybody opens the hall
	s.shot(t, p, "console-halls-finding")
	s.Sim(t, "plug", "kiosk-1.scanner")
	p.Misses("没有连上")
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
	other.Allow("401 (Unauthorized)")
	p.Click("button", "退出")
	p.Has("heading", "登录")
	p.Misses("已在另一个页面退出登录")
	other.Has("heading", "登录") // by itself, and it says why
	other.Sees("您已在另一个页面退出登录。")
	other.Misses("kiosk-1.printer")
	s.shot(t, other, "console-signed-out")
	p.Allow("401 (Unauthorized)")
	p.Go(s.Info.Cloud.URL + "/cameras")
	p.Has("heading", "登录")
	p.Misses("入口01", "已在另一个页面退出登录")
}

func (s *site) audit(t *testing.T) {
	const typed = "My-Passw0rd!" // into the wrong field
	answer, err := s.Do(s.Info.Cloud.URL, "", "POST", "/api/v1/session", map[string]string{"user": typed, "password": "x"}, nil)
	if err != nil || answer.Status != 401 {
		t.Fatalf("%d, %v", answer.Status, err)
	}
	p := s.signIn(t, "/halls")
	p.Allow("401 (Unauthorized)")
	p.Click("link", "审计")
	p.Has("heading", "审计")
	p.Has("table", "审计记录")
	p.Sees("演示管理员", s.Info.Cloud.Admin.User, "登录", "退出", "成功", "账号或密码不对", "127.0.0.1", "查看视频", s.Cameras[0].Code, "未知账号", "接口")
	p.Misses(typed)
	s.shot(t, p, "console-audit")
	p.Resize(1366, 768)
	s.shot(t, p, "console-audit-1366")
	p.Resize(deskWidth, deskHeight)
	p.Click("combobox", "开始日期")
	p.Sees("最近 7 天")
	demo.Until(t, demo.Patience, "the calendar is open", func() error {
		if n := chrome.Eval[int](p, "document.getAnimations().length"); n != 0 {
			return fmt.Errorf("%d things move", n)
		}
		return nil
	})
	s.shot(t, p, "console-audit-period")
	p.Click("button", "今天")
	p.Sees("演示管理员")
	p.Fill("账号、接口名称或代号", "nobody")
	p.Sees("没有符合条件的记录。")
	p.Go(s.Info.Cloud.URL + "/audit?action=watch")
	p.Sees("查看视频", "演示管理员")
	p.Misses("未知账号")
}

// cloudCommand runs hall-cloud beside the service, with a line to read.
func (s *site) cloudCommand(t *testing.T, line string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), demo.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "hall-cloud"), append(args, "--config", s.Info.Cloud.Config)...)
	cmd.Stdin = strings.NewReader(line)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("hall-cloud %v: %v\n%s", args, err, out)
	}
}

func (s *site) noAudit(t *testing.T) {
	const user, password = "duty", "a word for the night"
	s.cloudCommand(t, password+"\n", "user", "add", user, "--full-name", "值班员")
	p := s.signIn(t, "/halls")
	p.Allow("401 (Unauthorized)")
	p.Click("button", "退出")
	p.Has("heading", "登录")
	p.Fill("账号", user)
	p.Fill("密码", password)
	p.Press(chrome.Enter)
	p.Sees("值班员", "请先改成自己的密码")
	p.Fill("现在的密码", password)
	p.Fill("新密码", "a word for every night")
	p.Fill("再输一遍新密码", "a word for every night")
	p.Click("button", "修改密码")
	p.Sees("值班员", hallName)
	p.Lacks("link", "审计")
	p.Go(s.Info.Cloud.URL + "/audit")
	p.Sees("不能看这个页面")
	s.shot(t, p, "console-audit-refused")
	s.cloudCommand(t, "", "user", "disable", user)
	p.Has("heading", "登录") // the page is not touched
	p.Sees("登录已失效", "账号被停用")
	s.shot(t, p, "console-session-ended")
}

func (s *site) cameras(t *testing.T) {
	t.Run("play in the browser", s.playCamera)
	t.Run("play as they are written", s.probeCamera)
	t.Run("leave a trail in the audit", s.audit)
	t.Run("leave a trail that others do not see", s.noAudit)
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
	s.unwatched(t)
	p.Click("link", "摄像头")
	p.Click("link", "播放 "+name)
	p.Sees("播放中")
	other := s.signIn(t, "/halls")
	other.Click("button", "退出")
	p.Has("heading", "登录") // pictures end with the session, and the page says why
	p.Sees("您已在另一个页面退出登录。")
	p.Allow("404 (Not Found)") // both ended the viewing
	s.unwatched(t)
}

// unwatched waits until nobody looks at the first camera.
func (s *site) unwatched(t *testing.T) {
	t.Helper()
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
