package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/drivertest/farend"
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
