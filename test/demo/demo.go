// Package demo gives tests a whole running hall: the real programs as separate processes, with simulated hardware, on ports the
// system chooses and in a directory of the test.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Info is demo.json, as far as tests need it.
type Info struct {
	Agent struct {
		URL     string
		Hall    string
		Windows []string
		Queues  []string
		Tokens  map[string]string
		Staff   []struct{ User, PIN, Window string }
		Config  string
		PID     int
	}
	Cloud struct {
		URL    string
		Token  string
		Admin  struct{ User, Password string }
		RTSP   string
		DB     string
		Config string
		PID    int
	}
	Devices []struct{ Name, Class, PTY string }
	Cameras []struct{ Code, Source, Relayed, WHEP string }
	Slips   string
}

// Demo is a running demo.
type Demo struct {
	Info
	Dir string
	Bin string

	cmd  *exec.Cmd
	done chan struct{}
}

// limits of a slow machine under the race detector.
const (
	startWithin = 3 * time.Minute
	stopWithin  = time.Minute
	Patience    = 60 * time.Second // for anything a test waits for
	pollEvery   = 30 * time.Millisecond
)

// Programs builds the three programs once per test process and gives their directory. HALLEDGE_BIN names a directory where
// they were built already. Race-detecting builds are the default, so that every journey is also a race test.
func Programs(t testing.TB) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var programs = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("HALLEDGE_BIN"); dir != "" {
		return dir, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "bin", "race")
	build := exec.Command("go", "build", "-race", "-o", dir+string(filepath.Separator),
		"./agent/cmd/hall-agent", "./cloud/cmd/hall-cloud", "./test/cmd/hall-sim")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return dir, nil
})

// Root is the module's directory.
func Root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	return strings.TrimSpace(string(out)), err
}

// Start runs a demo with fresh data until the test ends. settings are of the form NAME=value: its environment beside the test's.
func Start(t testing.TB, settings ...string) *Demo {
	t.Helper()
	return StartIn(t, t.TempDir(), settings...)
}

// StartIn runs a demo on the data that are in dir.
func StartIn(t testing.TB, dir string, settings ...string) *Demo {
	t.Helper()
	d, err := Launch(context.Background(), dir, Programs(t), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stop(t) })
	return d
}

// Launch runs a demo on the data that are in dir, with the programs in bin, until Stop. It returns when all is up.
func Launch(ctx context.Context, dir, bin string, settings ...string) (*Demo, error) {
	d := &Demo{Dir: dir, Bin: bin, done: make(chan struct{})}
	if err := os.Remove(d.file()); err != nil && !errors.Is(err, os.ErrNotExist) { // of an earlier demo here
		return nil, err
	}
	d.cmd = exec.Command(filepath.Join(d.Bin, "hall-sim"), "demo", "--dir", d.Dir)
	d.cmd.Env = append(append(os.Environ(), "DEMO_HOST="+host(), "DEMO_BASE_PORT=0", "DEMO_KEEP=1"), settings...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := os.Create(filepath.Join(d.Dir, "hall-sim.log"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	d.cmd.Stdout, d.cmd.Stderr = out, out
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = d.cmd.Wait() // its exit is checked by Stop
		close(d.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		err := d.Reload()
		if err == nil {
			return d, nil
		}
		select {
		case <-time.After(pollEvery):
		case <-d.done:
			return nil, fmt.Errorf("the demo ended: %s", d.logs())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the demo is not up: %w: %w\n%s", ctx.Err(), err, d.logs()), d.Stop())
		}
	}
}

// host draws an address of this machine for one demo alone: a program that is started again finds its ports as it left them,
// whatever other demos and their clients have opened meanwhile.
func host() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

func (d *Demo) file() string { return filepath.Join(d.Dir, "demo.json") }

// Reload reads demo.json again, which changes when a program was started again.
func (d *Demo) Reload() error {
	raw, err := os.ReadFile(d.file())
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, &d.Info)
}

// Stop ends the demo and waits until it is gone.
func (d *Demo) Stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-d.done:
		return nil
	case <-time.After(stopWithin):
		err := d.cmd.Process.Kill()
		<-d.done
		return errors.Join(fmt.Errorf("the demo did not stop in %s", stopWithin), err)
	}
}

func (d *Demo) stop(t testing.TB) {
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	logs := d.logs()
	for _, bad := range []string{"WARNING: DATA RACE", "panic:", "goroutine 1 ["} {
		if strings.Contains(logs, bad) {
			t.Errorf("the programs' logs contain %q", bad)
		}
	}
	if t.Failed() {
		t.Logf("logs of the programs:\n%s", logs)
	}
}

// logs gives the end of everything the programs wrote.
func (d *Demo) logs() string {
	var b strings.Builder
	for _, name := range []string{"hall-sim.log", "logs/hall-cloud.log", "logs/hall-agent.log"} {
		raw, err := os.ReadFile(filepath.Join(d.Dir, name))
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "--- %s\n%s\n", name, raw[max(0, len(raw)-16<<10):])
	}
	return b.String()
}

// Sim runs one of hall-sim's acting commands, such as Sim(t, "tap-card").
func (d *Demo) Sim(t testing.TB, args ...string) string {
	t.Helper()
	out, err := d.Run("hall-sim", append(args, "--demo", d.Dir)...)
	if err != nil {
		t.Fatalf("hall-sim %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Run runs one of the programs to its end and gives what it printed.
func (d *Demo) Run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(d.Bin, program), args...).CombinedOutput()
	return string(out), err
}

// Until waits until check gives nil, or fails the test with its last error.
func Until(t testing.TB, within time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %s for: %s: %v", within, what, err)
		}
	}
}
