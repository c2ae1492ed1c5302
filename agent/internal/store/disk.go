package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// DiskSync is how long one durable 4 KiB write takes: overwrite, then fdatasync. A commit needs two of them.
type DiskSync struct{ P50, P99 time.Duration }

// DiskSamples is enough for a stable 99th percentile of a healthy disk and still a moment on a slow one.
const DiskSamples = 100

// MeasureSync measures the disk under dir by that many writes. It gives up after a second, with what it has by then.
func MeasureSync(dir string, samples int) (d DiskSync, err error) {
	f, err := os.CreateTemp(dir, "sync-*.tmp")
	if err != nil {
		return d, fmt.Errorf("measure disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	var took []time.Duration
	for began := time.Now(); len(took) < samples && time.Since(began) < time.Second; {
		page[0]++
		t := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			return d, fmt.Errorf("measure disk: %w", err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return d, fmt.Errorf("measure disk: %w", err)
		}
		took = append(took, time.Since(t))
	}
	slices.Sort(took)
	return DiskSync{P50: took[len(took)/2], P99: took[len(took)*99/100]}, nil
}
