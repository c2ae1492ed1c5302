package video

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// programs are built once for all tests.
type programs struct {
	dir   string
	once  sync.Once
	relay string
	node  string
	err   error
}

func (p *programs) build() error {
	p.once.Do(func() {
		p.relay, p.node = filepath.Join(p.dir, "relay"), filepath.Join(p.dir, "node")
		for out, pkg := range map[string]string{p.relay: "halledge/agent/internal/relay/alone", p.node: "halledge/cloud/internal/media/alone"} {
			cmd := exec.Command("go", "build", "-race", "-o", out, pkg)
			cmd.Stderr = os.Stderr
			if p.err = cmd.Run(); p.err != nil {
				return
			}
		}
	})
	return p.err
}

// process is a program that takes commands line by line and answers with lines.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	read  sync.WaitGroup
}

func run(t *testing.T, program string, settings any) *process {
	t.Helper()
	first, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(program), lines: make(chan string, 1024)}
	p.cmd.Stderr = t.Output()
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.read.Go(func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	})
	p.say(string(first))
	return p
}

func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// line gives the next line that is no demand; demands go to each.
func (p *process) line(each func(camera string, wanted bool)) string {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				p.t.Fatal("the program ended")
			}
			f := strings.Fields(l)
			if len(f) == 3 && f[0] == "demand" {
				each(f[1], f[2] == "true")
				continue
			}
			return l
		case <-deadline:
			p.t.Fatal("no answer")
		}
	}
}

// ask gives the answer to "state".
func (p *process) ask(into any, each func(camera string, wanted bool)) {
	p.t.Helper()
	p.say("state")
	if err := json.Unmarshal([]byte(p.line(each)), into); err != nil {
		p.t.Fatal(err)
	}
}

// end lets the program end properly.
func (p *process) end() {
	p.t.Helper()
	_ = p.in.Close()
	p.read.Wait()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%s ended with %v", p.cmd.Path, err)
	}
}

// kill ends it as a power cut does.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.read.Wait()
	_ = p.cmd.Wait() // "signal: killed"
}
