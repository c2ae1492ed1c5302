// Command bench measures the running hall and prints each figure beside this machine's own limit, taken in the same run, and
// beside its target. A target that is missed is printed as missed. See README.md for what is measured and how.
//
//	go run ./test/bench
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"halledge/test/demo"
)

// options of a run.
type options struct {
	bin   string // of the three programs; empty: build them
	short bool   // a sign of life, not a measurement
	only  string // the parts whose name contains this; empty: all
}

func (o options) wants(part string) bool { return strings.Contains(part, o.only) }

// effort is how long and how often things are measured.
type effort struct {
	disk    time.Duration // each probe of the disk
	load    time.Duration // each number of clients
	bursts  int
	presses int
	slips   int
	replugs int
	quiet   time.Duration // nobody uses anything
	trips   int           // over a pseudo-terminal, for its limit
	use     time.Duration // light use before memory is read
	streams string        // of the relay
	window  time.Duration
	rounds  string   // of the benchmarks beside the code
	parts   []string // packages that have them
}

func (o options) effort() effort {
	if o.short {
		return effort{disk: 50 * time.Millisecond, load: 300 * time.Millisecond, bursts: 1, presses: 5, slips: 3, replugs: 1, quiet: 2 * time.Second, trips: 20, use: 2 * time.Second, streams: "8", window: time.Second, rounds: "1x", parts: []string{"./drivers/callpad", "./agent/internal/slips"}}
	}
	return effort{disk: 3 * time.Second, load: 6 * time.Second, bursts: 5, presses: 150, slips: 60, replugs: 5, quiet: 30 * time.Second, trips: 500, use: time.Minute, streams: "8,200", window: 10 * time.Second,
		rounds: "500ms", parts: []string{"./drivers/callpad", "./agent/internal/slips", "./drivers/escpos", "./agent/internal/store", "./agent/kit/chain", "./agent/kit/gm/...", "./cloud/internal/broker", "./cloud/internal/ingest", "./firmware-protocols/..."}}
}

func main() {
	var o options
	polls := flag.Bool("bare", false, "only poll the call pads at the paths that follow")
	flag.BoolVar(&o.short, "short", false, "only see that everything can be measured")
	flag.StringVar(&o.bin, "bin", "", "directory of hall-agent, hall-cloud and hall-sim (default: build them into bin/)")
	flag.StringVar(&o.only, "only", "", "measure only the parts whose name contains this, such as commands")
	flag.Parse()
	if *polls {
		fmt.Fprintln(os.Stderr, bare(flag.Args()))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := save(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// save runs everything below var/bench of the module and leaves the table there too.
func save(ctx context.Context, o options) error {
	root, err := demo.Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "var", "bench")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if o.bin == "" {
		o.bin = filepath.Join(root, "bin")
		if err := build(ctx, root, o.bin); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp(dir, "run-*")
	if err != nil {
		return err
	}
	r, err := run(ctx, o, root, work)
	if err := errors.Join(err, os.RemoveAll(work)); err != nil {
		return err
	}
	text := r.markdown()
	fmt.Print(text)
	return os.WriteFile(filepath.Join(dir, r.began.Format(time.DateOnly)+".md"), []byte(text), 0o644)
}

// build makes the programs as they are shipped.
func build(ctx context.Context, root, bin string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin+string(filepath.Separator),
		"./agent/cmd/hall-agent", "./cloud/cmd/hall-cloud", "./test/cmd/hall-sim")
	cmd.Dir, cmd.Env, cmd.Stderr = root, append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the programs: %w", err)
	}
	return nil
}

// run measures everything, with a demo hall in dir. The relay comes last, when the machine is quiet again.
func run(ctx context.Context, o options, root, dir string) (*report, error) {
	r, err := newReport(dir, o)
	if err != nil {
		return nil, err
	}
	if err := runHall(ctx, o, dir, r); err != nil {
		return nil, err
	}
	for _, other := range []struct {
		name  string
		table func() (string, error)
	}{
		{"parts", func() (string, error) { return partsTable(ctx, o.effort(), root, r) }},
		{"relay", func() (string, error) { return relayTable(ctx, o.effort(), root, dir) }},
	} {
		if !o.wants(other.name) {
			continue
		}
		note(other.name)
		table, err := other.table()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", other.name, err)
		}
		r.extra = append(r.extra, table)
	}
	return r, nil
}

// runHall measures a demo hall. Memory comes first, while the agent has done little.
func runHall(ctx context.Context, o options, dir string, r *report) (err error) {
	d, err := demo.Launch(ctx, dir, o.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	b := &bench{demo: d, effort: o.effort(), report: r, program: filepath.Join(o.bin, "hall-agent")}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"memory of a full hall", b.fullMemory}, {"presses", b.presses}, {"cards", b.cards},
		{"replugs", b.replugs}, {"idle devices", b.idle},
		{"commands", func(ctx context.Context) error { return b.alone(ctx, b.commands) }},
		{"takes", func(ctx context.Context) error { return b.alone(ctx, b.takes) }},
		{"large hall", func(ctx context.Context) error { return b.alone(ctx, b.large) }},
		{"memory of a village hall", b.villageMemory},
	} {
		if !o.wants(part.name) {
			continue
		}
		note(part.name)
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// note tells who waits how far it is.
func note(part string) { fmt.Fprintln(os.Stderr, "bench:", part, "…") }

// bench is a running measurement.
type bench struct {
	demo    *demo.Demo
	effort  effort
	report  *report
	program string // hall-agent
}

// sim acts in the demo.
func (b *bench) sim(args ...string) (string, error) {
	out, err := b.demo.Run("hall-sim", append(args, "--demo", b.demo.Dir)...)
	if err != nil {
		return "", fmt.Errorf("hall-sim %v: %w: %s", args, err, out)
	}
	return out, nil
}

// alone measures without the cloud: in a real hall it is another machine with another disk.
func (b *bench) alone(ctx context.Context, measure func(context.Context) error) error {
	if _, err := b.sim("stop", "cloud"); err != nil {
		return err
	}
	if err := measure(ctx); err != nil {
		return err
	}
	_, err := b.sim("start", "cloud")
	return err
}

// pause waits unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
