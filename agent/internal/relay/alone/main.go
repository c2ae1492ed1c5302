// Command alone runs a relay by itself, for the benchmark in test/bench/relay and the chain in test/e2e/video, which start it as
// a process. It reads one line of JSON with its settings, then one command a line: "start CODE", "stop CODE", or "state", which
// is answered by one line of JSON. It ends when its input ends. The node is one on this machine: the box is not enrolled.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"halledge/agent/internal/config"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/relay"
	"halledge/firmware-protocols/hallsync"
)

// settings is the first line.
type settings struct {
	Hall     string   `json:"hall"`
	Node     string   `json:"node"`
	Password string   `json:"password"`
	Cameras  []camera `json:"cameras"`
}

type camera struct {
	Code     string `json:"code"`
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
	UDP      bool   `json:"udp"`
	Always   bool   `json:"always"`
}

// state is the answer to "state".
type state struct {
	Goroutines int           `json:"goroutines"`
	Cameras    []relay.State `json:"cameras"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 8<<20) // the settings of thousands of cameras
	if !lines.Scan() {
		return fmt.Errorf("read settings: %w", lines.Err())
	}
	var s settings
	if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	var cameras []config.Camera
	for _, c := range s.Cameras {
		cameras = append(cameras, config.Camera{Code: c.Code, URL: c.URL, User: c.User, Password: config.NewSecret(c.Password),
			UDP: c.UDP, Always: c.Always})
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	dir, err := os.MkdirTemp("", "relay-alone")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	own, err := identity.Open(filepath.Join(dir, identity.Directory), identity.Options{Hall: hallsync.HallID(s.Hall), Log: log})
	if err != nil {
		return err
	}
	cfg := config.Relay{Node: s.Node, Password: config.NewSecret(s.Password), LingerS: 1,
		Subnets: []string{"127.0.0.0/8"}} // where the played cameras are
	r, err := relay.New(cfg, s.Hall, cameras, own, nil, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	err = obey(lines, r, json.NewEncoder(out))
	cancel()
	if ended := <-done; !errors.Is(ended, context.Canceled) {
		return errors.Join(err, ended)
	}
	return err
}

func obey(lines *bufio.Scanner, r *relay.Relay, out *json.Encoder) error {
	for lines.Scan() {
		command, code, _ := strings.Cut(lines.Text(), " ")
		var err error
		switch command {
		case "start":
			err = r.Start(code)
		case "stop":
			err = r.Stop(code)
		case "state":
			err = out.Encode(state{Goroutines: runtime.NumGoroutine(), Cameras: r.States()})
		default:
			err = fmt.Errorf("no such command: %q", command)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}
