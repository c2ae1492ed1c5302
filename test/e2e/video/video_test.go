// Package video tests the way of a picture through the real programs: a camera, the hall's relay, the node, and those who watch.
package video

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"halledge/test/await"
	"halledge/test/fakes/camera"
	"halledge/test/fakes/viewer"
)

const (
	hall  = "440900000000001"
	cam   = hall + "-CM001"
	token = "read-me"
)

// built belongs to TestMain, which is the only one to set it.
var built programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "video")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

type ports struct{ RTSP, WebRTC, HTTP string }

// chain is all of it.
type chain struct {
	t       *testing.T
	cameras *camera.Cameras
	node    *process
	relay   *process
	ports   ports
}

type relayState struct {
	Cameras []struct {
		State  string
		Reason string
		Codec  string
		Opens  int
	}
}

type nodeCamera struct {
	Camera  string
	Live    bool
	Codec   string
	Width   int
	Viewers int
	Frames  int
	Lost    int
}

func (c *chain) startNode(rtsp, webrtc string) {
	c.t.Helper()
	c.node = run(c.t, built.node, map[string]any{"rtsp": rtsp, "webrtc": webrtc, "user": "platform", "password": token,
		"halls": map[string]string{hall: "publish-me"}, "cameras": map[string]string{cam: hall}})
	if err := json.Unmarshal([]byte(c.node.line(c.demand)), &c.ports); err != nil {
		c.t.Fatal(err)
	}
}

// demand does what the control channel between cloud and hall does.
func (c *chain) demand(code string, wanted bool) {
	if wanted {
		c.relay.say("start " + code)
	} else {
		c.relay.say("stop " + code)
	}
}

func start(t *testing.T, always bool) *chain {
	t.Helper()
	if err := built.build(); err != nil {
		t.Fatal(err)
	}
	cams, err := camera.Start(camera.Options{User: "admin", Password: "p@ss word"})
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{t: t, cameras: cams}
	c.startNode("127.0.0.1:0", "127.0.0.1:0")
	c.relay = run(t, built.relay, map[string]any{"hall": hall, "node": "rtsp://" + c.ports.RTSP, "password": "publish-me",
		"cameras": []map[string]any{{"code": cam, "url": cams.URL("/stream"), "user": "admin", "password": "p@ss word", "always": always}}})
	t.Cleanup(func() {
		c.relay.end()
		c.node.end()
		c.cameras.Close()
	})
	return c
}

// until asks again and again, and passes demands on meanwhile.
func (c *chain) until(what string, ok func() bool) {
	c.t.Helper()
	await.That(c.t, what, ok)
}

func (c *chain) arriving() nodeCamera {
	c.t.Helper()
	var all []nodeCamera
	c.node.ask(&all, c.demand)
	if len(all) == 0 {
		return nodeCamera{}
	}
	return all[0]
}

func (c *chain) relaying() (state, reason string) {
	c.t.Helper()
	var s relayState
	c.relay.ask(&s, func(string, bool) {})
	return s.Cameras[0].State, s.Cameras[0].Reason
}

func (c *chain) whep() string { return "http://" + c.ports.HTTP + "/whep/" + cam }

func (c *chain) watch(tcp bool) *viewer.Viewer {
	c.t.Helper()
	v, err := viewer.Open(c.t.Context(), viewer.Options{URL: c.whep(), Token: token, TCP: tcp})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := v.Close(); err != nil {
			c.t.Error(err)
		}
	})
	return v
}

func TestVideo_isSeenByPlatformsAndBrowsers(t *testing.T) {
	t.Parallel()
	c := start(t, true)
	c.until("pictures arrive", func() bool { return c.arriving().Frames > 5 })
	out, err := exec.Command("ffprobe", "-v", "error", "-analyzeduration", "1000000", "-show_entries", "stream=codec_name,width,height",
		"-of", "csv=p=0", "rtsp://platform:"+token+"@"+c.ports.RTSP+"/"+cam).Output()
	if err != nil || strings.TrimSpace(string(out)) != "h264,640,360" {
		t.Errorf("ffprobe: %q, %v", out, err)
	}
	for name, tcp := range map[string]bool{"udp": false, "tcp": true} {
		v := c.watch(tcp)
		c.until("pictures in the browser over "+name, func() bool { return v.Pictures() > 20 })
		after, key := v.First()
		t.Logf("%s: first picture after %v", name, after)
		if !key {
			t.Errorf("%s: the first picture is no key frame", name)
		}
	}
	if s := c.arriving(); s.Lost != 0 || s.Viewers != 2 || s.Codec != "h264" || s.Width != 640 {
		t.Errorf("camera %+v", s)
	}
	_, err = viewer.Open(t.Context(), viewer.Options{URL: c.whep(), Token: "wrong"})
	var refused *viewer.RefusedError
	if !errors.As(err, &refused) || refused.Status != 403 {
		t.Errorf("a viewer with a wrong token: %v", err)
	}
}

func TestVideo_comesBackAfterTheCameraDied(t *testing.T) {
	t.Parallel()
	c := start(t, true)
	c.until("pictures arrive", func() bool { return c.arriving().Frames > 5 })
	v := c.watch(false)
	c.until("pictures in the browser", func() bool { return v.Pictures() > 5 })
	addr := c.cameras.Addr()
	c.cameras.Close()
	c.until("the viewer is told at once", v.Ended)
	c.until("the hall says why", func() bool { s, r := c.relaying(); return s == "offline" && r == "camera_unreachable" })
	again, err := camera.Start(camera.Options{Listen: addr, User: "admin", Password: "p@ss word"})
	if err != nil {
		t.Fatal(err)
	}
	c.cameras = again
	c.until("pictures arrive again", func() bool { s := c.arriving(); return s.Live && s.Frames > 5 })
	v = c.watch(false)
	c.until("and are seen", func() bool { return v.Pictures() > 5 })
}

func TestVideo_comesBackAfterTheNodeDied(t *testing.T) {
	t.Parallel()
	c := start(t, true)
	c.until("pictures arrive", func() bool { return c.arriving().Frames > 5 })
	c.node.kill()
	c.until("the hall notices", func() bool { s, r := c.relaying(); return s == "offline" && strings.HasPrefix(r, "node_") })
	c.startNode(c.ports.RTSP, c.ports.WebRTC)
	c.until("pictures arrive again", func() bool { return c.arriving().Frames > 5 })
	v := c.watch(false)
	c.until("and are seen", func() bool { return v.Pictures() > 5 })
}

func TestVideo_onDemand(t *testing.T) {
	t.Parallel()
	c := start(t, false)
	if s, _ := c.relaying(); s != "idle" {
		t.Errorf("relaying is %s before anybody looks", s)
	}
	opened := make(chan *viewer.Viewer, 1)
	failed := make(chan error, 1)
	go func() {
		v, err := viewer.Open(t.Context(), viewer.Options{URL: c.whep(), Token: token})
		opened <- v
		failed <- err
	}()
	c.until("the hall was asked", func() bool { c.arriving(); s, _ := c.relaying(); return s == "relaying" })
	v := <-opened
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	c.until("pictures are seen", func() bool { return v.Pictures() > 5 })
	if err := v.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.until("the hall stops", func() bool { c.arriving(); s, _ := c.relaying(); return s == "idle" })
	if n := c.cameras.Counts().Plays; n != 1 {
		t.Errorf("the camera was opened %d times", n)
	}
}
