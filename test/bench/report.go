package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// row is one figure, what this machine allows at best, how the two compare, and what was wanted.
type row struct{ what, figure, limit, ratio, target string }

// met words a target and whether it was met.
func met(target string, ok bool) string {
	if ok {
		return target + ": met"
	}
	return "**" + target + ": MISSED**"
}

// report is what is printed.
type report struct {
	began   time.Time
	machine []string
	rows    []row
	extra   []string // tables of other programs, as they are
}

func newReport(dir string, o options) (*report, error) {
	fs, err := filesystem(dir)
	if err != nil {
		return nil, err
	}
	r := &report{began: time.Now()}
	r.machine = []string{
		"processor: " + processor() + fmt.Sprintf(", %d in use", runtime.GOMAXPROCS(0)),
		"kernel: " + kernel() + ", data on " + fs,
		"programs: " + runtime.Version() + ", " + runtime.GOARCH,
	}
	if o.short {
		r.machine = append(r.machine, "**short run: a sign of life, the figures mean nothing**")
	}
	return r, nil
}

func (r *report) add(x row) { r.rows = append(r.rows, x) }

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# HallEdge bench, %s\n\n", r.began.Format("2006-01-02 15:04 -07:00"))
	for _, m := range r.machine {
		fmt.Fprintf(&b, "- %s\n", m)
	}
	fmt.Fprintf(&b, "\n| what | measured | this machine's own limit | ratio | target |\n|---|---|---|---|---|\n")
	for _, x := range r.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", x.what, x.figure, x.limit, x.ratio, x.target)
	}
	for _, e := range r.extra {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(e, "\n"))
	}
	return b.String()
}

// spread is a set of durations.
type spread []time.Duration

// at gives the p-th percentile by the nearest rank, 0 of nothing.
func (s spread) at(p int) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// ms words a duration in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

func (s spread) String() string { return fmt.Sprintf("p50 %s, p99 %s", ms(s.at(50)), ms(s.at(99))) }

// times words how often one duration goes into another.
func times(a, b time.Duration) string { return fmt.Sprintf("%.1f×", float64(a)/float64(max(b, 1))) }

func processor() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(raw)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	release, _, _ := bytes.Cut(u.Release[:], []byte{0})
	return string(release)
}

// filesystem names the type of the filesystem a directory is on: the mount whose path is the longest prefix.
func filesystem(dir string) (string, error) {
	raw, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	best, kind := "", ""
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(best) {
			continue
		}
		if dir == f[1] || strings.HasPrefix(dir, strings.TrimSuffix(f[1], "/")+"/") {
			best, kind = f[1], f[2]
		}
	}
	return kind, nil
}
