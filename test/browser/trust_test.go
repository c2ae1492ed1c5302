package browser_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// hostile is the name of everything in a hall whose settings somebody has tampered with.
const hostile = `<img src=x onerror=alert(1)>"'`

// secureHall is a hall-agent alone whose pages are for other machines, too, with its root on a stick.
type secureHall struct {
	url, plain string
	stick      string // directory with hall-ca.crt
	said       string // by hall-agent trust
	screens    string
}

// startSecure starts one with hostile names.
func startSecure(t *testing.T) *secureHall {
	t.Helper()
	dir, program := t.TempDir(), filepath.Join(demo.Programs(t), "hall-agent")
	hash := exec.CommandContext(t.Context(), program, "hash")
	hash.Stdin = strings.NewReader("246810\n")
	pin, err := hash.Output()
	if err != nil {
		t.Fatal(err)
	}
	name, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"agent.yaml": fmt.Sprintf("schema: 1\nhall: {code: \"440900000000001\", name: %s, profile: village}\ndata: data\nplan: hall.yaml\nweb:\n  listen: 127.0.0.1:0\n  tls: on\n"+
			"  tokens:\n    - {role: kiosk, id: \"1\", secret: \"file:kiosk\"}\n    - {role: screen, id: \"1\", secret: \"file:screen\"}\n", name),
		"hall.yaml": fmt.Sprintf("schema: 1\nrevision: 1\nqueues: [{id: A, name: %[1]s, dept: %[1]s}]\nwindows: [{id: \"1\", name: %[1]s, queues: [A]}]\n"+
			"kiosks: [{id: \"1\", name: %[1]s}]\nscreens: [{id: \"1\", name: %[1]s, notice: %[1]s}]\nstaff: [{id: \"1\", name: %[1]s, role: manager, pin: '%[2]s'}]\n", name, bytes.TrimSpace(pin)),
		"kiosk": kioskSecret, "screen": screenSecret,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, ready := filepath.Join(dir, "agent.yaml"), filepath.Join(dir, "ready.json")
	run := exec.CommandContext(t.Context(), program, "run", "--config", config, "--ready-file", ready)
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	var log bytes.Buffer
	run.Stderr = &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // its context has ended
		if err := run.Wait(); err != nil || t.Failed() {
			t.Logf("hall-agent ended with %v:\n%s", err, &log)
		}
	})
	var at struct{ HTTP, URL string }
	demo.Until(t, demo.Patience, "the hall is ready", func() error {
		raw, err := os.ReadFile(ready)
		return errors.Join(err, json.Unmarshal(raw, &at))
	})
	stick := t.TempDir()
	said, err := exec.CommandContext(t.Context(), program, "trust", "--config", config, "--out", stick).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	doctor, err := exec.CommandContext(t.Context(), program, "doctor", "--config", config).CombinedOutput()
	if err != nil || !strings.Contains(string(doctor), "页面加密") || !strings.Contains(string(doctor), at.URL) {
		t.Errorf("doctor: %v\n%s", err, doctor)
	}
	root, err := demo.Root()
	if err != nil {
		t.Fatal(err)
	}
	return &secureHall{at.URL, "http://" + at.HTTP, stick, string(said), cmp.Or(os.Getenv("HALLEDGE_SCREENS"), filepath.Join(root, "var", "screens"))}
}

const kioskSecret, screenSecret = "kiosk-token-of-this-test", "screen-token-of-this-test"

// trusted gives the home of somebody whose browser trusts what is on the stick, as an installer does it.
func (h *secureHall) trusted(t *testing.T) (home string) {
	t.Helper()
	root, err := demo.Root()
	if err != nil {
		t.Fatal(err)
	}
	home = t.TempDir()
	install := exec.CommandContext(t.Context(), filepath.Join(root, "packaging", "kiosk", "hall-trust"), "--user", filepath.Join(h.stick, "hall-ca.crt"))
	install.Env = append(os.Environ(), "HOME="+home)
	install.Stdin = strings.NewReader("yes\n")
	out, err := install.CombinedOutput()
	if err != nil {
		t.Fatalf("%v (apt-get install -y --no-install-recommends libnss3-tools)\n%s", err, out)
	}
	sha256 := h.said[strings.Index(h.said, "SHA-256"):]
	if sha256, _, _ = strings.Cut(sha256, "\n"); !strings.Contains(string(out), sha256) {
		t.Errorf("the installer compares %s with\n%s", h.said, out)
	}
	return home
}

// A machine of the hall comes to trust the pages as its installer is told to, and only then shows them.
func TestMachinesTrustTheHall(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	stranger := chrome.Start(t).Open(t, 1280, 800, h.plain+"/kiosk/1?token="+kioskSecret)
	stranger.Allow("426 (Upgrade Required)")
	stranger.Demand(leastLetters, leastTarget)
	stranger.Sees("安装根证书", "没有加密", "核对指纹", hostile)
	h.shot(t, stranger, "trust-plain")
	stranger.Allow("ERR_CERT_AUTHORITY_INVALID")
	if why := stranger.Fails(h.url + "/kiosk/1"); !strings.Contains(why, "ERR_CERT_AUTHORITY_INVALID") {
		t.Errorf("a machine without the root: %s", why)
	}

	machine := chrome.StartAtHome(t, h.trusted(t))
	p := machine.Open(t, 1280, 800, h.url+"/trust")
	p.Demand(leastLetters, leastTarget)
	p.Sees("安装根证书", "Windows 7", "银河麒麟", "安卓平板")
	p.Misses("没有加密")
	for _, line := range strings.Split(h.said, "\n") {
		if _, fingerprint, found := strings.Cut(line, "SHA-"); found {
			p.Sees(strings.Fields(fingerprint)[1])
		}
	}
	h.shot(t, p, "trust")
	p.Resize(1080, 1920)
	h.shot(t, p, "trust-tall")
	p.Go(h.url + "/kiosk/1?token=" + kioskSecret)
	p.Sees("请按下面取号")
	if at := p.Address(); at != h.url+"/kiosk/1" {
		t.Errorf("the kiosk is at %s", at)
	}
	if secure := chrome.Eval[bool](p, "window.isSecureContext"); !secure {
		t.Error("no camera would be had here")
	}
}

// hallSees are texts of each page of the hall, by its route: those that others named show the name. A page that is not here fails.
var hallSees = map[string][]string{
	"/{$}": {hostile}, "/kiosk/{id}": {hostile}, "/window/{id}": {hostile}, "/screen/{id}": {hostile}, "/rate/{id}": {hostile}, "/desk": {hostile}, "/board": {hostile},
	"/board/plan": {hostile}, "/board/rerun": {hostile}, "/ops": {hostile}, "/t/{token}": {"号"}, "/trust": {hostile},
}

// routeOfPage is how a page is put on the hall's server.
var routeOfPage = regexp.MustCompile(`HandleFunc\("GET (/[^"]*)"`)

// hallPages gives the routes of the hall's pages as the sources have them.
func hallPages(t *testing.T) (routes []string) {
	t.Helper()
	root, err := demo.Root()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, "agent", "internal", "web", "pages", "pages.go"))
	if err != nil {
		t.Fatal(err)
	}
	routes = []string{"/trust"}
	for _, m := range routeOfPage.FindAllStringSubmatch(string(source), -1) {
		if m[1] != "/assets/{file}" {
			routes = append(routes, m[1])
		}
	}
	if len(routes) < 12 {
		t.Fatalf("only %v found: does the search still work?", routes)
	}
	return routes
}

// Threat 19: names that are markup are shown as they are written, on every page, and nothing of them runs; nor of what was written into
// remarks and reasons, nor of what stands in an address.
func TestThreat19HostileNamesOnEveryPage(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	p := chrome.StartAtHome(t, h.trusted(t)).Open(t, 1440, 900, h.url+"/")
	p.Allow("404 (Not Found)")
	p.Allow("401 (Unauthorized)") // the pages of staff, before and after their sign-in
	p.Allow("400 (Bad Request)")
	p.Allow("423 (Locked)")
	query := "?as=" + hostilePath + "&token=" + hostilePath + "&window=" + hostilePath + "&day=" + hostilePath + "&lang=" + hostilePath + "#" + hostilePath
	token := map[string]string{"/kiosk/{id}": kioskSecret, "/screen/{id}": screenSecret, "/rate/{id}": kioskSecret}
	for _, route := range hallPages(t) {
		shows, known := hallSees[route]
		if !known {
			t.Errorf("nobody has said what the page %s shows", route)
		}
		there := strings.NewReplacer("{$}", "", "{id}", "1", "{token}", hostilePath).Replace(route)
		if secret := token[route]; secret != "" {
			p.Go(h.url + there + "?token=" + secret)
		} else {
			p.Go(h.url + there + query)
		}
		if strings.Contains(p.Text(), "PIN") {
			p.Fill("工号", "1")
			p.Fill("PIN 码", "246810")
			p.Press(chrome.Enter)
			p.Misses("PIN 码")
		}
		if route == "/window/{id}" {
			h.writes(t, p)
		}
		p.Go(h.url + there)
		p.Sees(shows...)
		harmless(t, p, route)
		for _, name := range chrome.Eval[[]string](p, "Array.from(document.querySelectorAll('[role=tab]')).filter((e) => e.checkVisibility()).map((e) => e.innerText.trim())") {
			p.Click("tab", name)
			harmless(t, p, route+", "+name)
		}
		p.Go(h.url + there + query)
		harmless(t, p, route+" with a query")
		if strings.Contains(route, "{id}") {
			p.Go(h.url + strings.Replace(route, "{id}", hostilePath, 1))
			harmless(t, p, route+" of nothing")
		}
	}
	p.Go(h.url + "/" + hostilePath)
	p.Sees("回到首页")
	harmless(t, p, "no page")
	p.Go(h.url + "/window/1")
	p.Sees(hostile)
	if status := h.asks(p, "/lock?as=window-1", ""); status != http.StatusNoContent {
		t.Errorf("locked: %d", status)
	}
	p.Reload()
	p.Sees("PIN")
	harmless(t, p, "a locked page")
}

// asks sends a command as the page itself would, and gives the status of the answer.
func (h *secureHall) asks(p *chrome.Page, path, body string) int {
	return chrome.Eval[int](p, fmt.Sprintf(`(() => {
	const x = new XMLHttpRequest();
	x.open('POST', %q, false);
	x.setRequestHeader('Content-Type', 'application/json');
	x.setRequestHeader('Idempotency-Key', %q);
	x.send(%s);
	return x.status;
})()`, path, demo.Key(), strconv.Quote(body)))
}

// writes lets the clerk of a window write hostile remarks wherever there is room for any.
func (h *secureHall) writes(t *testing.T, p *chrome.Page) {
	t.Helper()
	for _, step := range []struct {
		path string
		body map[string]any
	}{
		{"windows/1/open", nil}, {"tickets", map[string]any{"queue": "A", "channel": "window"}}, {"tickets", map[string]any{"queue": "A", "channel": "window"}}, {"tickets", map[string]any{"queue": "A", "channel": "window"}},
		{"windows/1/call-next", nil}, {"windows/1/start", nil}, {"windows/1/hold", map[string]any{"reason": hostile}},
		{"windows/1/call-next", nil}, {"windows/1/start", nil}, {"windows/1/transfer", map[string]any{"to": map[string]string{"queue": "A"}, "note": hostile, "reason": hostile}},
		{"windows/1/pause", map[string]any{"reason": hostile}},
	} {
		body, err := json.Marshal(step.body)
		if err != nil {
			t.Fatal(err)
		}
		if status := h.asks(p, "/api/v1/"+step.path+"?as=window-1", string(body)); status >= 300 {
			t.Errorf("%s: %d", step.path, status)
		}
	}
}

// hostilePath is the hostile name in an address.
const hostilePath = "%3Cimg%20src=x%20onerror=alert(1)%3E%22'"

// shot keeps a picture for eyes.
func (h *secureHall) shot(t *testing.T, p *chrome.Page, name string) {
	t.Helper()
	p.Save(filepath.Join(h.screens, name+".png"))
	for _, flaw := range p.Flaws() {
		t.Errorf("%s: %s", name, flaw)
	}
}
