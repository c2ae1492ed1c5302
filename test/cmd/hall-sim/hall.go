package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"text/template"
	"time"

	"halledge/agent/kit/phc"
	"halledge/test/fakes/camera"
	"halledge/test/fakes/province"
)

// The demo's hall: the city's own, with two windows, three queues and two cameras.
const (
	hallCode  = "440900000000001"
	hallName  = "茂名市政务服务大厅（演示）"
	adminUser = "admin"
	videoUser = "viewer"

	cameraPassword = "demo-camera" // of a camera that is no camera
)

// demoStaff are those who sign in. The manager has no window of his own.
var demoStaff = [...]struct{ id, name, window, role string }{
	{"1001", "测试一", "1", "clerk"},
	{"1002", "测试二", "2", "clerk"},
	{"1000", "测试主管", "", "manager"},
}

var demoCameras = [...]struct {
	code, name string
	scene      int
}{
	{hallCode + "-CM001", "茂名市-市政务服务大厅-入口01", 1},
	{hallCode + "-CM002", "茂名市-市政务服务大厅-等候区01", 3},
}

//go:embed agent.yaml.tmpl
var agentTemplate string

//go:embed codes.yaml.tmpl
var rulesTemplate string

//go:embed hall.yaml.tmpl
var planTemplate string

//go:embed cloud.yaml.tmpl
var cloudTemplate string

//go:embed notice.txt
var noticeText []byte

// demoHall is the running demo.
type demoHall struct {
	opts    demoOptions
	secrets secrets
	station *station
	cameras *camera.Cameras

	province *province.Province

	cloud, agent *service

	writing sync.Mutex // of demo.json: what is there last must be the newest

	mu      sync.Mutex // guards the addresses, which change once: from wished to real
	cloudAt cloudReady
	agentAt agentReady
}

// cloudReady and agentReady are the ready files of the two programs: where they listen.
type (
	cloudReady struct {
		HTTP, MQTT, RTSP, WebRTC string
		MQTTTLS                  string `json:"mqtt_tls"`
		MQTTTLCP                 string `json:"mqtt_tlcp"`
		RTSPTLS                  string `json:"rtsp_tls"`
		RTSPTLCP                 string `json:"rtsp_tlcp"`
		EdgeTLS                  string `json:"edge_tls"`
		EdgeTLCP                 string `json:"edge_tlcp"`
	}
	agentReady struct{ HTTP string }
)

func (h *demoHall) agentURL() string    { a, _ := h.at(); return "http://" + a.HTTP }
func (h *demoHall) cloudURL() string    { _, c := h.at(); return "http://" + c.HTTP }
func (h *demoHall) agentConfig() string { return filepath.Join(h.opts.dir, "agent", "agent.yaml") }
func (h *demoHall) cloudConfig() string { return filepath.Join(h.opts.dir, "cloud", "cloud.yaml") }
func (h *demoHall) data() string        { return filepath.Join(h.opts.dir, "agent", "data") }
func (h *demoHall) machine() string     { return filepath.Join(h.opts.dir, "machine") }
func (h *demoHall) database() string    { return filepath.Join(h.opts.dir, "cloud", "cloud.db") }

func newDemoHall(o demoOptions, sec secrets, st *station, cams *camera.Cameras, far *province.Province) *demoHall {
	h := &demoHall{
		opts: o, secrets: sec, station: st, cameras: cams, province: far,
		cloudAt: cloudReady{
			HTTP: o.address(1, 9090), MQTT: o.address(2, 1883), RTSP: o.address(3, 8554), WebRTC: o.address(4, 8189),
			MQTTTLS: o.address(5, 8883), MQTTTLCP: o.address(6, 8884), EdgeTLS: o.address(7, 9443), EdgeTLCP: o.address(8, 9444),
			RTSPTLS: o.address(9, 8322), RTSPTLCP: o.address(10, 8323),
		},
		agentAt: agentReady{HTTP: o.address(0, 8080)},
	}
	noted := func() {
		if err := h.writeDemoJSON(); err != nil {
			h.log("demo.json not written", err)
		}
	}
	h.cloud = newService("hall-cloud", h.launchCloud, noted)
	h.agent = newService("hall-agent", h.launchAgent, noted)
	return h
}

// log tells about a fault of the demo itself.
func (h *demoHall) log(what string, err error) {
	fmt.Fprintf(os.Stderr, "hall-sim: %s: %v\n", what, err)
}

// start brings the cloud up, then the agent that reports to it.
func (h *demoHall) start(ctx context.Context) error {
	if err := h.writeSecrets(); err != nil {
		return err
	}
	if err := h.cloud.start(ctx); err != nil {
		return err
	}
	if err := h.render(filepath.Join(h.opts.dir, "agent", "hall.yaml"), planTemplate, h.planValues()); err != nil {
		return err
	}
	if err := h.render(filepath.Join(h.opts.dir, "agent", "codes.yaml"), rulesTemplate, nil); err != nil {
		return err
	}
	if err := h.enrol(ctx); err != nil {
		return err
	}
	if err := h.publishNotice(ctx); err != nil {
		return err
	}
	return h.agent.start(ctx)
}

// enrol gives the hall's box its certificates, with a code as an operator of the centre would.
func (h *demoHall) enrol(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(h.data(), "identity", "enrolled.json")); err == nil {
		return nil
	}
	if err := h.render(h.agentConfig(), agentTemplate, h.agentValues()); err != nil {
		return err
	}
	ask := exec.CommandContext(ctx, filepath.Join(h.opts.bin, "hall-cloud"), "enroll-code", hallCode, "--config", h.cloudConfig())
	ask.Stderr = os.Stderr
	code, err := ask.Output()
	if err != nil {
		return fmt.Errorf("hall-cloud enroll-code: %w", err)
	}
	_, at := h.at()
	show := exec.CommandContext(ctx, filepath.Join(h.opts.bin, "hall-agent"), "enroll", "--config", h.agentConfig(), "--cloud", "https://"+at.EdgeTLS)
	show.Stdin, show.Stderr = bytes.NewReader(code), os.Stderr
	if err := show.Run(); err != nil {
		return fmt.Errorf("hall-agent enroll: %w", err)
	}
	return nil
}

// noticeDays is for how long the demo's notice is shown.
const noticeDays = 30

// publishNotice gives the screens of a fresh demo something to show while nobody is called, as an operator of the centre would. A demo that
// goes on has what it had.
func (h *demoHall) publishNotice(ctx context.Context) error {
	if h.opts.keep {
		return nil
	}
	file := filepath.Join(h.opts.dir, "cloud", "notice.txt")
	if err := os.WriteFile(file, noticeText, 0o600); err != nil {
		return err
	}
	until := time.Now().AddDate(0, 0, noticeDays).Format(time.DateOnly)
	publish := exec.CommandContext(ctx, filepath.Join(h.opts.bin, "hall-cloud"), "notice", "publish", "--config", h.cloudConfig(), "--hall", hallCode, "--until", until, file)
	publish.Stderr = os.Stderr
	if err := publish.Run(); err != nil {
		return fmt.Errorf("hall-cloud notice publish: %w", err)
	}
	return nil
}

// launchCloud starts the cloud where it was before, if it ran before.
func (h *demoHall) launchCloud(ctx context.Context, begun func(*child)) error {
	if err := h.render(h.cloudConfig(), cloudTemplate, h.cloudValues()); err != nil {
		return err
	}
	var at cloudReady
	err := start(ctx, h.opts.dir, begun, &at, filepath.Join(h.opts.bin, "hall-cloud"), "run", "--config", h.cloudConfig())
	if err == nil {
		h.mu.Lock()
		h.cloudAt = at
		h.mu.Unlock()
	}
	return err
}

func (h *demoHall) launchAgent(ctx context.Context, begun func(*child)) error {
	if err := h.render(h.agentConfig(), agentTemplate, h.agentValues()); err != nil {
		return err
	}
	var at agentReady
	err := start(ctx, h.opts.dir, begun, &at, filepath.Join(h.opts.bin, "hall-agent"), "run", "--config", h.agentConfig(), "--root", h.machine())
	if err == nil {
		h.mu.Lock()
		h.agentAt = at
		h.mu.Unlock()
	}
	return err
}

// at gives where the programs are.
func (h *demoHall) at() (agentReady, cloudReady) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.agentAt, h.cloudAt
}

func (h *demoHall) render(path, text string, values any) error {
	t, err := template.New(filepath.Base(path)).Option("missingkey=error").Parse(text)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

func (h *demoHall) cloudValues() map[string]any {
	s := h.secrets
	_, at := h.at()
	return map[string]any{
		"Host": h.opts.host, "Database": h.database(), "HTTP": at.HTTP, "MQTT": at.MQTT, "RTSP": at.RTSP, "WebRTC": at.WebRTC,
		"MQTTTLS": at.MQTTTLS, "MQTTTLCP": at.MQTTTLCP, "EdgeTLS": at.EdgeTLS, "EdgeTLCP": at.EdgeTLCP,
		"RTSPTLS": at.RTSPTLS, "RTSPTLCP": at.RTSPTLCP,
		"Admin": adminUser, "AdminHash": hash(s.Admin), "Hall": hallCode, "Name": hallName,
		"MQTTHash": hash(s.MQTT), "Viewer": videoUser, "Cameras": h.cameraValues(),
		"Province": h.province.URL(), "ProvinceKey": publicOf(s.Province), "HallKey": publicOf(s.HallKey),
	}
}

type cameraValues struct {
	Code, Name, URL string
	Scene           int
}

func (h *demoHall) cameraValues() (out []cameraValues) {
	for i, c := range demoCameras {
		out = append(out, cameraValues{Code: c.code, Name: c.name, Scene: c.scene, URL: h.cameras.URL(fmt.Sprint("/cam", i+1))})
	}
	return out
}

func (h *demoHall) planValues() map[string]any {
	type person struct{ ID, Name, PIN, Window, Role string }
	var staff []person
	for _, p := range demoStaff {
		staff = append(staff, person{p.id, p.name, hash(h.secrets.PINs[p.id]), p.window, p.role})
	}
	return map[string]any{"Staff": staff, "Zone": h.opts.zone}
}

func (h *demoHall) agentValues() map[string]any {
	type dev struct{ Name, Model, Connect string }
	var devs []dev
	for _, d := range devices {
		devs = append(devs, dev{d.name, d.model, h.station.connect(d.name)})
	}
	agent, cloud := h.at()
	broker, node, edge := "tls://"+cloud.MQTTTLS, "rtsps://"+cloud.RTSPTLS, "https://"+cloud.EdgeTLS
	switch h.opts.way {
	case "tlcp":
		broker, node, edge = "tlcp://"+cloud.MQTTTLCP, "rtsp+tlcp://"+cloud.RTSPTLCP, "tlcp://"+cloud.EdgeTLCP
	case "tcp":
		broker, node = "tcp://"+cloud.MQTT, "rtsp://"+cloud.RTSP
	}
	return map[string]any{
		"Hall": hallCode, "Name": hallName, "Data": h.data(),
		"HTTP": agent.HTTP, "MQTT": broker, "Edge": edge, "Password": h.opts.way == "tcp", "Node": node,
		"Cloud": cloud.HTTP, "Centre": publicOf(h.secrets.Centre),
		"Devices": devs, "Cameras": h.cameraValues(),
	}
}

// writeSecrets writes the files that the two configurations refer to.
func (h *demoHall) writeSecrets() error {
	s := h.secrets
	for dir, files := range map[string]map[string]string{
		"agent": {
			"kiosk.token": s.Kiosk, "screen.token": s.Screen, "staff.token": s.Staff, "ops.token": s.Ops,
			"cloud.password": s.MQTT, "relay.password": s.Publish, "camera.password": cameraPassword,
			"codes.key": s.HallKey,
		},
		"cloud": {"api.token": s.API, "viewer.token": s.Viewer, "publish.password": s.Publish, "province.key": s.Centre},
	} {
		dir := filepath.Join(h.opts.dir, dir, "secrets")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

func hash(secret string) string { return phc.New([]byte(secret)).String() }

func cameraPaths() []string {
	var out []string
	for i := range demoCameras {
		out = append(out, fmt.Sprint("/cam", i+1))
	}
	return out
}
