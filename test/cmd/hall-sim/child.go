package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"halledge/test/unit"
)

// child is one of the demo's real programs.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // after done
}

// readyWait bounds the start of a program on a slow machine; stopWait its graceful end.
const (
	readyWait = 60 * time.Second
	stopWait  = 15 * time.Second
)

// start runs a program with its output at the end of logs/<name>.log, says that it has begun, and waits until it has written its
// ready file.
func start(ctx context.Context, dir string, begun func(*child), ready any, bin string, args ...string) error {
	name := filepath.Base(bin)
	logFile, err := os.OpenFile(filepath.Join(dir, "logs", name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer logFile.Close()
	readyFile := filepath.Join(dir, name+".ready.json")
	if err := os.Remove(readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	c := &child{name: name, cmd: exec.Command(bin, append(args, "--ready-file", readyFile)...), done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = logFile, logFile
	// Ctrl-C must reach this program only: it stops its children in order. If it dies, they die.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	run := c.cmd.Start
	if name == "hall-agent" {
		run = func() error { return unit.Start(c.cmd) }
	}
	if err := run(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	begun(c)
	if err := c.awaitReady(ctx, readyFile, ready); err != nil {
		return errors.Join(err, c.stop())
	}
	return nil
}

func (c *child) awaitReady(ctx context.Context, file string, into any) error {
	deadline := time.After(readyWait)
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		raw, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(raw, into) == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-c.done:
			return errors.Join(fmt.Errorf("%s ended at once: see logs/%s.log", c.name, c.name), c.err)
		case <-deadline:
			return fmt.Errorf("%s was not ready in %s: see logs/%s.log", c.name, readyWait, c.name)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop asks the program to end and kills it if it does not.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-time.After(stopWait):
		err := c.cmd.Process.Kill()
		<-c.done
		return errors.Join(fmt.Errorf("%s did not end in %s", c.name, stopWait), err)
	}
}
