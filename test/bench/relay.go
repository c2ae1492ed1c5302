package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// relayLimit bounds the relay's bench.
const relayLimit = 10 * time.Minute

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
