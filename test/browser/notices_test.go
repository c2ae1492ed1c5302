package browser_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// TestNotices has a hall of its own, whose agent knows the key of the centre's notices.
func TestNotices(t *testing.T) {
	s := begin(t)
	key, err := gm.GenerateKey()
	fatal(t, err)
	s.Sim(t, "stop", "agent")
	config, err := os.ReadFile(s.Agent.Config)
	fatal(t, err)
	at, err := url.Parse(s.Agent.URL)
	fatal(t, err)
	text := strings.Replace(string(config), "listen: "+at.Hostname()+":0\n", "listen: "+at.Host+"\n", 1)
	fatal(t, os.WriteFile(s.Agent.Config, []byte(text+"\nnotices:\n  keys: ["+key.Public().String()+"]\n"), 0o600))
	s.runAgent(t)
	t.Run("what the centre has signed", func(t *testing.T) { s.notices(t, key) })
	t.Run("replayed calls", s.replayed)
}

// runAgent runs the hall's program by its configuration as it is now: the demo would write its own over it.
func (s *site) runAgent(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.Bin, "hall-agent"), "run", "--config", s.Agent.Config, "--root", filepath.Join(s.Dir, "machine"))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	fatal(t, cmd.Start())
	t.Cleanup(func() {
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			t.Errorf("%v: %s", err, &log)
		}
	})
	demo.Until(t, demo.Patience, "the agent", func() error {
		res, err := http.Get(s.Agent.URL + "/readyz")
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// notices shows a text and a picture while nobody is called, gives way to a call, and shows the page that is built in once a file is changed.
func (s *site) notices(t *testing.T, key gm.PrivateKey) {
	p := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	p.Sees("办理窗口")
	s.install(t, key)
	p.Sees("系统升级暂停办理通知", "10 月 12 日")
	s.shot(t, p, "screen-notice-text")
	shows := func(selector string) {
		t.Helper()
		demo.Until(t, demo.Patience, selector, func() error {
			if !chrome.Eval[bool](p, `!!document.querySelector('`+selector+`') && !document.getElementById('slides').hidden`) {
				return errors.New("it is not shown")
			}
			return nil
		})
	}
	shows("img.slide-on")
	s.shot(t, p, "screen-notice-picture")
	called := s.callAt(t, "1", "A")
	p.Sees("请"+called.Number+"号到1号窗口办理", "办理窗口")
	if !chrome.Eval[bool](p, `document.getElementById('slides').hidden`) {
		t.Error("the notices stand over the windows while somebody is called")
	}
	s.Verb(t, "1", "finish", nil)

	files, err := filepath.Glob(filepath.Join(s.Dir, "*", "*", "notices", "hall-7", "01.txt"))
	fatal(t, err)
	if len(files) != 1 {
		t.Fatalf("the notices are at %v", files)
	}
	fatal(t, os.WriteFile(files[0], []byte("插播的内容"), 0o600))
	p.Allow("404")
	p.Reload()
	p.Sees("温馨提示")
	p.Misses("插播")
	s.shot(t, p, "screen-notice-builtin")
}

// install brings notices to the hall as a file.
func (s *site) install(t *testing.T, key gm.PrivateKey) {
	t.Helper()
	content := map[string][]byte{
		"01.txt": []byte("系统升级暂停办理通知\n因省统一系统升级，10 月 12 日（星期六）全天暂停办理社保、医保业务，其他业务照常。\n急需办理的，请到市政务服务大厅，或者用手机办理。给您带来不便，敬请谅解。"),
		"02.png": poster(t),
	}
	now := time.Now().UTC().Truncate(time.Second)
	m := bundle.Manifest{Hall: hallsync.HallID(s.Agent.Hall), Group: "hall", Version: 7, From: now.Add(-time.Hour), Until: now.Add(time.Hour)}
	for _, i := range []bundle.Item{{Path: "01.txt", Type: bundle.Text}, {Path: "02.png", Type: bundle.PNG}} {
		i.SM3, i.Size = bundle.DigestOf(content[i.Path]), int64(len(content[i.Path]))
		m.Items = append(m.Items, i)
	}
	manifest, sig, err := bundle.Sign(m, key)
	fatal(t, err)
	var b bytes.Buffer
	fatal(t, bundle.Write(&b, manifest, sig, m.Items, func(i bundle.Item) ([]byte, error) { return content[i.Path], nil }))
	file := filepath.Join(t.TempDir(), "notices.zip")
	fatal(t, os.WriteFile(file, b.Bytes(), 0o600))
	out, err := exec.CommandContext(t.Context(), filepath.Join(s.Bin, "hall-agent"), "--config", s.Agent.Config, "notice", "install", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// poster is a picture as somebody may draw one: in the colours of its corners.
func poster(t *testing.T) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	for y := range 720 {
		for x := range 1280 {
			m.Set(x, y, color.RGBA{uint8(40 + x/8), uint8(60 + y/6), 140, 255})
		}
	}
	var b bytes.Buffer
	fatal(t, png.Encode(&b, m))
	return b.Bytes()
}

// between stands between a screen and its agent, and says again, late or otherwise, what the agent has said.
type between struct {
	agent  string
	insert chan string

	mu      sync.Mutex
	heard   []string // events as they came
	streams int
}

func (b *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, err := url.Parse(b.agent)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if r.URL.Path != "/api/v1/stream" {
		proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }}
		proxy.ServeHTTP(w, r)
		return
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = to.Scheme, to.Host, to.Host, ""
	res, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = res.Body.Close() }()
	b.mu.Lock()
	b.streams++
	b.mu.Unlock()
	w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
	w.WriteHeader(res.StatusCode)
	events := make(chan string)
	go b.read(r, res.Body, events)
	for {
		var e string
		select {
		case <-r.Context().Done():
			return
		case e = <-b.insert:
		case said, more := <-events:
			if !more {
				return
			}
			e = said
		}
		if _, err := io.WriteString(w, e); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush() // who has gone away is noticed at the next write
	}
}

func (b *between) read(r *http.Request, body io.Reader, events chan<- string) {
	defer close(events)
	lines := bufio.NewReader(body)
	e := ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if e += line; line != "\n" {
			continue
		}
		b.mu.Lock()
		b.heard = append(b.heard, e)
		b.mu.Unlock()
		select {
		case events <- e:
		case <-r.Context().Done():
			return
		}
		e = ""
	}
}

// find gives the last event with all of these in it.
func (b *between) find(t *testing.T, words ...string) (found string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.heard {
		all := true
		for _, w := range words {
			all = all && strings.Contains(e, w)
		}
		if all {
			found = e
		}
	}
	if found == "" {
		t.Fatalf("no event with %v", words)
	}
	return found
}

func (b *between) opened() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.streams
}

// replayed is Threat 16 in a browser: a call that is said again is nothing, and one that somebody made up ends the stream; what follows is the
// hall as it is.
func (s *site) replayed(t *testing.T) {
	b := &between{agent: s.Agent.URL, insert: make(chan string)}
	server := httptest.NewServer(b)
	defer server.CloseClientConnections()
	p := s.open(t, screenWidth, screenHeight, "/")
	p.Allow("net::ERR_")
	p.Go(server.URL + "/screen/1?token=" + s.Agent.Tokens["screen"])
	p.Sees("办理窗口")
	called := s.callAt(t, "1", "A")
	p.Sees("正在叫")
	s.Verb(t, "1", "finish", nil)
	p.Sees("空闲")
	call := b.find(t, "event: change", called.Number, `\"called\"`)
	chrome.Eval[int](p, `(window.calls = 0, new MutationObserver(() => { if (document.body.innerText.includes('正在叫')) { window.calls++; } })
		.observe(document.body, { subtree: true, childList: true, characterData: true }), 0)`)
	b.insert <- call
	streams := b.opened()
	s.Take(t, "B")
	p.Sees("共 1 人")
	if n := chrome.Eval[int](p, `window.calls`); n != 0 || b.opened() != streams {
		t.Errorf("a call that was said again is shown %d times; %d streams after %d", n, b.opened(), streams)
	}

	b.insert <- strings.ReplaceAll(call, called.Number, "Z999")
	demo.Until(t, demo.Patience, "a new stream", func() error {
		if strings.Contains(p.Text(), "Z999") {
			t.Fatal("a call that somebody made up is shown")
		}
		if b.opened() == streams {
			return fmt.Errorf("%d streams", streams)
		}
		return nil
	})
	p.Sees("共 1 人")
	p.Misses("Z999")
}
