package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// program is ready as soon as the file "go" is beside it.
const program = `#!/bin/sh
cd %q
while [ ! -e go ]; do sleep 0.02; done
echo '{}' > "$2"
exec sleep 60
`

// stage keeps a program running in a directory of its own, and tells of each process it runs as after the first.
func stage(t *testing.T) (s *service, dir string, pids <-chan int) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"program": fmt.Sprintf(program, dir), "go": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	noted := make(chan int, 8)
	s = newService("program", func(ctx context.Context, begun func(*child)) error {
		return start(ctx, dir, begun, &struct{}{}, filepath.Join(dir, "program"))
	}, func() { noted <- s.pid() })
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	kept := make(chan error, 1)
	go func() { kept <- s.keep(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-kept; err != nil {
			t.Error(err)
		}
		if err := s.halt(); err != nil {
			t.Error(err)
		}
	})
	return s, dir, noted
}

func next(t *testing.T, pids <-chan int) int {
	t.Helper()
	select {
	case pid := <-pids:
		return pid
	case <-time.After(10 * time.Second):
		t.Fatal("not started again")
		return 0
	}
}

// Who kills a program reads the next process's number before that answers, so that the number read then is never the old one.
func TestTheNewProcessIsNotedBeforeItIsReady(t *testing.T) {
	s, dir, pids := stage(t)
	before := s.pid()
	if err := os.Remove(filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	after := next(t, pids)
	if after == before || after == 0 {
		t.Errorf("%d after %d", after, before)
	}
	if _, err := os.Stat(filepath.Join(dir, "program.ready.json")); err == nil {
		t.Error("noted only when ready")
	}
	if err := syscall.Kill(after, syscall.SIGKILL); err != nil { // also now
		t.Fatal(err)
	}
	if last := next(t, pids); last == after {
		t.Errorf("still %d", last)
	}
}

// A program may be stopped while it starts, and started later.
func TestHaltWhileStarting(t *testing.T) {
	s, dir, pids := stage(t)
	if err := os.Remove(filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	starting := next(t, pids)
	if err := s.halt(); err != nil {
		t.Fatal(err)
	}
	if err := s.resume(); err != nil {
		t.Fatal(err)
	}
	if again := next(t, pids); again == starting {
		t.Errorf("still %d", again)
	}
}
