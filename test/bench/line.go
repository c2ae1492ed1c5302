package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/modbus"
	"halledge/test/unit"
)

// trip is a question and its answer, in bytes.
type trip struct{ asked, answered int }

// cardTrips are those after a reader has found a card: the answer that says so, the card is selected, its text and photo are read.
func cardTrips() []trip { return []trip{{10, 15}, {10, 19}, {10, 1295}} }

// roundTrips gives how long a row of questions and answers takes over a pseudo-terminal of this machine when nobody thinks.
func roundTrips(row []trip, n int) (took spread, err error) {
	dir, err := os.MkdirTemp("", "bench-line-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	line := farend.NewPTY(filepath.Join(dir, "tty"), func(rw io.ReadWriter) { answer(rw, row) })
	if err := line.Plug(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, line.Unplug()) }()
	host, err := os.OpenFile(line.Path(), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	buf := make([]byte, 4096)
	for range n {
		began := time.Now()
		for _, t := range row {
			if _, err := host.Write(buf[:t.asked]); err != nil {
				return nil, fmt.Errorf("ask over a pseudo-terminal: %w", err)
			}
			if _, err := io.ReadFull(host, buf[:t.answered]); err != nil {
				return nil, fmt.Errorf("hear over a pseudo-terminal: %w", err)
			}
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// answer gives each question its answer until the line is unplugged.
func answer(rw io.ReadWriter, row []trip) {
	buf := make([]byte, 4096)
	for i := 0; ; i = (i + 1) % len(row) {
		if _, err := io.ReadFull(rw, buf[:row[i].asked]); err != nil {
			return
		}
		if _, err := rw.Write(buf[:row[i].answered]); err != nil {
			return
		}
	}
}

// padAnswer is how long the answer of a call pad is, in bytes, when it is asked for its last key.
const padAnswer = 9

// bare polls the call pads at the paths as often as the agent does, and nothing else, until it fails.
func bare(paths []string) error {
	failed := make(chan error)
	for _, path := range paths {
		go func() { failed <- barePad(path) }()
	}
	return <-failed
}

func barePad(path string) error {
	frame, err := modbus.Request{Unit: 1, Function: modbus.ReadInput, Count: 2}.Append(nil)
	if err != nil {
		return err
	}
	host, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer host.Close()
	buf := make([]byte, padAnswer)
	for range time.Tick(padPoll) {
		if err := host.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		if _, err := host.Write(frame); err != nil {
			return err
		}
		if _, err := io.ReadFull(host, buf); err != nil {
			return err
		}
	}
	return nil
}

// bareShare gives the part of a core, in percent, that bare takes.
func (b *bench) bareShare(ctx context.Context, paths []string) (share float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, self, append([]string{"-bare"}, paths...)...)
	cmd.Stderr = &said
	if err := unit.Start(cmd); err != nil {
		return 0, err
	}
	share, err = b.shareOf(ctx, cmd.Process.Pid)
	if killed := cmd.Process.Kill(); err == nil {
		err = killed
	}
	_ = cmd.Wait() // killed
	if err == nil && said.Len() > 0 {
		err = fmt.Errorf("bare polls: %s", said.String())
	}
	return share, err
}
