package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"

	"halledge/test/demo"
	"halledge/test/unit"
)

// another runs an agent beside the demo's, or in its place, by a configuration of its own, until use returns.
func (b *bench) another(ctx context.Context, config string, use func(base string, pid int) error) (err error) {
	var out bytes.Buffer
	ready := config + ".ready.json"
	cmd := exec.CommandContext(ctx, b.program, "run", "--config", config, "--ready-file", ready)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := unit.Start(cmd); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, cmd.Cancel(), cmd.Wait())
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out.String())
		}
	}()
	var at struct{ HTTP string }
	for began := time.Now(); at.HTTP == ""; {
		if raw, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(raw, &at); err != nil {
				return err
			}
			break
		}
		if time.Since(began) > demo.Patience {
			return errors.New("the agent is not ready")
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return use("http://"+at.HTTP, cmd.Process.Pid)
}

// demoConfig gives the demo's two files.
func (b *bench) demoConfig() (site, plan map[string]any, err error) {
	if site, err = readYAML(b.demo.Agent.Config); err != nil {
		return nil, nil, err
	}
	plan, err = readYAML(filepath.Join(filepath.Dir(b.demo.Agent.Config), "hall.yaml"))
	return site, plan, err
}

func readYAML(path string) (m map[string]any, err error) {
	raw, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(raw, &m)
	}
	return m, err
}

func writeYAML(path string, m map[string]any) error {
	raw, err := yaml.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}
