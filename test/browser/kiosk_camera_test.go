package browser_test

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/qr"
	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// film makes what a camera sees: a phone that shows a code, held a little askew by a hand that is not quite still, or nobody if the
// code is empty. It takes the place of what the camera saw before.
func film(t *testing.T, file, code string) {
	t.Helper()
	scene := image.NewGray(image.Rect(0, 0, 1280, 720))
	draw.Draw(scene, scene.Bounds(), image.NewUniform(color.Gray{Y: 110}), image.Point{}, draw.Src)
	if code != "" {
		phone := image.Rect(440, 60, 840, 660)
		draw.Draw(scene, phone, image.NewUniform(color.Gray{Y: 225}), image.Point{}, draw.Src)
		m, err := qr.Draw(code, 320)
		if err != nil {
			t.Fatal(err)
		}
		draw.Draw(scene, m.Bounds().Add(image.Pt(480, 180)), m, m.Bounds().Min, draw.Src)
	}
	still := filepath.Join(t.TempDir(), "scene.png")
	out, err := os.Create(still)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(out, scene); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	next := file + ".next.mjpeg"
	made, err := exec.Command("ffmpeg", "-v", "error", "-y", "-loop", "1", "-i", still, "-frames:v", "20", "-r", "10",
		"-vf", "rotate='0.12+0.03*sin(n/3)':c=gray,noise=c0s=12:c0f=t,format=yuvj420p", "-q:v", "4", "-f", "mjpeg", next).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, made)
	}
	if err := os.Rename(next, file); err != nil {
		t.Fatal(err)
	}
}

// withCameras gives the hall's kiosk a camera beside its scanner, and the hall a tablet that has nothing else.
func (s *site) withCameras(t *testing.T) {
	t.Helper()
	file := filepath.Join(filepath.Dir(s.Agent.Config), "hall.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("revision: 1\n", "revision: 2\n", "desk: 大门左侧导办台}\n", "desk: 大门左侧导办台, camera: page}\n"+
		"  - {id: \"2\", name: 二楼平板, desk: 二楼导办台, camera: page}\n", "自然资源局, identity: none", "自然资源局, identity: required").Replace(string(raw))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Sim(t, "stop", "agent")
	s.Sim(t, "start", "agent")
}

// TestKioskCamera has citizens show their codes to the camera of a kiosk's browser, which sees them for real.
func TestKioskCamera(t *testing.T) {
	s := begin(t)
	s.withCameras(t)
	see := filepath.Join(t.TempDir(), "camera.mjpeg")
	film(t, see, "")
	b := chrome.StartWithCamera(t, see)
	page := func(path, role string) *chrome.Page {
		p := b.Open(t, kioskWidth, kioskHeight, s.Agent.URL+path+"?token="+s.Agent.Tokens[role])
		p.Demand(leastKioskLetters, leastTarget)
		p.LetCamera(true)
		p.Sees("请选择要办理的业务")
		return p
	}
	p := page("/kiosk/1", "kiosk")

	t.Run("what it shows", func(t *testing.T) {
		p.Sees("点这里，用摄像头扫")
		s.shot(t, p, "kiosk-camera-offer")
		s.turned(t, p, "kiosk-camera-offer-lying")
		p.Click("button", "扫码")
		p.Sees("请把码对准摄像头", "秒后关闭摄像头", "画面只用来认码，不保存")
		looking(t, p)
		s.preview(t, p, "kiosk-camera-preview")
		p.Click("button", "长辈版")
		p.Demand(leastElderLetters, leastTarget)
		s.preview(t, p, "kiosk-camera-elder")
		p.Demand(leastKioskLetters, leastTarget)
		p.Click("button", "返回")
		p.Sees("请选择要办理的业务")
		dark(t, p)
	})
	t.Run("a code of the province", func(t *testing.T) {
		film(t, see, "YSS-SIM-6601")
		p.Click("button", "扫码")
		p.Sees("粤省事码已核对，请选择业务")
		dark(t, p)
		p.Click("button", "综合受理")
		got := number(t, p.Text, "A")
		s.slip(t, got)
		p.Click("button", "完成")
	})
	t.Run("a code that is asked about for long", func(t *testing.T) {
		s.Sim(t, "province", "slow", "--delay", "3s")
		film(t, see, "YSS-SIM-6602")
		chrome.Eval[bool](p, `window.said = [], new MutationObserver(() => said.push(document.getElementById('lens-say').textContent))
			.observe(document.getElementById('lens-say'), { childList: true }), true`)
		p.Click("button", "扫码")
		p.Sees("码核验不了", "到窗口看身份证")
		if said := chrome.Eval[[]string](p, `said`); !slices.Contains(said, "正在辨认，请拿稳") {
			t.Errorf("it said %q", said)
		}
		s.Sim(t, "province", "good")
		p.Click("button", "退出")
	})
	t.Run("a code for an appointment", func(t *testing.T) {
		now := time.Now()
		s.Post(t, "staff", "/api/v1/bookings", map[string]any{
			"booking": "AP20300108000045", "queue": "B", "start": now.Add(-time.Minute), "end": now.Add(30 * time.Minute), "id_number": firstID,
		}, 201)
		film(t, see, "AP20300108000045")
		p.Click("button", "扫码")
		p.Sees("您今天有预约", "社保医保")
		dark(t, p)
		p.Click("button", "签到取号")
		s.slip(t, number(t, p.Text, "B"))
		p.Click("button", "完成")
	})
	t.Run("a code that is no good", func(t *testing.T) {
		film(t, see, "HELLO")
		p.Click("button", "扫码")
		p.Sees("这个码不能用", "请把码对准摄像头")
		s.shot(t, p, "kiosk-camera-unknown")
		p.Click("button", "返回")
		p.Sees("请选择要办理的业务")
	})
	t.Run("a tablet", func(t *testing.T) {
		tablet := page("/kiosk/2", "staff")
		film(t, see, "YSS-SIM-6603")
		s.shot(t, tablet, "kiosk-camera-tablet")
		tablet.Click("button", "不动产登记")
		tablet.Sees("请先核对身份", "请按下面的“摄像头扫码”")
		s.shot(t, tablet, "kiosk-camera-asked")
		s.turned(t, tablet, "kiosk-camera-asked-lying")
		tablet.Click("button", "摄像头扫码")
		number(t, tablet.Text, "C") // what was chosen goes on by itself
		tablet.Click("button", "完成")
	})
	t.Run("nobody shows a code", func(t *testing.T) {
		film(t, see, "")
		chrome.Eval[bool](p, `window.setInterval = (of => (f, ms) => of(f, ms / 20))(window.setInterval.bind(window)); true`)
		p.Click("button", "扫码")
		p.Sees("没有扫到码", "手机屏幕调亮", "也可以刷身份证")
		dark(t, p)
		s.shot(t, p, "kiosk-camera-timeout")
		s.turned(t, p, "kiosk-camera-timeout-lying")
		p.Click("button", "再试一次")
		p.Sees("请把码对准摄像头")
		p.Sees("没有扫到码")
		film(t, see, "HELLO") // as on a poster behind the citizen: in time, however often it is read
		p.Click("button", "再试一次")
		p.Sees("这个码不能用")
		p.Sees("没有扫到码")
		dark(t, p)
		p.Click("button", "返回")
		p.Reload()
	})
	t.Run("the camera is not allowed", func(t *testing.T) {
		p.LetCamera(false)
		p.Click("button", "扫码")
		p.Sees("摄像头现在不能用", "请刷身份证", "浏览器没有允许本页使用摄像头")
		s.shot(t, p, "kiosk-camera-refused")
		s.turned(t, p, "kiosk-camera-refused-lying")
		p.LetCamera(true)
		p.Click("button", "再试一次")
		looking(t, p)
		p.Click("button", "返回")
	})
	t.Run("there is no camera", func(t *testing.T) {
		without := s.device(t, kioskWidth, kioskHeight, "/kiosk/2", "staff")
		without.LetCamera(true)
		without.Click("button", "扫码")
		without.Sees("摄像头现在不能用", "请返回直接选业务", "没有找到摄像头")
		s.shot(t, without, "kiosk-camera-none")
		without.Click("button", "返回")
		without.Sees("请选择要办理的业务")
	})
}

// preview looks at the preview on panels that stand and lie: it is large, and in nobody's way.
func (s *site) preview(t *testing.T, p *chrome.Page, name string) {
	t.Helper()
	s.shot(t, p, name)
	width, height := p.Size()
	for _, lying := range []string{"", "-lying"} {
		at := chrome.Eval[[]float64](p, `['lens', 'camera'].map((id) => document.getElementById(id).getBoundingClientRect())
			.flatMap((r) => [r.top, r.bottom, r.width])`)
		if at[0] < at[3] || at[1] > at[4] || at[2] < 500 {
			t.Errorf("%s%s: the preview is from %v to %v, %v wide, in a view from %v to %v", name, lying, at[0], at[1], at[2], at[3], at[4])
		}
		p.Resize(height, width)
	}
	p.Resize(width, height)
	s.turned(t, p, name+"-lying")
}

// looking waits until the page shows what the camera sees, and keeps hold of the camera for dark.
func looking(t *testing.T, p *chrome.Page) {
	t.Helper()
	demo.Until(t, demo.Patience, "a picture", func() error {
		if !chrome.Eval[bool](p, `(window.camera = document.getElementById('lens').srcObject) !== null && document.getElementById('lens').videoWidth > 0`) {
			return fmt.Errorf("there is none")
		}
		return nil
	})
}

// dark wants the camera to be off.
func dark(t *testing.T, p *chrome.Page) {
	t.Helper()
	if !chrome.Eval[bool](p, `document.getElementById('lens').srcObject === null && (!window.camera || window.camera.getTracks().every((t) => t.readyState === 'ended'))`) {
		t.Error("the camera is on")
	}
}
