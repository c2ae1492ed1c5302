package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/escpos"
	"halledge/test/demo"
	"halledge/test/fakes/hardware"
)

// press is a printer on a serial line, what lies in its tray, and where it stops.
type press struct {
	*hardware.Printer
	line *farend.PTY

	mu     sync.Mutex
	slips  []string
	stopAt string        // after this line it is as in fault
	fault  escpos.Status // that condition
	stops  chan struct{}
}

func newPress(t *testing.T, path string) *press {
	t.Helper()
	p := &press{stops: make(chan struct{}, 1)}
	p.Printer = hardware.NewPrinter(func(s hardware.Slip) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.slips = append(p.slips, s.Text())
	})
	p.Line = func(text string) {
		p.mu.Lock()
		at, fault := p.stopAt, p.fault
		p.mu.Unlock()
		if at != "" && strings.Contains(text, at) {
			p.Set(func(s *escpos.Status) { *s = fault })
			p.stops <- struct{}{}
		}
	}
	p.line = farend.NewPTY(path, p.Serve)
	if err := p.line.Plug(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.line.Unplug(); err != nil {
			t.Error(err)
		}
	})
	return p
}

var noPaper = escpos.Status{Offline: true, PaperEnd: true, PaperStop: true}

func (p *press) is(s escpos.Status) { p.Set(func(now *escpos.Status) { *now = s }) }

// stopsAfter lets the printer stop in the middle of a slip, once.
func (p *press) stopsAfter(line string, fault escpos.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopAt, p.fault = line, fault
}

// with gives the slips of a number.
func (p *press) with(number string) (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.slips {
		if strings.Contains(s, number) {
			out = append(out, s)
		}
	}
	return out
}

// shop is a hall of one kiosk with two printers, run by the real agent.
type shop struct {
	*demo.Demo
	t          *testing.T
	own, spare *press
}

func openShop(t *testing.T) *shop {
	t.Helper()
	dir := t.TempDir()
	s := &shop{t: t, own: newPress(t, filepath.Join(dir, "own")), spare: newPress(t, filepath.Join(dir, "spare"))}
	files := map[string]string{
		"kiosk.token": "kiosk-token-of-this-test", "staff.token": "staff-token-of-this-test",
		"hall.yaml": `schema: 1
revision: 1
queues: [{id: A, name: 综合受理}, {id: B, name: 社保医保}]
windows: [{id: "1", queues: [A, B]}]
kiosks: [{id: "1", name: 大门取号机}]
`,
		"agent.yaml": fmt.Sprintf(`schema: 1
hall: {code: "440900000000001", name: 示例市政务服务大厅, profile: village}
data: %s
plan: hall.yaml
web:
  listen: 127.0.0.1:0
  tokens:
    - {role: kiosk, id: "1", secret: "file:kiosk.token"}
    - {role: staff, secret: "file:staff.token"}
devices:
  - {name: kiosk-1.printer, model: escpos-80, connect: {serial: %s}, options: {poll: 100ms}}
  - {name: kiosk-1.spare, model: escpos-80, connect: {serial: %s}, options: {poll: 100ms}}
`, filepath.Join(dir, "data"), s.own.line.Path(), s.spare.line.Path()),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Demo = &demo.Demo{Dir: dir, Bin: demo.Programs(t)}
	s.Agent.Config = filepath.Join(dir, "agent.yaml")
	s.Agent.Tokens = map[string]string{"kiosk": files["kiosk.token"], "staff": files["staff.token"]}
	s.run(filepath.Join(dir, "ready.json"))
	return s
}

// run starts the agent until the test ends.
func (s *shop) run(ready string) {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.Dir, "agent.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(s.Bin, "hall-agent"), "run", "--config", s.Agent.Config, "--ready-file", ready)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			s.t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("the agent ended with %v", err)
		}
		if err := log.Close(); err != nil {
			s.t.Error(err)
		}
		if raw, err := os.ReadFile(log.Name()); err != nil || s.t.Failed() || strings.Contains(string(raw), "DATA RACE") {
			s.t.Errorf("log of the agent, %v:\n%s", err, raw)
		}
	})
	demo.Until(s.t, demo.Patience, "the agent", func() error {
		raw, err := os.ReadFile(ready)
		if err != nil {
			return err
		}
		var at struct{ HTTP string }
		err = json.Unmarshal(raw, &at)
		s.Agent.URL = "http://" + at.HTTP
		return err
	})
}

// paper waits until the kiosk is told of its paper as the test wants.
func (s *shop) paper(state string, spare bool) {
	s.t.Helper()
	demo.Until(s.t, demo.Patience, "paper "+state, func() error {
		var v struct {
			Paper struct {
				State string
				Spare bool
			}
		}
		s.Get(s.t, "kiosk", "/api/v1/hall?paper").Into(s.t, &v)
		if v.Paper.State != state || v.Paper.Spare != spare {
			return fmt.Errorf("it is %+v", v.Paper)
		}
		return nil
	})
}

// ends waits for the end of a slip and gives what is known of it.
func (s *shop) ends(id, print string) (tk demo.Ticket, sure bool) {
	s.t.Helper()
	demo.Until(s.t, demo.Patience, "slip "+print, func() error {
		var v struct {
			Ticket demo.Ticket
			Slip   struct{ Sure bool }
		}
		s.Get(s.t, "kiosk", "/api/v1/tickets/"+id).Into(s.t, &v)
		if tk, sure = v.Ticket, v.Slip.Sure; tk.Print != print {
			return fmt.Errorf("it is %s", tk.Print)
		}
		return nil
	})
	return tk, sure
}

// lies wants so many slips of a number in the trays of the two printers.
func (s *shop) lies(number string, own, spare int) {
	s.t.Helper()
	if a, b := s.own.with(number), s.spare.with(number); len(a) != own || len(b) != spare {
		s.t.Errorf("%s came out %d times here and %d times at the spare printer, want %d and %d:\n%q %q", number, len(a), len(b), own, spare, a, b)
	}
}

func TestASlipComesOutOnceWhateverThePrinterDoes(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.paper("ok", false)
	var first struct{ Ticket demo.Ticket }
	s.Post(t, "kiosk", "/api/v1/tickets", map[string]any{"queue": "A", "channel": "kiosk", "then": []string{"B"}}, http.StatusCreated).Into(t, &first)
	s.ends(first.Ticket.ID, "printed")
	s.lies("A001", 1, 0)
	text := s.own.with("A001")[0]
	for _, want := range []string{"示例市政务服务大厅", "综合受理", "前面等候：0 人", "办完请继续：社保医保", "取号时间：", "/t/HE1."} {
		if !strings.Contains(text, want) {
			t.Errorf("the slip does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "补打") || strings.Contains(text, "预计") || strings.Contains(text, "预约") {
		t.Errorf("the slip says what is not so:\n%s", text)
	}

	// The paper is out before: the kiosk says so, or that the spare printer goes on; nothing fails.
	s.own.is(noPaper)
	s.paper("ok", true)
	second := s.Take(t, "A")
	if tk, _ := s.ends(second.ID, "printed"); tk.Reprints != 0 {
		t.Errorf("%+v", tk)
	}
	s.lies("A002", 0, 1)
	s.spare.is(noPaper)
	s.paper("out", false)
	third := s.Take(t, "A")
	tk, sure := s.ends(third.ID, "failed")
	if tk.Number != "A003" || tk.State != "waiting" || !sure {
		t.Errorf("%+v, sure %v", tk, sure)
	}
	s.told("小票没打出来：A003")

	// Refilled, it goes on, and 补打 is marked.
	s.own.is(escpos.Status{})
	s.spare.is(escpos.Status{NearEnd: true})
	s.paper("ok", false)
	s.ends(s.Take(t, "A").ID, "printed")
	s.lies("A003", 0, 0)
	s.lies("A004", 1, 0)
	s.Post(t, "kiosk", "/api/v1/tickets/"+third.ID+"/reprint", map[string]any{}, http.StatusOK)
	s.ends(third.ID, "printed")
	s.lies("A003", 1, 0)
	if text := s.own.with("A003")[0]; !strings.Contains(text, "补打 第 1 次") {
		t.Errorf("the copy says\n%s", text)
	}

	// The paper runs out during a slip: the number stays, the other printer makes a copy of it.
	s.own.stopsAfter("A005", noPaper)
	fifth := s.Take(t, "A")
	if tk, _ := s.ends(fifth.ID, "printed"); tk.Number != "A005" || tk.Reprints != 1 || tk.State != "waiting" {
		t.Errorf("%+v", tk)
	}
	s.lies("A005", 0, 1)
	if text := s.spare.with("A005")[0]; !strings.Contains(text, "补打 第 1 次") {
		t.Errorf("the spare printer's copy says\n%s", text)
	}
}

// A cable that is pulled in the middle of a slip: nobody knows whether it is whole, so nobody prints it again by himself.
func TestAnUnpluggedSlipIsNotPrintedTwice(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.paper("ok", false)
	s.own.stopsAfter("A001", escpos.Status{Offline: true, Error: true, AutoRecover: true}) // a hot head: it would go on
	first := s.Take(t, "A")
	select {
	case <-s.own.stops:
	case <-time.After(demo.Patience):
		t.Fatal("the printer never began")
	}
	if err := s.own.line.Unplug(); err != nil {
		t.Fatal(err)
	}
	tk, sure := s.ends(first.ID, "failed")
	if sure || tk.Reprints != 0 || tk.State != "waiting" {
		t.Errorf("%+v, sure %v", tk, sure)
	}
	s.told("小票不知道有没有打完：A001")
	s.own.is(escpos.Status{})
	s.own.stopsAfter("", escpos.Status{})
	if err := s.own.line.Plug(); err != nil {
		t.Fatal(err)
	}
	s.paper("ok", false)
	s.ends(s.Take(t, "A").ID, "printed")
	s.lies("A001", 0, 0)
	s.lies("A002", 1, 0)

	// Two touches of one button are one wish: the same request, or another one right after the slip came out.
	key := map[string]string{"Idempotency-Key": demo.Key()}
	reprint := func(header map[string]string) int {
		a, err := s.Do(s.Agent.URL, s.Agent.Tokens["kiosk"], http.MethodPost, "/api/v1/tickets/"+first.ID+"/reprint", map[string]any{}, header)
		if err != nil {
			t.Fatal(err)
		}
		return a.Status
	}
	if a, b, c := reprint(key), reprint(key), reprint(nil); a != http.StatusOK || b != http.StatusOK || c != http.StatusConflict {
		t.Errorf("answers %d, %d, %d", a, b, c)
	}
	s.ends(first.ID, "printed")
	if got := reprint(nil); got != http.StatusConflict {
		t.Errorf("right after the slip: %d", got)
	}
	s.lies("A001", 1, 0)
}

// told waits until the doctor says a sentence.
func (s *shop) told(sentence string) {
	s.t.Helper()
	demo.Until(s.t, demo.Patience, "the doctor", func() error {
		out, _ := s.Run("hall-agent", "doctor", "--config", s.Agent.Config) // fails as something is wrong
		if !strings.Contains(out, sentence) {
			return fmt.Errorf("no %q in\n%s", sentence, out)
		}
		return nil
	})
}
