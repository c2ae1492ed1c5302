package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// syncs is what the disk does by itself: one 4 KiB page overwritten and synced at a time, with nothing of ours around it.
type syncs struct {
	took spread
	all  time.Duration
}

// perSecond is the rate of syncs.
func (s syncs) perSecond() float64 { return float64(len(s.took)) / s.all.Seconds() }

func (s syncs) String() string { return fmt.Sprintf("fdatasync %.0f/s, %s", s.perSecond(), s.took) }

// join adds the samples of another moment.
func (s syncs) join(o syncs) syncs {
	return syncs{took: append(append(spread{}, s.took...), o.took...), all: s.all + o.all}
}

// probe measures the disk under dir for a while.
func probe(dir string, d time.Duration) (s syncs, err error) {
	f, err := os.CreateTemp(dir, "sync-*.tmp")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	for began := time.Now(); s.all < d; s.all = time.Since(began) {
		page[0]++
		t := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			return s, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return s, err
		}
		s.took = append(s.took, time.Since(t))
	}
	return s, nil
}
