package crash_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/test/demo"
)

// killedStarts and firstStarts are how often agents are killed that are still starting.
const (
	killedStarts = 25
	firstStarts  = 8
)

// starter starts agents outside hall-sim, which would give up on one that dies before it is ready.
type starter struct {
	demo   *demo.Demo
	config string
	ready  string
	rng    *rand.Rand
}

func (s *starter) start(t *testing.T) (*exec.Cmd, <-chan struct{}) {
	t.Helper()
	if err := os.Remove(s.ready); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(s.demo.Dir, "logs", "hall-agent.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(s.demo.Bin, "hall-agent"), "run", "--config", s.config, "--ready-file", s.ready)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // how it ended is not asked: it was killed
	}()
	return cmd, done
}

// kill starts an agent and kills it after some time, shorter than within.
func (s *starter) kill(t *testing.T, within time.Duration) {
	t.Helper()
	cmd, done := s.start(t)
	<-time.After(time.Duration(s.rng.Int64N(int64(within))))
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	<-done
}

// whole starts an agent, waits until it is ready and stops it. It gives how long the start took.
func (s *starter) whole(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	cmd, done := s.start(t)
	demo.Until(t, demo.Patience, "an agent is ready", func() error {
		select {
		case <-done:
			t.Fatal("the agent ended by itself")
		default:
		}
		_, err := os.Stat(s.ready)
		return err
	})
	took := time.Since(began)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-done
	return took
}

// journal runs hall-agent journal and gives what it printed.
func (s *starter) journal(t *testing.T, what string) string {
	t.Helper()
	out, err := s.demo.Run("hall-agent", "journal", what, "--config", s.config)
	if err != nil {
		t.Fatalf("journal %s: %v\n%s", what, err, out)
	}
	return out
}

func newStarter(t *testing.T, d *demo.Demo, config string) *starter {
	t.Helper()
	return &starter{demo: d, config: config, ready: filepath.Join(t.TempDir(), "ready.json"), rng: rand.New(rand.NewPCG(drawn(t), 1<<32))}
}

func TestAgentKilledWhileStarting(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	var last demo.Ticket
	for range 3 {
		last = d.Take(t, "A")
	}
	d.Sim(t, "stop", "agent")
	s := newStarter(t, d, d.Agent.Config)
	before := s.journal(t, "export")
	within := s.whole(t)
	for range killedStarts {
		s.kill(t, within)
	}
	if after := s.journal(t, "export"); !strings.HasPrefix(after, before) {
		t.Errorf("the log was\n%s\nand is\n%s", before, after)
	}
	s.journal(t, "verify")
	d.Sim(t, "start", "agent")
	demo.Until(t, demo.Patience, "the agent is back", func() error { return d.Ready(d.Agent.URL) })
	if next := d.Take(t, "A"); last.Number != "A003" || next.Number != "A004" {
		t.Errorf("after %s comes %s", last.Number, next.Number)
	}
	nothingPutAside(t, filepath.Join(filepath.Dir(d.Agent.Config), "data"))
	checkLogs(t, d)
}

// TestAgentKilledOnItsFirstStart kills agents that are just making their database.
func TestAgentKilledOnItsFirstStart(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	d.Sim(t, "stop", "agent")
	raw, err := os.ReadFile(d.Agent.Config)
	if err != nil {
		t.Fatal(err)
	}
	// It works alone: to the cloud, a new database is a new epoch of the hall.
	text := string(raw)
	data := filepath.Join(filepath.Dir(d.Agent.Config), "data")
	for _, section := range []string{"cloud:", "cameras:", "relay:"} {
		text = without(text, section)
	}
	config := filepath.Join(filepath.Dir(d.Agent.Config), "fresh.yaml")
	s := newStarter(t, d, config)
	within := time.Duration(0)
	for i := range firstStarts {
		fresh := filepath.Join(d.Dir, "agent", fmt.Sprint("fresh-", i))
		if err := os.WriteFile(config, []byte(strings.Replace(text, data+"\n", fresh+"\n", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if within > 0 {
			s.kill(t, within)
			s.kill(t, within)
		}
		took := s.whole(t)
		if within == 0 {
			within = took
		}
		if out := s.journal(t, "verify"); !strings.Contains(out, "完好") {
			t.Errorf("journal verify says %q", out)
		}
		nothingPutAside(t, fresh)
	}
	checkLogs(t, d)
}

// without leaves a section out of a YAML file: its line and the indented ones below it.
func without(text, section string) string {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, section) {
			inside = true
			continue
		}
		if inside = inside && strings.HasPrefix(line, " "); !inside {
			out.WriteString(line)
		}
	}
	return out.String()
}

// nothingPutAside wants no database to have been taken for a damaged one.
func nothingPutAside(t *testing.T, data string) {
	t.Helper()
	aside, err := filepath.Glob(filepath.Join(data, "*.corrupt-*"))
	if err != nil || len(aside) > 0 {
		t.Errorf("files put aside: %v %v", aside, err)
	}
}
