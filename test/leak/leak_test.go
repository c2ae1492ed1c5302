package leak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"halledge/test/demo"
	"halledge/test/fakes/province"
)

// Whom the hall meets. Region 991101 is no place and sequence 000 nobody's; the two with cards are hall-sim's people 1 and 3.
const (
	carded, elder = "991101199003070016", "991101195003070018"
	scanned       = "991101198811120021" // as a code that holds nothing but the number
	booked        = "991101194806150025"
	blocked       = "991101200105040032"
	typed         = "991101196509210043" // wherever it does not belong
	phone         = "13900009911"
	code          = "YSS-SIM-99110100077"
	name          = "欧阳测试娜" // in remarks
)

// hall is a running hall, with everything that was heard of it.
type hall struct {
	*demo.Demo
	seen  map[string][]byte // by what it is
	wire  *tap              // between the agent and the centre
	agent *exec.Cmd
	kiosk *buffer // what the kiosk's page is told
}

// start runs a demo whose agent is the test's own: its session with the centre is listened to, and so it is one without transport encryption.
func start(t *testing.T) *hall {
	dir, bin := t.TempDir(), demo.Programs(t)
	d, err := demo.Launch(t.Context(), dir, bin, "GOTRACEBACK=crash", "DEMO_TRANSPORT=tcp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	h := &hall{Demo: d, seen: map[string][]byte{}}
	d.Sim(t, "stop", "agent")
	text, err := os.ReadFile(d.Agent.Config)
	if err != nil {
		t.Fatal(err)
	}
	h.wire = listen(t, string(text))
	config, ready := filepath.Join(filepath.Dir(d.Agent.Config), "tapped.yaml"), filepath.Join(dir, "tapped.ready.json")
	if err := os.WriteFile(config, []byte(h.wire.into(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "logs", "tapped.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	h.agent = exec.Command(filepath.Join(bin, "hall-agent"), "run", "--config", config, "--root", filepath.Join(dir, "machine"), "--ready-file", ready)
	h.agent.Env = append(os.Environ(), "GOTRACEBACK=crash")
	h.agent.Stdout, h.agent.Stderr = log, log
	if err := h.agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if h.agent.ProcessState == nil {
			_ = h.agent.Process.Kill()
			_ = h.agent.Wait() // it was killed
		}
	})
	var up struct{ HTTP string }
	demo.Until(t, demo.Patience, "the agent", func() error {
		raw, err := os.ReadFile(ready)
		if err == nil {
			err = json.Unmarshal(raw, &up)
		}
		return err
	})
	d.Agent.URL = "http://" + up.HTTP
	return h
}

// note keeps what was seen, for the search.
func (h *hall) note(what string, data []byte) { h.seen[what] = append(h.seen[what], data...) }

// try asks whatever it is, keeps the answer, and does not mind which it is.
func (h *hall) try(t *testing.T, base, token, method, path string, body any, header map[string]string) {
	t.Helper()
	a, err := h.Do(base, token, method, path, body, header)
	if err != nil {
		t.Fatal(err)
	}
	if a.Header.Get("Referrer-Policy") == "" {
		t.Errorf("%s %s lets others know where it was read", method, path)
	}
	answer := a.Body
	for _, own := range []string{typed, phone, name} { // he may be told what he wrote himself
		answer = bytes.ReplaceAll(answer, []byte(own), nil)
	}
	h.note("the answer to a stranger's "+method, answer)
}

// watch follows a stream as a role until the test ends.
func (h *hall) watch(t *testing.T, role string) *buffer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Agent.URL+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.Agent.Tokens[role])
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	var b buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&b, res.Body) // until the stream ends
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		res.Body.Close()
	})
	return &b
}

// buffer can be written and read at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) all() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

// Nobody who was in a hall can be found in what its programs leave behind, but where the journey says so.
func TestThreat27NobodyIsFoundAfterwards(t *testing.T) {
	h := start(t)
	h.kiosk = h.watch(t, "kiosk")
	streams := map[string]*buffer{"kiosk": h.kiosk, "screen": h.watch(t, "screen"), "ops": h.watch(t, "ops")}
	for _, device := range []string{"kiosk-1.idcard", "kiosk-1.scanner"} {
		h.Post(t, "ops", "/api/v1/devices/"+device+"/trace", map[string]int{"minutes": 10}, http.StatusOK)
	}
	ticket := h.visit(t)
	h.notice(t)
	h.strangers(t)
	h.look(t, ticket)
	h.centre(t)
	h.forgotten(t)
	for role, b := range streams {
		h.note("the stream of "+role, b.all())
	}
	h.crash(t)
	h.search(t)
}

// visit is the day of the citizens and of those who serve them.
func (h *hall) visit(t *testing.T) (ticket string) {
	t.Helper()
	last := uint64(0)
	input := func(kind string) (identity string) {
		t.Helper()
		demo.Until(t, demo.Patience, kind+" at the kiosk", func() error {
			for line := range bytes.Lines(h.kiosk.all()) {
				var in struct {
					N              uint64
					Kind, Identity string
				}
				data, is := bytes.CutPrefix(line, []byte("data: "))
				if is && json.Unmarshal(data, &in) == nil && in.N > last && in.Kind == kind {
					last, identity = in.N, in.Identity
					return nil
				}
			}
			return errors.New("not yet")
		})
		return identity
	}
	take := func(queue, identity string) string {
		t.Helper()
		var a struct{ Ticket demo.Ticket }
		h.Post(t, "kiosk", "/api/v1/tickets", map[string]any{"queue": queue, "channel": "kiosk", "identity": identity}, http.StatusCreated).Into(t, &a)
		return a.Ticket.ID
	}
	h.Sim(t, "tap-card", "--person", "3")
	take("B", input("idcard"))
	h.Sim(t, "scan", code)
	take("C", input("yss_code"))
	h.Sim(t, "scan", scanned)
	input("idcard_no")
	h.Sim(t, "scan", "x"+typed+"\x1bp"+name)
	h.Sim(t, "tap-card")
	ticket = take("A", input("idcard"))

	from := time.Now().Add(time.Hour)
	h.Post(t, "staff", "/api/v1/bookings", map[string]any{"queue": "A", "start": from, "end": from.Add(time.Hour), "id_number": booked}, http.StatusCreated)
	h.Post(t, "staff", "/api/v1/blocks", map[string]any{"id_number": blocked, "until": from, "reason": name + "多次爽约，电话" + phone}, http.StatusOK)
	remark := "转给" + name + "，证件" + typed + "，电话" + phone
	h.Verb(t, "1", "open", nil)
	h.Verb(t, "2", "open", nil)
	h.Verb(t, "1", "call", map[string]string{"ticket": ticket, "reason": remark})
	h.Verb(t, "1", "start", nil)
	h.Verb(t, "1", "hold", map[string]string{"reason": remark})
	h.Verb(t, "1", "resume", map[string]string{"ticket": ticket})
	h.Verb(t, "1", "transfer", map[string]any{"to": map[string]string{"window": "2"}, "note": remark})
	h.Verb(t, "2", "call", map[string]string{"ticket": ticket, "reason": remark})
	h.Verb(t, "2", "start", nil)
	h.Verb(t, "2", "finish", nil)
	h.Post(t, "kiosk", "/api/v1/ratings", map[string]any{"ticket": ticket, "grade": "dissatisfied", "reasons": []string{remark}, "text": remark}, http.StatusCreated)
	h.Verb(t, "1", "pause", map[string]string{"reason": remark})
	h.inCloud(t)
	return ticket
}

// inCloud waits until the centre has everything.
func (h *hall) inCloud(t *testing.T) {
	t.Helper()
	seq := h.Hall(t).Seq
	demo.Until(t, demo.Patience, "the facts in the cloud", func() error {
		var got struct{ Total uint64 }
		h.GetCloud(t, "/api/v1/facts?size=1&hall="+h.Agent.Hall).Into(t, &got)
		if got.Total < seq {
			return fmt.Errorf("%d of %d", got.Total, seq)
		}
		return nil
	})
}

// strangers write people's numbers wherever a program takes anything at all.
func (h *hall) strangers(t *testing.T) {
	t.Helper()
	said := map[string]string{"User-Agent": name + phone, "Referer": "http://a.example/?id=" + typed, "X-Forwarded-For": typed, "Cookie": "session=" + typed, "X-Request-Id": typed}
	for _, base := range []string{h.Agent.URL, h.Info.Cloud.URL} {
		for _, path := range []string{
			"/" + typed, "/t/" + typed, "/kiosk/" + typed, "/window/" + typed, "/screen/1?token=" + typed, "/api/v1/tickets/" + typed, "/api/v1/tickets?number=" + typed,
			"/api/v1/tickets?hall=" + typed, "/api/v1/facts?hall=" + typed, "/api/v1/halls/" + typed, "/whep/" + typed, "/metrics?x=" + typed,
		} {
			for _, token := range []string{"", typed, h.Agent.Tokens["kiosk"], h.Info.Cloud.Token} {
				h.try(t, base, token, http.MethodGet, path, nil, said)
			}
		}
		for _, path := range []string{"/sign-in", "/api/v1/session", "/api/v1/tickets", "/api/v1/scans", "/api/v1/pictures", "/api/v1/ratings", "/edge/v1/codes", "/api/v1/windows/1/" + typed, "/whep/" + typed} {
			for _, body := range []any{
				map[string]string{"user": name, "pin": phone, "password": phone, "page": typed, "queue": typed, "identity": typed, "ticket": typed, "grade": typed, "payload": typed + "\x1b" + name},
				[]byte(`{"user":"` + typed), []byte(typed + name), []byte(`{"` + typed + `":"` + phone + `"}`),
			} {
				for _, token := range []string{"", h.Agent.Tokens["kiosk"], h.Info.Cloud.Token} {
					h.try(t, base, token, http.MethodPost, path, body, said)
				}
			}
		}
	}
	h.wire.stranger(t, typed, name, phone)
}

// look reads whatever can be read about the hall by those who have nothing to do with its citizens.
func (h *hall) look(t *testing.T, ticket string) {
	t.Helper()
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		for program, base := range map[string]string{"agent": h.Agent.URL, "centre": h.Info.Cloud.URL} {
			a, err := h.Do(base, "", http.MethodGet, path, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			h.note(path+" of the "+program, a.Body)
		}
	}
	for _, role := range []string{"kiosk", "screen", "ops", ""} {
		for _, path := range []string{
			"/api/v1/hall", "/api/v1/log", "/api/v1/devices", "/api/v1/tickets", "/api/v1/tickets/" + ticket, "/api/v1/windows/1/rating", "/api/v1/bookings",
			"/api/v1/blocks", "/api/v1/plan", "/api/v1/devices/kiosk-1.idcard/trace", "/api/v1/devices/kiosk-1.scanner/trace", "/kiosk/1", "/screen/1", "/window/1", "/rate/1",
			"/board", "/desk", "/ops",
		} {
			a, err := h.Do(h.Agent.URL, h.Agent.Tokens[role], http.MethodGet, path, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			h.note(path+" for "+role, a.Body)
		}
	}
	for _, role := range []string{"kiosk", "screen", ""} { // the board shows staff's remarks to staff
		a, err := h.Do(h.Agent.URL, h.Agent.Tokens[role], http.MethodGet, "/api/v1/board", nil, nil)
		if err != nil || a.Status == http.StatusOK {
			t.Errorf("%q may read the board: %d, %v", role, a.Status, err)
		}
	}
	backup := filepath.Join(h.Dir, "backup.db")
	for _, run := range [][]string{
		{"hall-agent", "doctor", "--config", h.Agent.Config}, {"hall-agent", "doctor", "--json", "--config", h.Agent.Config}, {"hall-agent", "check", "--config", h.Agent.Config},
		{"hall-agent", "devices", "--json", "--config", h.Agent.Config}, {"hall-cloud", "backup", backup, "--config", h.Info.Cloud.Config},
		{"hall-cloud", "journal", "verify", "--config", h.Info.Cloud.Config}, {"hall-cloud", "check", "--config", h.Info.Cloud.Config},
	} {
		out, _ := h.Run(run[0], run[1:]...) // what they find wrong is another test's business
		h.note(strings.Join(run[:2], " "), []byte(out))
	}
	if _, err := os.Stat(backup); err != nil {
		t.Error(err)
	}
}

// centre reads everything that the centre shows, as each of its roles. Who may see people reads what staff wrote of them, without numbers.
func (h *hall) centre(t *testing.T) {
	t.Helper()
	page, err := h.Do(h.Info.Cloud.URL, "", http.MethodGet, "/halls", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.note("the console's page", page.Body)
	for _, role := range []string{"viewer", "clerk", "manager", "maintainer", "auditor", "video", "admin"} {
		client := h.signedIn(t, role)
		reads := 0
		for _, path := range []string{
			"session", "halls", "halls/" + h.Agent.Hall, "tickets?hall=" + h.Agent.Hall, "facts?size=200&hall=" + h.Agent.Hall, "cameras", "audit?size=200", "audit/export", "users", "notices", "openapi.json",
		} {
			res, err := client.Get(h.Info.Cloud.URL + "/api/v1/" + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode == http.StatusOK {
				reads++
			}
			if role == "clerk" || role == "manager" {
				body = bytes.ReplaceAll(body, []byte(name), nil)
			}
			path, _, _ = strings.Cut(path, "?")
			h.note("/api/v1/"+path+" for "+role, body)
		}
		if reads < 3 {
			t.Errorf("%s has read %d things", role, reads)
		}
	}
}

// signedIn is somebody of a role in the centre, who has chosen a password of his own.
func (h *hall) signedIn(t *testing.T, role string) *http.Client {
	t.Helper()
	const first, own = "words of the first day", "words that are my own"
	ctx, cancel := context.WithTimeout(t.Context(), demo.Patience)
	defer cancel()
	add := exec.CommandContext(ctx, filepath.Join(h.Bin, "hall-cloud"), "user", "add", "the-"+role, "--role", role, "--scope", h.Agent.Hall, "--config", h.Info.Cloud.Config)
	add.Stdin = strings.NewReader(first + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", role, err, out)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	send := func(method, path, body string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, method, h.Info.Cloud.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Fatalf("%s: %s %s: %s", role, method, path, res.Status)
		}
	}
	send(http.MethodPost, "/api/v1/session", `{"user":"the-`+role+`","password":"`+first+`"}`, http.StatusCreated)
	send(http.MethodPut, "/api/v1/account/password", `{"old":"`+first+`","new":"`+own+`"}`, http.StatusOK)
	return client
}

// crash ends both programs in the worst way, with the stacks of everything that they were doing.
func (h *hall) crash(t *testing.T) {
	t.Helper()
	if err := h.agent.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	_ = h.agent.Wait() // it was killed
	if err := syscall.Kill(h.Info.Cloud.PID, syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{"tapped.log", "hall-cloud.log"} {
		demo.Until(t, demo.Patience, "the stacks in "+log, func() error {
			raw, err := os.ReadFile(filepath.Join(h.Dir, "logs", log))
			if err == nil && !bytes.Contains(raw, []byte("goroutine ")) {
				err = fmt.Errorf("%d bytes without a stack", len(raw))
			}
			return err
		})
	}
	out, err := h.Run("hall-agent", "journal", "stats", "--config", h.Agent.Config)
	if err != nil {
		t.Errorf("after the crash: %v\n%s", err, out)
	}
	h.note("journal stats", []byte(out))
	h.note("the session with the centre", h.wire.heard())
}

// search looks for everybody in everything.
func (h *hall) search(t *testing.T) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(h.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		h.note(strings.TrimPrefix(path, h.Dir+"/"), raw)
		files++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, must := range []string{"agent/data/hall.db", "cloud/cloud.db", "backup.db", "logs/tapped.log", "logs/hall-cloud.log", "hall-sim.log"} {
		if len(h.seen[must]) == 0 {
			t.Errorf("there is no %s: does the search still know where to look?", must)
		}
	}
	if !bytes.Contains(h.seen["the session with the centre"], []byte("hall/v1/"+h.Agent.Hall)) {
		t.Error("nothing was heard between the agent and the centre")
	}
	for _, leak := range leaks(h.seen, everybody()...) {
		t.Error(leak)
	}
	h.plant(t)
	t.Logf("%d files and %d other things searched", files, len(h.seen)-files)
}

// everybody is who and what must not be found.
func everybody() []seed {
	var all []seed
	for _, text := range []string{
		carded, elder, scanned, booked, blocked, typed, phone, code, province.Number(code), "测试甲", "测试丙", "测试省测试市测试路1号", name,
	} {
		all = append(all, newSeed(text))
	}
	return all
}

// leaks says who is found where.
func leaks(seen map[string][]byte, of ...seed) (all []string) {
	for _, s := range of {
		for what, data := range seen {
			if form := s.in(data); form != "" {
				all = append(all, fmt.Sprintf("%s holds %s (%s)%s", what, s.text, form, around(data, s.forms[form])))
			}
		}
	}
	return all
}

// plant is the search's own test: of each kind of thing in which nobody may be found it takes what this day has left, hides somebody in the
// midst of it, and wants him found there.
func (h *hall) plant(t *testing.T) {
	t.Helper()
	for kind, one := range map[string]struct{ what, shows string }{
		"a log of the agent": {"logs/tapped.log", `"msg":`}, "a log of the centre": {"logs/hall-cloud.log", `"msg":`},
		"metrics of the agent": {"/metrics of the agent", "# HELP"}, "metrics of the centre": {"/metrics of the centre", "# HELP"},
		"a topic": {"the session with the centre", "hall/v1/" + h.Agent.Hall + "/up/events"}, "an address": {"the answer to a stranger's GET", "problem"},
		"a page": {"/kiosk/1 for kiosk", "<!doctype html>"}, "a page of the centre": {"the console's page", "<!doctype html>"}, "a stream": {"the stream of kiosk", "data: "},
		"an answer of the centre": {"/api/v1/facts for viewer", `"items"`}, "a table of the centre": {"/api/v1/audit/export for auditor", "the-auditor"},
		"a backup": {"backup.db", "SQLite format 3"}, "the hall's file": {"agent/data/hall.db", ""}, "the centre's database": {"cloud/cloud.db", "SQLite format 3"},
		"a crash of the agent": {"logs/tapped.log", "goroutine "}, "a crash of the centre": {"logs/hall-cloud.log", "goroutine "},
	} {
		data := h.seen[one.what]
		at := bytes.Index(bytes.ToLower(data), bytes.ToLower([]byte(one.shows)))
		if len(data) == 0 || at < 0 {
			t.Errorf("%s: nothing of it was searched: %d bytes of %s", kind, len(data), one.what)
			continue
		}
		for _, s := range everybody() {
			for form, written := range s.forms {
				if !bytes.Contains(written, []byte(s.text)) && form != "GBK" && form != "hex of UTF-8" && form != "base64 of UTF-8 at 1" {
					continue // that each of the others is found has a test of its own
				}
				planted := slices.Concat(data[max(0, at-2000):at], written, data[at:min(len(data), at+2000)])
				if found := leaks(map[string][]byte{kind: planted}, s); len(found) != 1 || !strings.HasPrefix(found[0], kind+" holds "+s.text) {
					t.Errorf("%s is hidden in %s as %s, and is not found", s.text, kind, form)
				}
			}
		}
	}
}

// around shows where something was found.
func around(data, form []byte) string {
	at := bytes.Index(data, form)
	return fmt.Sprintf(": %q", data[max(0, at-120):min(len(data), at+len(form)+60)])
}
