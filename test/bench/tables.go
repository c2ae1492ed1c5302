package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
	r.rows = append(r.rows, parse(lines).rows()...)
	return "## Codecs, slips and lines\n\n```\n" + strings.Join(lines, "\n") + "\n```", nil
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

// figures holds what benchmarks said: by their name, without the number of processors, then by the unit.
type figures map[string]map[string]float64

// parse reads the lines of benchmarks. Each name begins with the last word of its package.
func parse(lines []string) figures {
	all, pkg := figures{}, ""
	processors := fmt.Sprintf("-%d", runtime.GOMAXPROCS(0)) // stands behind each name
	for _, line := range lines {
		if path, ok := strings.CutPrefix(line, "pkg: "); ok {
			pkg = path[strings.LastIndex(path, "/")+1:]
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		said := map[string]float64{}
		for i := 2; i+1 < len(words); i += 2 {
			if n, err := strconv.ParseFloat(words[i], 64); err == nil {
				said[words[i+1]] = n
			}
		}
		name := strings.TrimSuffix(strings.TrimPrefix(words[0], "Benchmark"), processors)
		all[pkg+"."+name] = said
	}
	return all
}

// of gives what a benchmark said in a unit. It is not ok if none did: a short run measures only a few.
func (f figures) of(name, unit string) (figure float64, ok bool) {
	figure, ok = f[name][unit]
	return figure, ok
}

// both gives what two benchmarks said in a unit, of which the second is the limit.
func (f figures) both(name, limit, unit string) (figure, least float64, ok bool) {
	figure, ok = f.of(name, unit)
	least, ok2 := f.of(limit, unit)
	return figure, least, ok && ok2 && least > 0
}

// rows gives the figures that belong into the table, with their limits and targets.
func (f figures) rows() (rows []row) {
	if ms, ok := f.of("callpad.SixteenPads/all_there", "worst-ms"); ok {
		rows = append(rows, row{"16 call pads on one bus, the longest any waits for its poll", fmt.Sprintf("%.0f ms", ms), "9600 baud", "–", met("at most 600 ms", ms <= 600)})
	}
	if ns, ok := f.of("slips.RenderAndSend", "ns/op"); ok {
		rows = append(rows, row{"slip rendered, sent, and said to be out", fmt.Sprintf("%.2f ms", ns/1e6), "a pseudo-terminal has no line time", "–", met("under 10 ms", ns < 10e6)})
	}
	return append(append(append(rows, f.algorithms()...), f.protection()...), f.handshakes()...)
}

// algorithms are the national ones beside what the standard library does for the same end.
func (f figures) algorithms() (rows []row) {
	for _, x := range []struct{ what, name, limit, by string }{
		{"record of 1 kB sealed and opened by SM4-GCM", "gm.SealAndOpen/SM4", "gm.SealAndOpen/AES", "AES-GCM"},
		{"signature by SM2", "gm.Sign/SM2", "gm.Sign/P-256", "P-256"},
		{"signature by SM2 verified", "gm.Verify/SM2", "gm.Verify/P-256", "P-256"},
	} {
		if ns, least, ok := f.both(x.name, x.limit, "ns/op"); ok {
			rows = append(rows, row{x.what, micros(ns) + ", " + rate(ns), x.by + ": " + micros(least), ratio(ns, least), "–"})
		}
	}
	return rows
}

// protection is what keys and chain cost a command of the hall, and the centre.
func (f figures) protection() (rows []row) {
	sealed, clear, ok := f.both("store.Command/sealed", "store.Command/clear", "cpu-ns/op")
	if !ok {
		return nil
	}
	rows = append(rows, row{"durable command, sealed and chained: processor's time", micros(sealed), "in the clear: " + micros(clear), ratio(sealed, clear), "–"})
	share := func(ns float64) string { return fmt.Sprintf("%s, %.1f %% of the command", micros(ns), 100*ns/sealed) }
	if ns, least, ok := f.both("store.Protection/chain", "store.Protection/SM3", "cpu-ns/op"); ok {
		rows = append(rows, row{"· of which the chain", share(ns), "SM3 of the same bytes: " + micros(least), ratio(ns, least), met("under 5 % of the command", ns < 0.05*sealed)})
	}
	if ns, least, ok := f.both("store.Protection/seals", "store.Protection/AES", "cpu-ns/op"); ok {
		rows = append(rows, row{"· of which sealing fact, answer and end of the chain", share(ns), "by AES-GCM: " + micros(least), ratio(ns, least), "–"})
	}
	if at, most, ok := f.both("ingest.Ingest/sealed", "ingest.Ingest/clear", "facts/s"); ok {
		rows = append(rows, row{"facts of 64 halls taken in by the centre, sealed and chained", fmt.Sprintf("%.0f/s", at), fmt.Sprintf("in the clear: %.0f/s", most), ratio(at, most), "–"})
	}
	return rows
}

// handshakes are the doors of the centre beside bare connections, both ends of which are on this machine.
func (f figures) handshakes() (rows []row) {
	const province = 2028
	for _, x := range []struct{ by, bare string }{{"TLS", "tlcp.HandshakeOfTLS"}, {"TLCP", "tlcp.Handshake"}} {
		by := x.by
		ns, ok := f.of(x.bare, "ns/op")
		if !ok {
			continue
		}
		if n, ok := f.of("broker.Handshakes/"+by, "handshakes/s"); ok {
			rows = append(rows, row{"mutual handshakes by " + by + " at the centre's door, one after the other", fmt.Sprintf("%.0f/s", n), "without a broker: " + rate(ns), ratio(n, 1e9/ns), "–"})
		}
		if s, ok := f.of("broker.Province/"+by, "s/province"); ok {
			rows = append(rows, row{"2,028 halls sign in at once by " + by, fmt.Sprintf("%.1f s", s), fmt.Sprintf("as many bare handshakes, one after the other: %.1f s", province*ns/1e9), ratio(s, province*ns/1e9), met("under 60 s", s < 60)})
		}
	}
	return rows
}

func micros(ns float64) string           { return fmt.Sprintf("%.1f µs", ns/1e3) }
func rate(ns float64) string             { return fmt.Sprintf("%.0f/s", 1e9/ns) }
func ratio(figure, limit float64) string { return fmt.Sprintf("%.2f×", figure/limit) }
