package web_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
)

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// browser is a client with cookies.
type browser struct {
	s      *stage
	client *http.Client
}

func (s *stage) browser() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	must(s.t, err)
	return &browser{s, &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (b *browser) do(method, path, body string, header ...string) reply {
	b.s.t.Helper()
	req, err := http.NewRequestWithContext(b.s.t.Context(), method, b.s.base+path, strings.NewReader(body))
	must(b.s.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(req)
	must(b.s.t, err)
	r, err := readReply(res)
	must(b.s.t, err)
	return r
}

func (b *browser) signIn(user, page string) reply {
	b.s.t.Helper()
	return b.do("POST", "/sign-in", fmt.Sprintf(`{"user":%q,"pin":%q,"page":%q}`, user, clerkPIN, page))
}

var allPages = []string{"/", "/kiosk/1", "/window/1", "/screen/1", "/rate/1", "/desk", "/board", "/ops"}

func TestPages(t *testing.T) {
	s := open(t)
	paths := append([]string{"/t/" + s.signer.Token("01X"), "/rate/" + s.signer.Token("01X")}, allPages...)
	for _, path := range paths {
		r := s.get("", path).want(t, 200, "")
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || !strings.Contains(r.Raw, "茂名市政务服务大厅") {
			t.Errorf("%s: %v", path, r.Header)
		}
		if strings.Contains(r.Raw, "style=") || strings.Contains(r.Raw, "<script>") || strings.Contains(r.Raw, "onclick=") || strings.Contains(r.Raw, "<style") {
			t.Errorf("%s has something inline, which the content policy forbids", path)
		}
		h := s.do("HEAD", path, "", "", nil).want(t, 200, "")
		if h.Raw != "" {
			t.Errorf("HEAD %s has a body", path)
		}
		for _, address := range assetsOf(r.Raw) {
			a := s.get("", address).want(t, 200, "")
			if !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s is not cached: %v", address, a.Header)
			}
		}
	}
}

// mostBytes is what a page may have with its script and style: machines of a village fetch it over a line that others use too. A kiosk
// whose page reads codes with a camera brings the means for that.
const (
	mostBytes       = 60_000
	mostCameraBytes = 7_000
)

// Each page is measured as it is when somebody is let in, in a hall with many queues and windows whose names are long.
func TestPagesAreLight(t *testing.T) {
	s := open(t, largeHall)
	for path, token := range map[string]string{
		"/t/" + s.signer.Token("01X"): "", "/rate/" + s.signer.Token("01X"): "", "/": "", "/kiosk/1": kioskToken, "/kiosk/2": staffToken, "/window/1": staffToken,
		"/screen/1": screenToken, "/screen/2": screenToken, "/rate/1": staffToken, "/desk": staffToken, "/board": staffToken, "/board/plan": staffToken, "/board/rerun": staffToken, "/ops": opsToken,
	} {
		page := s.browser().do("GET", path+"?token="+token, "").want(t, 200, "")
		if strings.Contains(page.Raw, `id="gate"`) {
			t.Fatalf("%s is closed", path)
		}
		size := len(page.Raw)
		for _, address := range assetsOf(page.Raw) {
			size += len(s.get("", address).Raw)
		}
		t.Logf("%s: %d bytes", path, size)
		most := mostBytes
		if strings.Contains(page.Raw, `id="camera"`) {
			most += mostCameraBytes
		}
		if size > most {
			t.Errorf("%s has %d bytes with its script and style", path, size)
		}
	}
}

// largeHall gives a hall many queues and windows.
func largeHall(site *config.Site, plan *config.Plan) {
	site.Devices = append(site.Devices, config.Device{Name: "kiosk-1.scanner"})
	site.Web.Tokens[slices.IndexFunc(site.Web.Tokens, func(t config.Token) bool { return t.Role == "screen" })].ID = ""
	plan.Queues, plan.Windows = nil, nil
	plan.Kiosks[1].Queues, plan.Kiosks[1].Camera = nil, "page"
	for i := range 12 {
		id := string(rune('A' + i))
		plan.Queues = append(plan.Queues, config.Queue{
			ID: id, Name: "工程建设项目审批", English: "Construction approval", Dept: "市住房和城乡建设局", Identity: "required",
		})
		plan.Windows = append(plan.Windows, config.Window{ID: strconv.Itoa(2*i + 1), Name: "工程建设窗口", Queues: []string{id}},
			config.Window{ID: strconv.Itoa(2*i + 2), Name: "工程建设窗口", Queues: []string{id, "A"}})
	}
}

// assetsOf gives the scripts and style sheets of a page.
func assetsOf(page string) (out []string) {
	for _, part := range strings.Split(page, `"`) {
		if strings.HasPrefix(part, "/assets/") && strings.Contains(part, "?v=") {
			out = append(out, part)
		}
	}
	return out
}

func TestUnknownAddresses(t *testing.T) {
	s := open(t)
	for path, status := range map[string]int{
		"/nothing": 404, "/kiosk/9": 404, "/window/9": 404, "/screen/9": 404, "/screen/1?window=9": 404, "/rate/9": 404, "/kiosk/": 404, "/api/v1/nothing": 404,
		"/assets/nothing.js": 404, "/kiosk/%3Cscript%3E": 404, "/x//nothing": 404, "//evil.example/x": 404,
	} {
		r := s.get("", path).want(t, status, "not_found")
		if r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %v", path, r.Header)
		}
		h := s.do("GET", path, "", "", nil, "Accept", "text/html,*/*")
		if isPage := strings.HasPrefix(h.Header.Get("Content-Type"), "text/html"); h.Status != status || isPage == strings.HasPrefix(path, "/api/") {
			t.Errorf("%s for a browser: %d %v", path, h.Status, h.Header)
		}
	}
	if r := s.get("", "/t/HE1.01X.forged"); r.Status != 404 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v", r.Status, r.Header)
	}
	for path, method := range map[string]string{"/kiosk/1": "POST", "/api/v1/hall": "DELETE", "/api/v1/tickets/x/withdraw": "GET"} {
		r := s.do(method, path, staffToken, "k", nil).want(t, 405, "method_not_allowed")
		if r.Header.Get("Allow") == "" || !strings.Contains(r.text("detail"), method) {
			t.Errorf("%s %s: %v %s", method, path, r.Header, r.Raw)
		}
	}
}

func TestThreat19NamesCannotBreakPages(t *testing.T) {
	evil := `"><img src=x onerror=alert(1)>{{.}}</script>`
	s := open(t, func(site *config.Site, p *config.Plan) {
		site.Hall.Name = "茂名市政务服务大厅" + evil
		p.Queues[0].Name, p.Windows[0].Name, p.Kiosks[0].Name, p.Screens[0].Notice, p.Screens[0].Name = evil, evil, evil, evil, evil
	})
	for path, token := range map[string]string{"/kiosk/1": kioskToken, "/window/1": staffToken, "/screen/1": screenToken, "/": "", "/desk": staffToken} {
		b := s.browser()
		r := b.do("GET", path+"?token="+token, "").want(t, 200, "")
		if strings.Contains(r.Raw, "<img src=x") || strings.Contains(r.Raw, evil) {
			t.Errorf("%s: %s", path, r.Raw)
		}
	}
}

func TestAKioskPage(t *testing.T) {
	s := open(t)
	b := s.browser()
	closed := b.do("GET", "/kiosk/1", "").want(t, 200, "")
	if !strings.Contains(closed.Raw, "还没有授权") || strings.Contains(closed.Raw, `id="queues"`) {
		t.Error("the kiosk is open to everybody")
	}
	if r := b.do("GET", "/kiosk/1?token=wrong", "").want(t, 200, ""); !strings.Contains(r.Raw, "还没有授权") {
		t.Error("a wrong token opens the kiosk")
	}
	if r := b.do("GET", "/kiosk/1?token="+kioskToken, "").want(t, 200, ""); !strings.Contains(r.Raw, `id="queues"`) || strings.Contains(r.Raw, kioskToken) {
		t.Errorf("%s", r.Raw)
	}
	b.do("GET", "/api/v1/hall?as=kiosk-1", "").want(t, 200, "")
	b.do("GET", "/api/v1/hall", "").want(t, 401, "sign_in")
	b.do("GET", "/api/v1/hall?as=kiosk-2", "").want(t, 401, "sign_in")
	take := `{"queue":"A","channel":"kiosk"}`
	b.do("POST", "/api/v1/tickets?as=kiosk-1", take, "Idempotency-Key", "k").want(t, 201, "")
	b.do("POST", "/api/v1/tickets?as=kiosk-1", take, "Idempotency-Key", "x", "Origin", "http://evil.example").want(t, 403, "cross_origin")
	s.restart()
	if r := b.do("GET", "/kiosk/1", ""); r.Status != 200 || !strings.Contains(r.Raw, `id="queues"`) {
		t.Error("a restart shuts the kiosk out")
	}
}

func TestAClerkAtTheWindow(t *testing.T) {
	s := open(t)
	id := s.take("A")
	b := s.browser()
	if r := b.do("GET", "/window/1", ""); !strings.Contains(r.Raw, `id="gate-form"`) {
		t.Error("no way to sign in")
	}
	b.signIn("w01", "window-2").want(t, 403, "window_not_allowed")
	b.signIn("w01", "window-1").want(t, 204, "")
	if r := b.do("GET", "/window/1", ""); strings.Contains(r.Raw, `id="gate-form"`) || !strings.Contains(r.Raw, "林晓") {
		t.Error("signed in, but the console is not there")
	}
	verb := func(window, verb string) reply {
		return b.do("POST", "/api/v1/windows/"+window+"/"+verb+"?as=window-1", "", "Idempotency-Key", "key "+window+verb)
	}
	if r := verb("1", "open").want(t, 200, ""); r.text("window", "staff") != "w01" {
		t.Errorf("%s", r.Raw)
	}
	verb("2", "open").want(t, 403, "not_allowed")
	if r := verb("1", "call-next").want(t, 200, ""); r.text("ticket", "id") != id {
		t.Errorf("%s", r.Raw)
	}
	if r := s.get(screenToken, "/api/v1/hall"); strings.Contains(r.Raw, "w01") {
		t.Error("a screen sees who works")
	}
	verb("1", "finish").want(t, 200, "")
	b.do("POST", "/api/v1/ratings?as=window-1", fmt.Sprintf(`{"ticket":%q,"grade":"very_satisfied"}`, id), "Idempotency-Key", "r").
		want(t, 403, "not_allowed")
}

func TestScreenOfSomeWindows(t *testing.T) {
	s := open(t, func(site *config.Site, _ *config.Plan) {
		for i := range site.Web.Tokens {
			if site.Web.Tokens[i].Role == "screen" {
				site.Web.Tokens[i].ID = "2"
			}
		}
	})
	s.take("A")
	s.verb("1", "open", nil)
	s.verb("1", "call-next", nil)
	r := s.get(screenToken, "/api/v1/hall")
	if len(r.at("calls").([]any)) != 0 || len(r.at("windows").([]any)) != 1 || len(r.at("queues").([]any)) != 1 {
		t.Errorf("%s", r.Raw)
	}
}

func TestPagesLearnOfNewOnes(t *testing.T) {
	s := open(t)
	before := s.get("", "/healthz").Header.Get("X-Pages")
	s.plan.Queues[0].Name = "综合受理"
	s.restart()
	if after := s.get("", "/healthz").Header.Get("X-Pages"); before == "" || after == before {
		t.Errorf("%q and %q", before, after)
	}
}

// Only who may direct the hall sees its settings and plays days again; others are led back to the board they may look at.
func TestOnlyADirectorOpensTheSettings(t *testing.T) {
	s := open(t)
	names := func(r reply) bool { return strings.Contains(r.Raw, "陈立") }
	for _, path := range []string{"/board/plan", "/board/rerun"} {
		r := s.get("", path).want(t, 200, "")
		if names(r) || strings.Contains(r.Raw, "plan-save") || strings.Contains(r.Raw, `"queues"`) {
			t.Errorf("%s shows itself to everybody: %s", path, r.Raw)
		}
		landed := func(b *browser) string {
			b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			r := b.do("GET", path, "")
			if r.Status == http.StatusSeeOther {
				return r.Header.Get("Location")
			}
			return path
		}
		clerk, manager, ops, other := s.browser(), s.browser(), s.browser(), s.browser()
		clerk.signIn("w01", "board").want(t, 403, "manager_only")
		manager.signIn("m01", "board").want(t, 204, "")
		ops.do("GET", "/board?token="+opsToken, "").want(t, 200, "")
		other.signIn("m01", "window-1").want(t, 204, "") // a session of one page opens no other
		if at := landed(ops); at != "/board" {
			t.Errorf("who runs the devices opens %s: %s", path, at)
		}
		if at := landed(manager); at != path {
			t.Errorf("the manager asks for %s and gets %s", path, at)
		}
		if r := manager.do("GET", path, "").want(t, 200, ""); !strings.Contains(r.Raw, `"queues"`) && !names(r) {
			t.Errorf("the manager sees nothing at %s", path)
		}
		for who, b := range map[string]*browser{"a clerk": clerk, "a session of another page": other} {
			if r := b.do("GET", path, ""); names(r) || strings.Contains(r.Raw, `"queues"`) {
				t.Errorf("%s opens %s", who, path)
			}
		}
	}
}
