package packaging

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"halledge/test/demo"
)

const kiosk = root + "/packaging/kiosk"

// shown is a running hall-kiosk with a browser that is a plain program and an agent that says what the test wants.
type shown struct {
	t     *testing.T
	dir   string
	quiet atomic.Int64 // of the page, in seconds; -1: never heard, -2: the agent is in trouble
	asked atomic.Int64
	stuck atomic.Bool // the browser itself does not answer
	cmd   *exec.Cmd
	agent string // its address
}

func show(t *testing.T, settings string) *shown {
	t.Helper()
	s := &shown{t: t, dir: t.TempDir()}
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := s.quiet.Load(); {
		case r.URL.Path == "/json/version": // of the browser, which shares this port
			if s.stuck.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		case r.URL.Path != "/healthz" || r.URL.Query().Get("page") != "kiosk-7":
			w.WriteHeader(http.StatusNotFound)
		case n == -2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case n == -1:
			fmt.Fprintln(w, `{"status":"ok"}`)
		default:
			fmt.Fprintf(w, `{"quiet_s":%d,"status":"ok"}`+"\n", n)
		}
		s.asked.Add(1)
	}))
	t.Cleanup(agent.Close)
	s.agent = agent.URL
	port := agent.URL[strings.LastIndex(agent.URL, ":")+1:]
	s.write("token", "0123456789abcdef\n", 0o600)
	s.write("browser", "#!/bin/sh\nenv >"+s.path("env")+"\nprintf '%s\\n' \"$@\" >"+s.path("args")+"\nfor a; do case $a in --user-data-dir=*) echo "+port+" >\"${a#*=}/DevToolsActivePort\" ;; esac; done\necho $$ >>"+s.path("pids")+"\nexec sleep 1000\n", 0o700)
	s.write("conf", "URL='"+agent.URL+"/kiosk/7?lang=en'\nTOKEN_FILE="+s.path("token")+"\nBROWSER="+s.path("browser")+"\nNIGHTLY=\nEVERY_S=0.2\n"+settings+"\n", 0o600)
	s.cmd = exec.Command(kiosk+"/hall-kiosk", s.path("conf"))
	s.cmd.Env = append(os.Environ(), "DISPLAY=", "RUNTIME_DIRECTORY="+s.dir)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
		if pids := s.pids(); len(pids) > 0 && alive(pids[len(pids)-1]) {
			t.Errorf("the browser %d stays behind", pids[len(pids)-1])
		}
		if left, _ := filepath.Glob(s.path("hall-kiosk.*")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
	return s
}

func (s *shown) path(name string) string { return filepath.Join(s.dir, name) }

func (s *shown) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// pids gives the browsers that were started, in order.
func (s *shown) pids() (out []int) {
	data, _ := os.ReadFile(s.path("pids")) // none yet
	for _, line := range strings.Fields(string(data)) {
		n, err := strconv.Atoi(line)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// nth waits for the nth browser.
func (s *shown) nth(n int) int {
	s.t.Helper()
	s.until(fmt.Sprintf("browser %d", n), func() bool { return len(s.pids()) >= n })
	return s.pids()[n-1]
}

func (s *shown) until(what string, done func() bool) {
	s.t.Helper()
	demo.Until(s.t, demo.Patience, what, func() error {
		if !done() {
			return errors.New("not yet")
		}
		return nil
	})
}

// looks waits until the agent was asked some more times.
func (s *shown) looks(n int64) {
	s.t.Helper()
	from := s.asked.Load()
	s.until("look", func() bool { return s.asked.Load() >= from+n })
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// Only a machine that is set up for it lets its page use the camera.
func TestTheCameraIsForThosePagesThatReadCodes(t *testing.T) {
	for settings, lets := range map[string]bool{"CAMERA=yes": true, "CAMERA=no": false, "": false} {
		s := show(t, "SILENT_S=1000\n"+settings)
		s.nth(1)
		args := read(t, s.path("args"))
		for _, flag := range []string{"--auto-accept-camera-and-microphone-capture\n", "--unsafely-treat-insecure-origin-as-secure=" + s.agent + "\n"} {
			if strings.Contains(args, flag) != lets {
				t.Errorf("%q, %q: %s", settings, flag, args)
			}
		}
	}
}

func TestAKilledBrowserComesBack(t *testing.T) {
	s := show(t, "SILENT_S=1000")
	first := s.nth(1)
	args := read(t, s.path("args"))
	for _, want := range []string{"--kiosk\n", "--no-first-run\n", "--autoplay-policy=no-user-gesture-required\n", "/kiosk/7?lang=en&token=0123456789abcdef\n"} {
		if !strings.Contains(args, want) {
			t.Errorf("the browser is not started with %q: %s", want, args)
		}
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if s.nth(2) == first {
		t.Error("no new browser")
	}
}

func TestAFrozenBrowserIsStartedAnew(t *testing.T) {
	s := show(t, "SILENT_S=1")
	first := s.nth(1)
	s.looks(4)
	s.quiet.Store(-2) // an agent that does not answer, or is in trouble, is not the browser's fault
	s.looks(4)
	s.quiet.Store(0)
	s.looks(2)
	if !alive(first) || len(s.pids()) != 1 {
		t.Fatalf("a browser whose page is heard was ended: %v", s.pids())
	}
	if err := syscall.Kill(first, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.quiet.Store(30)
	second := s.nth(2)
	if alive(first) {
		t.Error("the frozen browser is still there")
	}
	s.quiet.Store(-1) // nor does a page that was never let in help anybody
	s.nth(3)
	if alive(second) {
		t.Error("the second browser is still there")
	}
}

// Its page may go on asking the agent while nobody's finger is felt.
func TestABrowserThatDoesNotAnswerIsStartedAnew(t *testing.T) {
	s := show(t, "SILENT_S=1000")
	first := s.nth(1)
	s.stuck.Store(true)
	s.nth(2)
	if alive(first) {
		t.Error("it is still there")
	}
}

func TestTheNightsStartWaitsForAnHour(t *testing.T) {
	s := show(t, "SILENT_S=1\nNIGHTLY=$(date +%H)")
	first := s.nth(1)
	s.looks(6)
	if !alive(first) {
		t.Error("a browser that was just started is started anew")
	}
}

func TestSettingsThatNameNoPageAreRefused(t *testing.T) {
	for _, url := range []string{"", "http://192.168.1.10:8080/", "192.168.1.10/kiosk/1"} {
		conf := filepath.Join(t.TempDir(), "conf")
		if err := os.WriteFile(conf, []byte("URL="+url+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(kiosk+"/hall-kiosk", conf).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "names no page") {
			t.Errorf("%q: %v %s", url, err, out)
		}
	}
}

// A kiosk trusts the root it is given, for its browser and for its own questions, and nothing else on the machine does.
func TestAKioskTrustsTheHallsRoot(t *testing.T) {
	hall := newRoot(t)
	settings := "SILENT_S=1000\nCA=" + hall.file
	s := show(t, settings)
	s.nth(1)
	var home string
	for _, line := range strings.Fields(read(t, s.path("env"))) {
		if of, found := strings.CutPrefix(line, "HOME="); found {
			home = of
		}
	}
	if !strings.HasPrefix(home, s.dir) {
		t.Fatalf("the browser's home is %s", home)
	}
	list, err := exec.Command("certutil", "-d", "sql:"+home+"/.pki/nssdb", "-L").CombinedOutput()
	if err != nil || !strings.Contains(string(list), "hall-ca") || !strings.Contains(string(list), "C,,") {
		t.Errorf("%v: %s", err, list)
	}
}

// hallRoot is the root of a hall on a stick.
type hallRoot struct {
	der, leaf []byte
	file      string
}

func newRoot(t *testing.T) *hallRoot {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "Hall"}, NotAfter: time.Now().AddDate(1, 0, 0), BasicConstraintsValid: true}
	r := &hallRoot{file: filepath.Join(t.TempDir(), "hall-ca.crt")}
	for _, to := range []*[]byte{&r.leaf, &r.der} {
		if *to, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key); err != nil {
			t.Fatal(err)
		}
		template.IsCA = true
	}
	r.write(t, r.text())
	return r
}

func (r *hallRoot) text() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.der})
}

func (r *hallRoot) sha256() string {
	sum := sha256.Sum256(r.der)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

func (r *hallRoot) write(t *testing.T, data []byte) {
	t.Helper()
	if err := os.WriteFile(r.file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Nobody installs a root whose fingerprint he has not compared, or what is none.
func TestInstallingARoot(t *testing.T) {
	hall, home := newRoot(t), t.TempDir()
	run := func(answer string, arguments ...string) (string, error) {
		cmd := exec.Command(kiosk+"/hall-trust", append(arguments, hall.file)...)
		cmd.Env = append(os.Environ(), "HOME="+home)
		cmd.Stdin = strings.NewReader(answer)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	trusted := func() string {
		out, _ := exec.Command("certutil", "-d", "sql:"+home+"/.pki/nssdb", "-L", "-n", "hall-ca", "-a").Output() // fails where it is not
		return strings.ReplaceAll(string(out), "\r", "")
	}
	for _, answer := range []string{"", "no\n", "\n"} {
		if out, err := run(answer, "--user"); err == nil || trusted() != "" || !strings.Contains(out, hall.sha256()) {
			t.Errorf("%q: %v %s", answer, err, out)
		}
	}
	if out, err := run("yes\n", "--user"); err != nil || trusted() != string(hall.text()) || !strings.Contains(out, hall.sha256()) {
		t.Errorf("%v %s", err, out)
	}
	next := newRoot(t) // of a box that was replaced, as browsers save it
	hall.write(t, next.der)
	if out, err := run("yes\n", "--user"); err != nil || trusted() != string(next.text()) {
		t.Errorf("%v %s", err, out)
	}
	for _, other := range [][]byte{hall.leaf, []byte("no certificate"), nil} {
		hall.write(t, other)
		if out, err := run("yes\n", "--user"); err == nil || trusted() != string(next.text()) {
			t.Errorf("%v %s", err, out)
		}
	}
}
