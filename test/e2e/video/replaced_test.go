package video

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
	"halledge/test/fakes/camera"
)

const ops = "ops-token-0123456789"

// startHall starts the whole agent of a hall with one camera, and gives the address of its pages.
func startHall(t *testing.T, node string, cams *camera.Cameras) (base string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"agent.yaml": fmt.Sprintf(`schema: 1
hall: {code: "%s", name: 示例大厅, profile: full}
data: data
plan: hall.yaml
web: {listen: "127.0.0.1:0", tokens: [{role: ops, secret: "file:ops"}]}
cameras:
  - {code: %s, name: 入口, scene: 1, url: "%s", user: admin, password: "file:camera", always: true}
relay: {node: "rtsp://%s", password: "file:publish", subnets: [127.0.0.0/8]}
`, hall, cam, cams.URL("/stream"), node),
		"hall.yaml": "schema: 1\nrevision: 1\nqueues: [{id: A, name: 综合业务}]\nwindows: [{id: \"1\", name: 1号窗口, queues: [A]}]\n",
		"ops":       ops, "camera": "p@ss word", "publish": "publish-me",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ready := filepath.Join(dir, "ready.json")
	agent := exec.Command(filepath.Join(demo.Programs(t), "hall-agent"), "run", "--config", filepath.Join(dir, "agent.yaml"), "--root", dir, "--ready-file", ready)
	agent.Stderr = t.Output()
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := agent.Wait(); err != nil {
			t.Errorf("the agent ended with %v", err)
		}
	})
	var at struct{ URL string }
	demo.Until(t, demo.Patience, "the hall is open", func() error {
		raw, err := os.ReadFile(ready)
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, &at)
	})
	return at.URL
}

// verdict asks the hall what it thinks of the machine at the camera's address.
func verdict(t *testing.T, base string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/cameras", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+ops)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var all struct{ Cameras []struct{ Verdict string } }
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil || len(all.Cameras) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all.Cameras[0].Verdict
}

// A camera is pulled out and another machine takes its place: nobody sees its pictures until somebody of the hall has looked at it and says
// on the page of operations that it is the camera.
func TestVideo_aReplacedCameraWaitsForAPerson(t *testing.T) {
	t.Parallel()
	if err := built.build(); err != nil {
		t.Fatal(err)
	}
	o := camera.Options{User: "admin", Password: "p@ss word"}
	with := func() *camera.Cameras {
		own, err := camera.Certify()
		if err != nil {
			t.Fatal(err)
		}
		o.Certificate = own
		cams, err := camera.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		o.Listen = cams.Addr()
		return cams
	}
	cams := with()
	c := &chain{t: t}
	c.startNode("127.0.0.1:0", "127.0.0.1:0")
	t.Cleanup(c.node.end)
	arrives := func() nodeCamera {
		var all []nodeCamera
		c.node.ask(&all, func(string, bool) { /* the camera is relayed without being asked for */ })
		if len(all) == 0 {
			return nodeCamera{}
		}
		return all[0]
	}
	base := startHall(t, c.ports.RTSP, cams)
	c.until("pictures arrive", func() bool { return arrives().Frames > 5 })
	c.until("the camera is known", func() bool { return verdict(t, base) == "same" })

	cams.Close()
	cams = with()
	defer func() { cams.Close() }()
	page := chrome.Start(t).Open(t, 1366, 768, base+"/ops?token="+ops)
	page.Sees("摄像头换了机器："+cam, "换了机器", "认它：公钥")
	if got := arrives(); got.Live {
		t.Errorf("the false camera is seen: %+v", got)
	}
	if got := cams.Counts(); got.Connections == 0 || got.Describes != 0 {
		t.Errorf("the false camera was asked something: %+v", got)
	}
	root, err := demo.Root()
	if err != nil {
		t.Fatal(err)
	}
	page.Save(filepath.Join(root, "var", "screens", "ops-camera-changed.png"))
	for _, flaw := range page.Flaws() {
		t.Error(flaw)
	}
	page.Click("button", "确认更换 入口")
	page.Click("button", "确认更换 入口")
	page.Sees("已确认：入口")
	c.until("pictures arrive again", func() bool { s := arrives(); return s.Live && s.Frames > 5 })
	page.Misses("摄像头换了机器：" + cam)
}
