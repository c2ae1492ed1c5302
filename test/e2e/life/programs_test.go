// Package life walks what happens to a hall's box over the years, with the real programs: it is enrolled, replaced, copied, forgotten in
// a cupboard, and the centre changes its keys meanwhile.
package life

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"halledge/test/await"
	"halledge/test/demo"
)

const (
	hall  = "440900000000001"
	token = "a token of tests alone"
)

// program is one that runs, with what it says in a file.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a program until stop, or until the test ends, and waits until it has said in its ready file where it is.
func start(t *testing.T, dir string, into any, name string, args ...string) *program {
	t.Helper()
	ready := filepath.Join(dir, "ready.json")
	if err := os.Remove(ready); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &program{t: t, cmd: exec.Command(filepath.Join(demo.Programs(t), name), append(args, "--ready-file", ready)...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // what it ended with stands in its log
	}()
	t.Cleanup(func() {
		p.stop()
		said, err := os.ReadFile(log.Name())
		if err != nil || bytes.Contains(said, []byte("DATA RACE")) || bytes.Contains(said, []byte("panic:")) {
			t.Errorf("%s: %v", name, err)
		}
		if t.Failed() {
			t.Logf("%s in %s:\n%s", name, dir, said[max(0, len(said)-8<<10):])
		}
	})
	await.That(t, name+" is up", func() bool {
		select {
		case <-p.done:
			t.Fatalf("%s has ended", name)
		default:
		}
		raw, err := os.ReadFile(ready)
		return err == nil && json.Unmarshal(raw, into) == nil
	})
	return p
}

// stop ends the program as its service manager does.
func (p *program) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.t.Error("it does not end")
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// run runs a command to its end, with what is typed into it, and gives what it printed.
func run(dir, typed, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(typed)
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	return string(out), err
}

// centre is the central service of the test, and what an operator does at it.
type centre struct {
	t     *testing.T
	dir   string
	ports map[string]string // addresses by their name in the configuration
	at    struct{ HTTP string }
	*program
}

// newCentre starts a centre; further stands in its configuration.
func newCentre(t *testing.T, further string) *centre {
	t.Helper()
	c := &centre{t: t, dir: t.TempDir(), ports: map[string]string{}}
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)) // of this test alone: ports stay free
	for _, name := range []string{"http", "mqtt", "mqtt_tls", "mqtt_tlcp", "edge_tls", "edge_tlcp", "rtsp_tls", "rtsp_tlcp", "rtsp", "webrtc"} {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		c.ports[name] = l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(t, c.dir, "token", token)
	config := `schema: 1
http: {listen: "{http}"}
mqtt: {listen: "{mqtt}", tls: "{mqtt_tls}", tlcp: "{mqtt_tlcp}"}
edge: {tls: "{edge_tls}", tlcp: "{edge_tlcp}", hosts: [` + host + `], https: "https://{edge_tls}", mqtt: "tls://{mqtt_tls}", rtsp: "rtsps://{rtsp_tls}"}
rtsp: {tls: "{rtsp_tls}", tlcp: "{rtsp_tlcp}"}
media: {rtsp: "{rtsp}", webrtc: "{webrtc}", addresses: [` + host + `]}
database: cloud.db
tokens: [{name: test, roles: [viewer, manager, maintainer], secret: "file:token"}]
halls: [{code: "` + hall + `", name: 测试大厅, region: 测试市}]
` + further
	for name, address := range c.ports {
		config = strings.ReplaceAll(config, "{"+name+"}", address)
	}
	write(t, c.dir, "cloud.yaml", config)
	return c
}

func (c *centre) start() *centre {
	c.t.Helper()
	c.program = start(c.t, c.dir, &c.at, "hall-cloud", "run", "--config", c.config())
	return c
}

func (c *centre) config() string { return filepath.Join(c.dir, "cloud.yaml") }

// does is what an operator does at the centre, and what he is told.
func (c *centre) does(args ...string) string {
	c.t.Helper()
	said, err := run(c.dir, "", filepath.Join(demo.Programs(c.t), "hall-cloud"), append(args, "--config", c.config())...)
	if err != nil {
		c.t.Fatalf("hall-cloud %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return said
}

// get asks the centre's interface.
func (c *centre) get(path string, into any) {
	c.t.Helper()
	ask(c.t, http.MethodGet, "http://"+c.at.HTTP+path, nil, http.StatusOK, into)
}

// view is what the console shows of the hall.
type view struct {
	State  string
	Health []struct{ Code string }
	Log    struct {
		Epoch       string
		Epochs      int
		Stored      int
		HallLast    int `json:"hall_last"`
		Unread      int
		ChainFaults int `json:"chain_faults"`
	}
}

func (c *centre) sees() (v view) {
	c.t.Helper()
	c.get("/api/v1/halls/"+hall, &v)
	return v
}

// tells reports whether the console names something that is wrong with the hall.
func (v view) tells(code string) bool {
	return slices.ContainsFunc(v.Health, func(h struct{ Code string }) bool { return h.Code == code })
}

// box is a box of the hall with a directory of its own.
type box struct {
	t   *testing.T
	dir string
	at  struct{ HTTP string }
	*program
}

const plan = `schema: 1
revision: 1
zone: Asia/Shanghai
queues: [{id: A, name: 综合受理, english: General services, dept: 测试局, identity: none}]
windows: [{id: "1", name: 1号窗口, queues: [A]}]
staff: []
kiosks: [{id: "1", name: 取号机, desk: 导办台}]
screens: [{id: "1", name: 大屏}]
`

// newBox is a box as it comes from the maker: it knows its hall, and nothing of a centre.
func newBox(t *testing.T) *box { return newBoxWith(t, "off") }

// newBoxWith is one whose pages are encrypted as its configuration says.
func newBoxWith(t *testing.T, pages string) *box {
	t.Helper()
	b := &box{t: t, dir: t.TempDir()}
	write(t, b.dir, "token", token)
	write(t, b.dir, "hall.yaml", plan)
	write(t, b.dir, "agent.yaml", `schema: 1
hall: {code: "`+hall+`", name: 测试大厅, profile: full}
data: data
plan: hall.yaml
web:
  listen: 127.0.0.1:0
  tls: `+pages+`
  tokens: [{role: kiosk, id: "1", secret: "file:token"}]
`)
	return b
}

func (b *box) start() *box {
	b.t.Helper()
	b.program = start(b.t, b.dir, &b.at, "hall-agent", "run", "--config", b.config())
	return b
}

func (b *box) config() string { return filepath.Join(b.dir, "agent.yaml") }

// enrols types a code at the box, as who sets it up does.
func (b *box) enrols(c *centre, code string) string {
	b.t.Helper()
	said, err := run(b.dir, code, filepath.Join(demo.Programs(b.t), "hall-agent"), "enroll", "--config", b.config(), "--cloud", "https://"+c.ports["edge_tls"])
	if err != nil {
		b.t.Fatalf("hall-agent enroll: %v\n%s", err, said)
	}
	return said
}

// takes takes a ticket and gives its number.
func (b *box) takes() string {
	b.t.Helper()
	var a struct{ Ticket struct{ ID, Number string } }
	ask(b.t, http.MethodPost, "http://"+b.at.HTTP+"/api/v1/tickets", map[string]string{"queue": "A", "channel": "kiosk"}, http.StatusCreated, &a)
	return a.Ticket.Number
}

// doctor is what the people of the hall read when they ask how the box is.
func (b *box) doctor() string {
	b.t.Helper()
	said, _ := run(b.dir, "", filepath.Join(demo.Programs(b.t), "hall-agent"), "doctor", "--config", b.config()) // it fails for what is wrong
	return said
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask sends one question over HTTP.
func ask(t *testing.T, method, url string, body any, want int, into any) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", demo.Key())
	c := http.Client{Timeout: 20 * time.Second}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		t.Fatalf("%s %s: %d", method, url, res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
