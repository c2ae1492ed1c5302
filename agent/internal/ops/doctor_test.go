package ops_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/ops"
	"halledge/agent/kit/problem"
	"halledge/configs"
	"halledge/drivers/drivertest/sysfs"
)

// site writes a configuration whose data directory is dir/data.
func site(t *testing.T) (path, data string) {
	t.Helper()
	dir := t.TempDir()
	data = filepath.Join(dir, "data")
	path = filepath.Join(dir, "agent.yaml")
	for name, text := range map[string]string{
		"agent.yaml": "schema: 1\nhall: {code: \"440900000000001\", name: 测试大厅, profile: village}\ndata: data\nplan: hall.yaml\nweb: {listen: 127.0.0.1:0}\n",
		"hall.yaml": "schema: 1\nrevision: 1\nzone: Asia/Shanghai\nqueues: [{id: A, name: 综合业务}]\n" +
			"windows: [{id: \"1\", name: 1号窗口, queues: [A]}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	return path, data
}

// agent answers the doctor's questions as a running agent does, to who has its token.
func agent(t *testing.T, data, devices, health string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer door":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/api/v1/devices":
			fmt.Fprintf(w, `{"devices":[%s]}`, devices)
		case r.URL.Path == "/api/v1/hall":
			fmt.Fprintf(w, `{"health":[%s]}`, health)
		case r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") != "":
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"detail":"打印机没有纸了。","advice":"请装纸。"}`)
		}
	}))
	t.Cleanup(s.Close)
	if err := ops.LeaveDoor(data, ops.Door{HTTP: strings.TrimPrefix(s.URL, "http://"), Token: "door"}); err != nil {
		t.Fatal(err)
	}
}

func texts(t *testing.T) *problem.Catalog {
	t.Helper()
	c, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func verdicts(r ops.Report) map[string]ops.Verdict {
	out := map[string]ops.Verdict{}
	for _, c := range r.Checks {
		out[c.Name] = c.Verdict
	}
	return out
}

func TestDoctorFindsNothingWrongWithAGoodBox(t *testing.T) {
	path, data := site(t)
	agent(t, data, `{"name":"kiosk-1.printer","model":"x","state":"ok"}`, "")
	r := ops.Examine(context.Background(), path, t.TempDir(), texts(t))
	for name, v := range verdicts(r) {
		if v == ops.Bad {
			t.Errorf("%s is bad", name)
		}
	}
	if !r.OK || verdicts(r)["设备 kiosk-1.printer"] != ops.Good {
		t.Errorf("%+v", r)
	}
	var out bytes.Buffer
	want := "一切正常"
	if slices.Contains(slices.Collect(maps.Values(verdicts(r))), ops.Warn) { // of a slow disk, for one
		want = "标 !"
	}
	if err := r.Text(&out); err != nil || !strings.HasSuffix(out.String(), "\n"+r.Summary+"\n") || !strings.Contains(r.Summary, want) {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestDoctorNamesWhatIsWrong(t *testing.T) {
	path, data := site(t)
	agent(t, data, `{"name":"kiosk-1.printer","state":"offline","code":"paper_out","advice":"请装纸。"}`,
		`{"code":"device_paper_out","severity":"error","title":"没纸"},{"code":"storage_full","severity":"error","title":"磁盘满了","advice":"请清理磁盘。"},`+
			`{"code":"log_backlog","severity":"warning","title":"待传数据较多"}`)
	r := ops.Examine(context.Background(), path, t.TempDir(), texts(t))
	got := verdicts(r)
	if r.OK || got["设备 kiosk-1.printer"] != ops.Bad || got["磁盘满了"] != ops.Bad || got["待传数据较多"] != ops.Warn {
		t.Errorf("%+v", r)
	}
	if _, twice := got["没纸"]; twice {
		t.Error("the printer's trouble is told twice")
	}
	var out bytes.Buffer
	if err := r.Text(&out); err != nil || !strings.Contains(out.String(), "✗ 设备 kiosk-1.printer") || !strings.Contains(out.String(), "→ 请装纸。") {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestDoctorTellsTheCauseFirstAndNoSymptoms(t *testing.T) {
	path, data := site(t)
	const cause = `"cause":{"code":"usb_hub_gone","title":"USB 集线器不见了","subject":"1-1","devices":["kiosk-1.printer","kiosk-1.scanner"]}`
	agent(t, data, `{"name":"hall.led","model":"x","state":"ok","cause":null},{"name":"kiosk-1.printer","state":"offline","code":"offline",`+cause+
		`},{"name":"kiosk-1.scanner","state":"offline","code":"offline",`+cause+`}`,
		`{"code":"usb_hub_gone","subject":"1-1","severity":"error","title":"USB 集线器不见了"}`)
	machine := sysfs.New(t)
	machine.Node(machine.Plug("1-2", "04b8:0202", "", "TM-T88V", "bus/usb/001/006"), "1-2:1.0", "usbmisc", "lp0", "usb/lp0")
	machine.Node(machine.Plug("1-3", "1a86:7523", "", "USB Serial", "bus/usb/001/007"), "1-3:1.0", "tty", "ttyUSB0", "ttyUSB0")
	r := ops.Examine(context.Background(), path, machine.Root, texts(t))
	var got []string
	for _, c := range r.Checks {
		if strings.HasPrefix(string(c.Code), "device_") || strings.HasPrefix(c.Name, "设备 kiosk") {
			t.Errorf("a symptom is told: %+v", c)
		}
		if c.Code != "" && c.Verdict != ops.Info && c.Code != "disk_slow" { // the machine's own
			got = append(got, string(c.Code)+" "+string(c.Verdict))
		}
	}
	if want := []string{"usb_hub_gone fail", "doctor_spare warn"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	var out bytes.Buffer
	if err := r.Text(&out); err != nil || !strings.Contains(out.String(), "kiosk-1.printer、kiosk-1.scanner") || !strings.Contains(out.String(), "hall-agent devices add 04b8:0202@1-2 --write") {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestDoctorWithoutAgentOrConfiguration(t *testing.T) {
	path, data := site(t)
	if r := ops.Examine(context.Background(), path, t.TempDir(), texts(t)); r.OK || verdicts(r)["代理服务"] != ops.Bad || verdicts(r)["配置文件"] != ops.Good {
		t.Errorf("no agent: %+v", r)
	}
	if err := os.WriteFile(filepath.Join(data, ops.DoorFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := ops.Examine(context.Background(), path, t.TempDir(), texts(t)); r.OK || verdicts(r)["代理服务"] != ops.Bad {
		t.Errorf("a torn door: %+v", r)
	}
	if err := os.WriteFile(path, []byte("schema: 1\nhall: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := ops.Examine(context.Background(), path, t.TempDir(), texts(t)); r.OK || verdicts(r)["配置文件"] != ops.Bad {
		t.Errorf("a torn configuration: %+v", r)
	}
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if r := ops.Examine(context.Background(), filepath.Join(t.TempDir(), "none.yaml"), t.TempDir(), texts(t)); r.OK {
		t.Errorf("nothing at all: %+v", r)
	}
}

func TestRemoteSaysWhatTheAgentSays(t *testing.T) {
	path, data := site(t)
	cfg, problems := config.Load(path)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if _, err := ops.Devices(context.Background(), cfg); err == nil || ops.Sentence(err, texts(t)) != "代理没有在运行。" {
		t.Errorf("devices of an agent that does not run: %v", err)
	}
	agent(t, data, `{"name":"kiosk-1.printer"}`, "")
	if list, err := ops.Devices(context.Background(), cfg); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if err := ops.TestDevice(context.Background(), cfg, "kiosk-1.printer"); err == nil || ops.Sentence(err, texts(t)) != "打印机没有纸了。请装纸。" {
		t.Errorf("got %v", err)
	}
	if err := ops.LeaveDoor(data, ops.Door{HTTP: "127.0.0.1:1", Token: "door"}); err != nil {
		t.Fatal(err)
	}
	if _, err := ops.Devices(context.Background(), cfg); err == nil || !strings.HasPrefix(ops.Sentence(err, texts(t)), "代理没有应答（") {
		t.Errorf("devices of an agent that is silent: %v", err)
	}
}

// Threat 34: over TLS the doctor asks nobody but the agent that left the door, and says how long its root is good.
func TestThreat34TheDoctorAsksTheAgentAlone(t *testing.T) {
	for name, c := range map[string]struct {
		life  time.Duration
		other bool // somebody else is at that address
		check string
		want  ops.Verdict
	}{
		"good":          {10 * 365 * 24 * time.Hour, false, "页面加密", ops.Good},
		"ends soon":     {100 * 24 * time.Hour, false, "页面根证书快到期了", ops.Warn},
		"somebody else": {10 * 365 * 24 * time.Hour, true, "代理服务", ops.Bad},
	} {
		t.Run(name, func(t *testing.T) {
			path, data := site(t)
			root := selfMade(t, c.life)
			served := root
			if c.other {
				served = selfMade(t, c.life)
			}
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{}`) }))
			s.TLS = &tls.Config{Certificates: []tls.Certificate{served}}
			s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are broken off
			s.StartTLS()
			defer s.Close()
			if err := ops.LeaveDoor(data, ops.Door{HTTP: s.Listener.Addr().String(), Token: "door", Root: root.Certificate[0]}); err != nil {
				t.Fatal(err)
			}
			r := ops.Examine(t.Context(), path, t.TempDir(), texts(t))
			if got := verdicts(r)[c.check]; got != c.want {
				t.Errorf("%q: %+v", got, r)
			}
			cfg, _ := config.Load(path)
			of, address, err := ops.Trust(cfg)
			if err != nil || !bytes.Equal(of.DER(), root.Certificate[0]) || !strings.HasSuffix(address, s.Listener.Addr().String()) {
				t.Errorf("%v %s", err, address)
			}
		})
	}
	path, data := site(t)
	agent(t, data, "", "")
	cfg, _ := config.Load(path)
	if _, _, err := ops.Trust(cfg); err == nil || !strings.Contains(ops.Sentence(err, texts(t)), "不加密") {
		t.Errorf("a hall for its own machine: %v", err)
	}
}

// selfMade is a certificate of this machine that is its own root.
func selfMade(t *testing.T, life time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: t.Name()}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
