package browser_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// TestNoticesOfTheCentre follows notices from the centre to the screen, with an enrolled box over TLS.
func TestNoticesOfTheCentre(t *testing.T) {
	s := begin(t, "DEMO_KEEP=0")
	p := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	p.Sees("一窗通办", "咨询电话 12345") // what a fresh demo begins with
	s.shot(t, p, "screen-notice-demo")
	s.turned(t, p, "screen-notice-demo-upright")
	desk := s.signIn(t, "/notices")
	desk.Allow("401 (Unauthorized)") // asked whether somebody is signed in
	desk.Sees("一窗通办", "1 块屏", "正在显示")
	s.shot(t, desk, "console-notices")
	t.Run("a higher version replaces it", func(t *testing.T) { s.noticeReplaced(t, p, desk) })
	t.Run("published in the browser", func(t *testing.T) { s.noticePublished(t, p, desk) })
	t.Run("for screens that there are not", func(t *testing.T) { s.noticeWithoutScreens(t, desk) })
	t.Run("changed on the disk", func(t *testing.T) { s.noticeTampered(t, p, desk) })
	t.Run("brought by hand", func(t *testing.T) { s.noticeByHand(t, p, desk) })
	t.Run("withdrawn", func(t *testing.T) { s.noticeWithdrawn(t, p) })
	t.Run("its time is over", func(t *testing.T) { s.noticeExpires(t, p) })
}

// publishFile publishes a text as an operator does at the centre's machine.
func (s *site) publishFile(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "公告.txt")
	fatal(t, os.WriteFile(file, []byte(text), 0o600))
	s.centre(t, "notice", "publish", "--hall", s.Agent.Hall, "--until", time.Now().AddDate(0, 0, 7).Format(time.DateOnly), file)
}

// centre runs a command of the centre.
func (s *site) centre(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.Run("hall-cloud", append(args, "--config", s.Info.Cloud.Config)...)
	if err != nil {
		t.Fatalf("hall-cloud %v: %v: %s", args, err, out)
	}
	return out
}

// noticeNow is how the centre lists what a group of screens was given.
type noticeNow struct {
	Group, Heading, State string
	Version               int64
	Shows                 *int64
}

// listed waits until the centre lists a state of a group.
func (s *site) listed(t *testing.T, group, state string) (n noticeNow) {
	t.Helper()
	demo.Until(t, demo.Patience, group+" "+state, func() error {
		var page struct{ Items []noticeNow }
		s.GetCloud(t, "/api/v1/notices?group="+group).Into(t, &page)
		if len(page.Items) != 1 || page.Items[0].State != state {
			return fmt.Errorf("the centre lists %+v", page.Items)
		}
		n = page.Items[0]
		return nil
	})
	return n
}

func (s *site) noticeReplaced(t *testing.T, p, desk *chrome.Page) {
	first := s.listed(t, "hall", "showing")
	s.publishFile(t, "停电检修通知\n10 月 15 日（星期四）8:00 至 12:00 停电检修，上午暂停办理，下午照常。")
	p.Sees("停电检修通知", "8:00 至 12:00")
	p.Misses("一窗通办")
	desk.Sees("停电检修通知", "正在显示")
	if now := s.listed(t, "hall", "showing"); now.Version <= first.Version || now.Shows == nil || *now.Shows != now.Version {
		t.Errorf("%+v after %+v", now, first)
	}
}

// choosePoster puts a picture into the field for files, as who chooses one does.
const choosePoster = `new Promise((done) => {
	const c = document.createElement('canvas'), g = c.getContext('2d');
	c.width = 1280; c.height = 720;
	g.fillStyle = '#8c1c13'; g.fillRect(0, 0, 1280, 720);
	g.fillStyle = '#ffe9a8'; g.textAlign = 'center'; g.font = '700 96px sans-serif'; g.fillText('国庆放假安排', 640, 330);
	g.font = '48px sans-serif'; g.fillText('10 月 1 日至 7 日放假，8 日起照常办理', 640, 440);
	c.toBlob((b) => {
		const d = new DataTransfer(), i = document.querySelector('input[type=file]');
		d.items.add(new File([b], '国庆海报.png', { type: 'image/png' }));
		i.files = d.files;
		i.dispatchEvent(new Event('change'));
		done(true);
	}, 'image/png');
})`

func (s *site) noticePublished(t *testing.T, p, desk *chrome.Page) {
	desk.Click("button", "发布公告")
	desk.Has("heading", "发布公告")
	desk.Sees("添加文字或图片以后", hallName)
	s.shot(t, desk, "console-notice-empty")
	desk.Click("button", "发布")
	desk.Sees("请添加一段文字或一张图片", "请选至少一个大厅", "请选结束时间")
	s.shot(t, desk, "console-notice-faults")
	desk.Click("button", "添加文字")
	desk.Press("国庆放假安排") // the heading has the focus
	desk.Fill("第 1 项的正文", "10 月 1 日至 7 日放假，8 日起照常办理。\n放假期间可以用粤省事网上办理、预约。")
	chrome.Eval[bool](desk, choosePoster)
	desk.Sees("国庆海报.png", "1280×720", "第 2 / 2 项，显示 12 秒")
	s.shot(t, desk, "console-notice-picture")
	desk.Click("button", "上一项")
	desk.Sees("第 1 / 2 项")
	chrome.Of[bool](desk, "checkbox", "全选这 1 个", "function() { this.focus(); return true; }")
	desk.Press(" ")
	desk.Sees("已选 1 个大厅")
	desk.Click("button", "7 天")
	s.shot(t, desk, "console-notice-new")
	desk.Resize(1366, 768)
	s.shot(t, desk, "console-notice-new-1366")
	desk.Resize(deskWidth, deskHeight)
	desk.Click("button", "发布到 1 个大厅")
	desk.Sees("已发布到 1 个大厅")
	desk.Has("heading", "公告")
	p.Sees("国庆放假安排", "粤省事网上办理")
	desk.Sees("国庆放假安排", "2 项", "正在显示")
	desk.Click("link", "查看")
	desk.Sees("大厅显示的版本", "屏幕上的样子", "1. 国庆放假安排", "2. 图片")
	s.shot(t, desk, "console-notice")
	desk.Go(s.Info.Cloud.URL + "/notices")
	desk.Has("table", "公告列表")
}

// Who publishes for a group that no screen of the hall is of is told so, and the list goes on telling.
func (s *site) noticeWithoutScreens(t *testing.T, desk *chrome.Page) {
	a, err := s.Do(s.Info.Cloud.URL, s.Info.Cloud.Token, http.MethodPost, "/api/v1/notices", map[string]any{
		"halls": []string{s.Agent.Hall}, "group": "gate", "until": time.Now().Add(time.Hour), "items": []any{map[string]string{"title": "请走侧门"}},
	}, nil)
	if err != nil || a.Status != http.StatusCreated || !strings.Contains(string(a.Body), `"no_screen":["`+s.Agent.Hall+`"]`) {
		t.Errorf("%d %s, %v", a.Status, a.Body, err)
	}
	s.listed(t, "gate", "no_screen")
	desk.Sees("没有这组屏幕", "没有一块屏幕的 group 是 gate")
	s.shot(t, desk, "console-notices-states")
	a, err = s.Do(s.Info.Cloud.URL, s.Info.Cloud.Token, http.MethodPost, "/api/v1/notices/withdrawals", map[string]any{"halls": []string{s.Agent.Hall}, "group": "gate"}, nil)
	if err != nil || a.Status != http.StatusOK {
		t.Errorf("%d %s, %v", a.Status, a.Body, err)
	}
	s.listed(t, "gate", "withdrawn")
}

// shortLife is long enough for a screen to begin with a notice, also on a busy machine.
const shortLife = 20 * time.Second

func (s *site) noticeExpires(t *testing.T, p *chrome.Page) {
	a, err := s.Do(s.Info.Cloud.URL, s.Info.Cloud.Token, http.MethodPost, "/api/v1/notices", map[string]any{
		"halls": []string{s.Agent.Hall}, "group": "hall", "until": time.Now().Add(shortLife), "items": []any{map[string]string{"title": "今天 9 点照常开门"}},
	}, nil)
	if err != nil || a.Status != http.StatusCreated {
		t.Fatalf("%d %s, %v", a.Status, a.Body, err)
	}
	p.Sees("今天 9 点照常开门")
	p.Misses("照常开门")
	p.Sees("办理窗口")
	if n := s.listed(t, "hall", "expired"); n.Heading != "今天 9 点照常开门" {
		t.Errorf("%+v", n)
	}
}

func (s *site) noticeWithdrawn(t *testing.T, p *chrome.Page) {
	desk := s.signIn(t, "/notices") // the centre was started anew
	desk.Allow("401 (Unauthorized)")
	desk.Sees("台风停业通知", "正在显示")
	desk.Click("button", "撤回 "+hallName+" 的 hall 组")
	desk.Sees("在线的大厅马上不再显示")
	s.shot(t, desk, "console-notice-withdraw")
	chrome.Of[bool](desk, "button", "撤回", "function() { this.closest('.el-dialog') && this.click(); return true; }")
	desk.Sees("已撤回")
	p.Misses("台风停业通知")
	s.listed(t, "hall", "withdrawn")
}

// What somebody has changed on the box's disk is not shown: the page that is built in is, and everybody is told who should look.
func (s *site) noticeTampered(t *testing.T, p, desk *chrome.Page) {
	version := s.listed(t, "hall", "showing").Version
	files, err := filepath.Glob(filepath.Join(s.Dir, "agent", "data", "notices", fmt.Sprint("hall-", version), "01.txt"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	fatal(t, os.WriteFile(files[0], []byte("插播的内容"), 0o600))
	p.Allow("404")
	p.Reload()
	p.Sees("温馨提示", "留意屏幕和语音叫号")
	p.Misses("插播")
	ops := s.device(t, clerkWidth, clerkHeight, "/ops", "ops")
	ops.Sees("屏幕内容和签名的不一样", "请先看一眼屏幕")
	s.shot(t, ops, "ops-notice-altered")
	s.listed(t, "hall", "altered")
	desk.Sees("内容和签名不一样")
	s.shot(t, desk, "console-notices-altered")
	hall := s.browser.Open(t, deskWidth, deskHeight, s.Info.Cloud.URL+"/halls/"+s.Agent.Hall)
	hall.Sees("屏幕内容和签名的不一样")
}

// A hall without a network gets its notices on a stick. What somebody has changed on the way is refused, and what is shown stays.
func (s *site) noticeByHand(t *testing.T, p, desk *chrome.Page) {
	s.Sim(t, "stop", "cloud")
	desk.Allow("net::ERR_")
	desk.Allow("502")
	s.publishFile(t, "台风停业通知\n今天下午停止办理，请注意安全。")
	stick := filepath.Join(t.TempDir(), "notice.zip")
	s.centre(t, "notice", "export", s.Agent.Hall, stick)
	data, err := os.ReadFile(stick)
	fatal(t, err)
	spoiled := filepath.Join(t.TempDir(), "spoiled.zip")
	fatal(t, os.WriteFile(spoiled, bytes.Replace(data, []byte("请注意安全"), []byte("不法的内容"), 1), 0o600))
	install := func(file string) (string, error) {
		return s.Run("hall-agent", "notice", "install", file, "--config", s.Agent.Config)
	}
	if out, err := install(spoiled); err == nil || !strings.Contains(out, "公告") {
		t.Errorf("a changed bundle is installed: %s", out)
	}
	p.Sees("温馨提示") // what was changed on the disk is still there
	if out, err := install(stick); err != nil || !strings.Contains(out, "已安装") {
		t.Fatalf("%s, %v", out, err)
	}
	p.Sees("台风停业通知", "请注意安全")
	s.device(t, clerkWidth, clerkHeight, "/ops", "ops").Misses("屏幕内容和签名的不一样")
	s.Sim(t, "start", "cloud")
	demo.Until(t, demo.Patience, "the centre", func() error {
		if err := s.Reload(); err != nil {
			return err
		}
		res, err := http.Get(s.Info.Cloud.URL + "/readyz")
		if err != nil {
			return err
		}
		return errors.Join(res.Body.Close())
	})
	if n := s.listed(t, "hall", "showing"); n.Heading != "台风停业通知" {
		t.Errorf("%+v", n)
	}
}
