// Command relay measures what the hall's relay costs: CPU per stream and second at 8 and at 200 cameras of 1 Mbit/s, beside a
// bare copy of the same bytes in the same run, memory and goroutines per stream, packets lost, and how late pictures are. Run it
// on a quiet machine:
//
//	go run ./test/bench/relay
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	streams := flag.String("n", "8,200", "numbers of streams, separated by commas")
	window := flag.Duration("window", 10*time.Second, "how long each is measured")
	pair := flag.String("floor", "", "be the floor between two addresses (used by the program itself)")
	flag.Parse()
	if err := run(*streams, *window, *pair); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(streams string, window time.Duration, pair string) error {
	var counts []int
	for s := range strings.SplitSeq(streams, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of streams", s)
		}
		counts = append(counts, n)
	}
	if from, to, ok := strings.Cut(pair, ","); ok {
		return copyStreams(from, to, counts[0])
	}
	dir, err := os.MkdirTemp("", "relay-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "relay")
	build := exec.Command("go", "build", "-o", program, "halledge/agent/internal/relay/alone")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build relay: %w", err)
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "streams\trelay\tMbit/s\tms CPU per stream·s\tof the floor\tMB\tkB per stream\tgoroutines per stream\tlost\tlate p50\tp99\tup after\t")
	for _, n := range counts {
		base, err := measure(n, window, floor)
		if err != nil {
			return fmt.Errorf("floor of %d: %w", n, err)
		}
		base.print(out, "copy", base)
		r, err := measure(n, window, func(e *ends, n int) (*child, error) { return relay(program, e, n) })
		if err != nil {
			return fmt.Errorf("relay of %d: %w", n, err)
		}
		r.print(out, "relay", base)
	}
	return out.Flush()
}

// result is one row.
type result struct {
	n          int
	window     time.Duration
	cpu        time.Duration
	memory     int64
	goroutines int
	bytes      int64
	lost       int64
	late       []time.Duration
	up         time.Duration
}

func (r result) perStream() float64 {
	return float64(r.cpu.Microseconds()) / 1000 / float64(r.n) / r.window.Seconds()
}

func (r result) print(out *tabwriter.Writer, name string, floor result) {
	slices.Sort(r.late)
	at := func(share float64) time.Duration {
		return r.late[int(share*float64(len(r.late)-1))].Round(10 * time.Microsecond)
	}
	fmt.Fprintf(out, "%d\t%s\t%.0f\t%.2f\t%.1f\t%.0f\t%.0f\t%.1f\t%d\t%v\t%v\t%v\t\n", r.n, name,
		float64(r.bytes)*8/1e6/r.window.Seconds(), r.perStream(), r.perStream()/floor.perStream(),
		float64(r.memory)/1e6, float64(r.memory)/1000/float64(r.n), float64(r.goroutines)/float64(r.n), r.lost, at(0.5), at(0.99),
		r.up.Round(10*time.Millisecond))
}

// warmUp is how long everything runs before it is measured.
const warmUp = 3 * time.Second

func measure(n int, window time.Duration, start func(*ends, int) (*child, error)) (result, error) {
	r := result{n: n, window: window}
	e, err := open()
	if err != nil {
		return r, err
	}
	defer e.close()
	began := time.Now()
	c, err := start(e, n)
	if err != nil {
		return r, err
	}
	for e.arriving() < n {
		if time.Since(began) > 2*time.Minute {
			return r, errors.Join(fmt.Errorf("only %d streams came up", e.arriving()), c.end())
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.up = time.Since(began)
	time.Sleep(warmUp)
	e.reset()
	before, err := c.cpu()
	if err != nil {
		return r, err
	}
	time.Sleep(window)
	after, err := c.cpu()
	if err != nil {
		return r, err
	}
	r.cpu, r.bytes, r.lost = after-before, e.bytes.Load(), e.lost.Load()
	e.mu.Lock()
	r.late = e.late
	e.mu.Unlock()
	if len(r.late) == 0 {
		return r, errors.New("no picture arrived in the window")
	}
	if r.memory, err = c.memory(); err != nil {
		return r, err
	}
	if r.goroutines, err = c.goroutines(); err != nil {
		return r, err
	}
	return r, c.end()
}
