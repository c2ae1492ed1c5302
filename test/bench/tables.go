package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bounds of the programs whose tables these are.
const (
	relayLimit = 10 * time.Minute
	partsLimit = 15 * time.Minute
)

// partsTable runs the benchmarks that stand beside codecs, slips and shared lines, gives their lines as they are, and adds those that have a
// target.
func partsTable(ctx context.Context, e effort, root string, r *report) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, partsLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", e.rounds, "-p", "1"}, e.parts...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Benchmark") || strings.HasPrefix(line, "pkg: ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	text := strings.Join(lines, "\n")
	if ms, ok := figureOf(text, `BenchmarkSixteenPads/all_there\S*\s.*?([0-9.]+) worst-ms`); ok {
		r.add(row{"16 call pads on one bus, the longest any waits for its poll", fmt.Sprintf("%.0f ms", ms), "9600 baud", "–", met("at most 600 ms", ms <= 600)})
	}
	if ns, ok := figureOf(text, `BenchmarkRenderAndSend\S*\s+[0-9]+\s+([0-9.]+) ns/op`); ok {
		r.add(row{"slip rendered, sent, and said to be out", fmt.Sprintf("%.2f ms", ns/1e6), "a pseudo-terminal has no line time", "–", met("under 10 ms", ns < 10e6)})
	}
	return "## Codecs, slips and lines\n\n```\n" + text + "\n```", nil
}

// figureOf finds a figure in the lines of benchmarks.
func figureOf(text, pattern string) (figure float64, ok bool) {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0, false
	}
	figure, err := strconv.ParseFloat(found[1], 64)
	return figure, err == nil
}

// relayTable builds and runs the relay's own bench, whose limit is a bare copy of the same bytes, and gives its table as it is.
func relayTable(ctx context.Context, e effort, root, dir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, relayLimit)
	defer cancel()
	program := filepath.Join(dir, "relay-bench")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./test/bench/relay")
	build.Dir, build.Stderr = root, os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, "-n", e.streams, "-window", e.window.String())
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("## Relay\n\nCameras of 1 Mbit/s; the limit is a bare copy of the same bytes.\n\n```\n%s```", out), nil
}
