package browser_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

const firstPassword, ownPassword = "words of the first day", "words that are my own"

// centre is a hall-cloud alone, with one administrator of cloud.yaml, who has no second factor yet.
type centre struct {
	url     string
	secure  string // by TLS, if it serves that
	mqtt    string // for halls on this machine, by their password: that of the first day
	config  string // its file
	browser *chrome.Browser
	screens string
}

// startCentre starts one; further are lines for its configuration, behind those of halls, in which PASSWORD is the hash of the first day's, and
// secrets the files beside that by name.
func startCentre(t *testing.T, secrets map[string]string, further ...string) *centre {
	t.Helper()
	return startCentreAt(t, `{listen: "127.0.0.1:0"}`, secrets, further...)
}

// startCentreAt starts one with http as it is given.
func startCentreAt(t *testing.T, http string, secrets map[string]string, further ...string) *centre {
	t.Helper()
	dir, program := t.TempDir(), filepath.Join(demo.Programs(t), "hall-cloud")
	hash := exec.CommandContext(t.Context(), program, "hash")
	hash.Stdin = strings.NewReader(firstPassword + "\n")
	line, err := hash.Output()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "cloud.yaml")
	text := fmt.Sprintf(`schema: 1
http: %[2]s
mqtt: {listen: "127.0.0.1:0"}
media: {rtsp: "127.0.0.1:0", webrtc: "127.0.0.1:0"}
users:
  - {name: admin, full_name: 系统管理员, roles: [auditor, admin], password: '%[1]s'}
halls:
  - {code: "440900000000001", name: 示例市政务服务大厅, password: '%[1]s'}
  - {code: "441000000000001", name: 邻市政务服务大厅, password: '%[1]s'}
`, bytes.TrimSpace(line), http) + strings.ReplaceAll(strings.Join(further, ""), "PASSWORD", string(bytes.TrimSpace(line)))
	for name, secret := range secrets {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ready := filepath.Join(dir, "ready.json")
	run := exec.CommandContext(t.Context(), program, "run", "--config", config, "--ready-file", ready)
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	var log bytes.Buffer
	run.Stderr = &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // its context has ended
		if err := run.Wait(); err != nil && t.Failed() {
			t.Logf("hall-cloud ended with %v:\n%s", err, &log)
		}
	})
	var at struct{ HTTP, HTTPS, MQTT string }
	demo.Until(t, demo.Patience, "the centre is ready", func() error {
		raw, err := os.ReadFile(ready)
		return errors.Join(err, json.Unmarshal(raw, &at))
	})
	root, err := demo.Root()
	if err != nil {
		t.Fatal(err)
	}
	screens := cmp.Or(os.Getenv("HALLEDGE_SCREENS"), filepath.Join(root, "var", "screens"))
	return &centre{url: "http://" + at.HTTP, secure: "https://" + at.HTTPS, mqtt: at.MQTT, config: config, browser: chrome.Start(t), screens: screens}
}

// open opens a page on the screen of an office.
func (c *centre) open(t *testing.T, path string) *chrome.Page {
	t.Helper()
	p := c.browser.Open(t, 1440, 900, c.url+path)
	p.Allow("401 (Unauthorized)") // asked whether somebody is signed in, and refusals of sign-in
	return p
}

func (c *centre) shot(t *testing.T, p *chrome.Page, name string) {
	t.Helper()
	p.Save(filepath.Join(c.screens, name+".png"))
	for _, flaw := range p.Flaws() {
		t.Errorf("%s: %s", name, flaw)
	}
}

func signInAs(p *chrome.Page, user, password string) {
	p.Fill("账号", user)
	p.Fill("密码", password)
	p.Press(chrome.Enter)
}

// An administrator sets up his second factor before anything else and adds somebody, who chooses a password of his own and sees what
// his role and his halls let him see.
func TestPeopleOfTheCentre(t *testing.T) {
	c := startCentre(t, nil)
	p := c.open(t, "/")
	signInAs(p, "admin", firstPassword)
	p.Sees("管理员要先绑定动态口令", "未绑定", "审计记录", "全部大厅")
	p.Lacks("link", "用户")
	c.shot(t, p, "console-account-first")
	p.Fill("现在的密码", firstPassword)
	p.Click("button", "开始绑定")
	p.Sees("手工输入密钥")
	p.Has("image", "动态口令二维码")
	secret := strings.ReplaceAll(chrome.Eval[string](p, `document.querySelector('.secret').innerText`), " ", "")
	c.shot(t, p, "console-account-factor")
	p.Allow("422 (Unprocessable Entity)")
	p.Fill("动态口令", "000000")
	p.Click("button", "确认绑定")
	p.Sees("动态口令不对")
	p.Fill("动态口令", code(t, secret))
	p.Click("button", "确认绑定")
	p.Sees("绑定成功", "只显示这一回")
	recovery := chrome.Eval[string](p, `document.querySelector('.codes li').innerText`)
	c.shot(t, p, "console-account-recovery")
	p.Click("button", "已经抄好")
	p.Has("heading", "审计") // his first page
	p.Click("link", "用户")

	p.Sees("系统管理员", "审计、用户管理", "全部大厅", "第二因素", "动态口令", "共 1 人", "我的账号")
	p.Click("button", "添加用户")
	p.Fill("用户名", "li.si")
	p.Fill("姓名", "李四")
	p.Fill("管辖范围", "4409")
	p.Fill("初始密码", "lisi")
	p.Click("button", "添加")
	p.Sees("密码至少要 10 个字符")
	c.shot(t, p, "console-user-refused")
	p.Fill("初始密码", firstPassword)
	p.Click("button", "添加")
	p.Sees("已添加", "第一次登录要改密码")
	c.shot(t, p, "console-user-added")
	p.Click("button", "关闭")
	p.Sees("李四", "查看", "编码以 4409 开头的大厅", "待改密码", "共 2 人")
	c.shot(t, p, "console-users")
	p.Fill("用户名或姓名", "nobody")
	p.Sees("没有符合条件的用户")
	c.shot(t, p, "console-users-none")
	p.Click("button", "退出")

	t.Run("a new user", func(t *testing.T) { c.newUser(t) })
	t.Run("the second factor at the door", func(t *testing.T) { c.secondFactor(t, recovery) })
}

func code(t *testing.T, secret string) string {
	t.Helper()
	text, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (c *centre) newUser(t *testing.T) {
	p := c.open(t, "/halls")
	signInAs(p, "li.si", firstPassword)
	p.Sees("请先改成自己的密码")
	p.Fill("现在的密码", firstPassword)
	p.Fill("新密码", "Password123")
	p.Fill("再输一遍新密码", "Password123")
	p.Allow("422 (Unprocessable Entity)")
	p.Click("button", "修改密码")
	p.Sees("这个密码太常见")
	c.shot(t, p, "console-password-first")
	p.Fill("新密码", ownPassword)
	p.Fill("再输一遍新密码", ownPassword)
	p.Click("button", "修改密码")
	p.Has("heading", "大厅")
	p.Sees("示例市政务服务大厅", "实时更新")
	p.Misses("邻市政务服务大厅")
	for _, other := range []string{"审计", "用户"} {
		p.Lacks("link", other)
	}
	p.Go(c.url + "/users")
	p.Sees("不能看这个页面", "查看")
	c.shot(t, p, "console-no-right")
	p.Go(c.url + "/account")
	p.Sees("编码以 4409 开头的大厅")
	c.shot(t, p, "console-account")
	p.Click("button", "退出")
	p.Has("heading", "登录")
}

func (c *centre) secondFactor(t *testing.T, recovery string) {
	p := c.open(t, "/users")
	signInAs(p, "admin", firstPassword)
	p.Sees("已绑定动态口令", "恢复码")
	c.shot(t, p, "console-sign-in-code")
	p.Fill("动态口令", "000000")
	p.Click("button", "登录")
	p.Sees("动态口令不对，或者已经用过")
	p.Fill("动态口令", recovery)
	p.Click("button", "登录")
	p.Has("heading", "用户")
	p.Click("button", "修改 li.si")
	p.Sees("重设密码", "停用")
	p.Click("button", "停用")
	p.Sees("已停用，正在用的登录已失效")
	c.shot(t, p, "console-user-disabled")
	p.Click("button", "关闭")
	p.Sees("已停用")
	p.Click("link", "审计")
	p.Sees("停用用户", "绑定动态口令", "使用恢复码", "改密码", "添加用户")
	c.shot(t, p, "console-audit-people")
}
