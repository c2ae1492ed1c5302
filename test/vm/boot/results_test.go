package main

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
)

func TestOnlyWhatPassedCounts(t *testing.T) {
	const good = "guest is up after 5 s\n=== RUN   TestA\n    a_test.go:7: 12 ms\n--- PASS: TestA (0.10s)\n    --- PASS: TestA/part (0.05s)\nguest ends with 0\n"
	for name, c := range map[string]struct {
		said string
		want []string
		ok   bool
	}{
		"all passed":      {good, []string{"TestA"}, true},
		"one is missing":  {good, []string{"TestA", "TestB"}, false},
		"one was skipped": {good + "--- SKIP: TestB (0.00s)\n", []string{"TestA", "TestB"}, false},
		"one failed":      {"--- PASS: TestA (0.1s)\n--- FAIL: TestB (1.00s)\nguest ends with 1\n", []string{"TestA", "TestB"}, false},
		"a part failed":   {"--- FAIL: TestA (0.1s)\n    --- PASS: TestA/part (0.05s)\n", []string{"TestA"}, false},
		"it died":         {"--- PASS: TestA (0.1s)\npanic: x\nguest ends with 2\n", []string{"TestA"}, false},
		"it fell silent":  {"--- PASS: TestA (0.1s)\n", []string{"TestA"}, false},
		"a test says so":  {"    a_test.go:7: --- PASS: TestA (0.1s)\nguest ends with 0\n", []string{"TestA"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := results{out: io.Discard}
			for line := range strings.Lines(c.said) {
				r.take(strings.TrimSuffix(line, "\n"))
			}
			if err := r.verdict(c.want); (err == nil) != c.ok {
				t.Errorf("verdict %v", err)
			}
		})
	}
}

func TestWhatFailedIsTold(t *testing.T) {
	var out bytes.Buffer
	r := results{out: &out}
	for _, line := range []string{"    a_test.go:7: what was wrong", "--- FAIL: TestA (0.10s)"} {
		r.take(line)
	}
	if got := out.String(); !strings.Contains(got, "FAIL TestA") || !strings.Contains(got, "what was wrong") {
		t.Errorf("said %q", got)
	}
}

// The image is read by another program than ours.
func TestAnImageCanBeUnpacked(t *testing.T) {
	m := image{}
	m.put("init", node{mode: plain | 0o755, data: []byte("#!/bin/sh\n")})
	m.put("usr/lib/odd", node{mode: plain | 0o600, data: []byte("12345")})
	m.put("lib", node{mode: link | 0o777, data: []byte("usr/lib")})
	var b bytes.Buffer
	if err := m.write(&b); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "busybox", "cpio", "-id")
	cmd.Dir, cmd.Stdin = dir, &b
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "stat", "-c", "%A %s", dir+"/init", dir+"/lib/odd", dir+"/lib").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "-rwxr-xr-x 10\n-rw------- 5\nlrwxrwxrwx 7\n"; string(out) != want {
		t.Errorf("unpacked:\n%swant:\n%s", out, want)
	}
}
