package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/agent/kit/command"
	"halledge/firmware-protocols/hallsync"
)

// box lays out a hall of one window that is alone on its box, and gives the path of agent.yaml.
func box(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plan := "schema: 1\nqueues: [{id: A, name: 综合业务}]\nwindows: [{id: \"1\", name: 1号窗口, queues: [A]}]\nscreens: [{id: \"1\", name: 大屏}]\n"
	site := "schema: 1\nhall: {code: 440900000000001, name: 示例大厅, profile: full}\ndata: " + filepath.Join(dir, "data") +
		"\nplan: hall.yaml\nweb: {listen: \"127.0.0.1:8080\"}\n"
	for name, text := range map[string]string{"agent.yaml": site, "hall.yaml": plan} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "agent.yaml")
}

// sealed is a box with keys, which seals what it writes.
func sealed(t *testing.T) string {
	t.Helper()
	path := box(t)
	cfg, problems := config.Load(path)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cfg.Site.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Open(filepath.Join(cfg.Site.Data, identity.Directory), identity.Options{
		Hall: hallsync.HallID(cfg.Site.Hall.Code), Log: slog.New(slog.DiscardHandler),
	}); err != nil {
		t.Fatal(err)
	}
	return path
}

// morning fills the log of a box: an elder is called before somebody who came two minutes earlier.
func morning(t *testing.T, path string) {
	t.Helper()
	cfg, problems := config.Load(path)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	plan, err := hall.PlanOf(&cfg.Plan)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, plan.Location)
	o, _ := journalOptions(cfg) // with the keys of sealed, if they were made
	o.Log, o.Now = quiet, func() time.Time { return now }
	st, err := store.Open(cfg.Site.Data, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- st.Run(ctx) }()
	state := queue.New(plan)
	q, w := plan.Windows[0].Queues[0], plan.Windows[0].ID
	take := func(id string, class hallsync.Class) queue.Command {
		return queue.Take{Ticket: hallsync.TicketID(id), Queue: q, Class: class, Channel: hallsync.AtDesk, Override: "测试"}
	}
	for _, step := range []struct {
		minute int
		do     queue.Command
	}{
		{0, queue.TurnDay{}}, {0, queue.Open{Window: w}}, {0, take("a", "")}, {0, queue.CallNext{Window: w}}, {1, take("b", "")}, {3, take("e", hallsync.Elder)},
		{20, queue.CallNext{Window: w}}, {25, queue.CallNext{Window: w}}, {30, queue.Finish{Window: w}},
	} {
		now = now.Truncate(time.Hour).Add(time.Duration(step.minute) * time.Minute)
		err := st.Update(ctx, func(tx *store.Tx) error {
			facts, err := state.Decide(step.do, now)
			for _, f := range facts {
				if _, err := tx.Append(f, now); err != nil {
					return err
				}
				state.Apply(f, now)
			}
			return err
		})
		if err != nil {
			t.Fatalf("%T: %v", step.do, err)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// agentSays runs a command of the program.
func agentSays(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestRerunPrintsATableAndDrawsAChart(t *testing.T) {
	t.Run("in the clear", func(t *testing.T) { printsAndDraws(t, box(t)) })
	t.Run("sealed", func(t *testing.T) { printsAndDraws(t, sealed(t)) })
}

func printsAndDraws(t *testing.T, path string) {
	t.Helper()
	morning(t, path)
	chart := filepath.Join(t.TempDir(), "rerun.svg")
	out, err := agentSays(t, "rerun", "--config", path, "--day", "2026-11-23", "--weights", "elder=50", "--max-wait", "22", "--chart", chart)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{ // the elder: 17 minutes, then 22; who came before: 24, then 19
		`(?m)^全部业务\s+全部\s+3 / 3 / 3\s+17.0 / 17.0 / 19.0\s+24.0 / 24.0 / 22.0\s+24.0 / 24.0 / 22.0\s+1 / 1 / 0\s+0 / 0 / 0\s*$`,
		`(?m)^全部业务\s+老幼残孕\s+1 / 1 / 1\s+17.0 / 17.0 / 22.0\s`,
		`(?m)^1\s+0.0 / 0.0 / 0.0\s*$`,
	} {
		if !regexp.MustCompile(line).MatchString(out) {
			t.Errorf("no line %s in\n%s", line, out)
		}
	}
	drawn, err := os.ReadFile(chart)
	if err != nil {
		t.Fatal(err)
	}
	texts := svgTexts(t, drawn)
	for _, want := range []string{"2026-11-23 等候时间（分钟）", "现行规则", "新规则", "老幼残孕", "中位", "八成", "最久", "17.0", "22.0"} {
		if !strings.Contains(texts, "|"+want+"|") {
			t.Errorf("the chart does not say %q: %s", want, texts)
		}
	}
}

// svgTexts gives what a picture says, between strokes; it fails on what is no XML.
func svgTexts(t *testing.T, svg []byte) string {
	t.Helper()
	said := "|"
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return said
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			said += string(text) + "|"
		}
	}
}

func TestRerunSaysWhatIsWrong(t *testing.T) {
	path := box(t)
	morning(t, path)
	for _, c := range []struct {
		says  string
		usage bool
		args  []string
	}{
		{"没有2026-11-20这一天", false, []string{"--day", "2026-11-20"}},
		{"weights", true, []string{"--weights", "king=3"}},
		{"max_wait", true, []string{"--max-wait", "soon"}},
		{"图没有写进", false, []string{"--chart", filepath.Join(path, "rerun.svg")}},
	} {
		_, err := agentSays(t, append([]string{"rerun", "--config", path}, c.args...)...)
		if err == nil || !strings.Contains(explain(err), c.says) {
			t.Errorf("%v: %v", c.args, err)
			continue
		}
		var e *command.Error
		if errors.As(err, &e) != c.usage {
			t.Errorf("%v: bad usage %t", c.args, !c.usage)
		}
	}
}
