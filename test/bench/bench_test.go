package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"halledge/test/demo"
)

// TestMain lets the test be the program that polls barely.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-bare" {
		fmt.Fprintln(os.Stderr, bare(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestEverythingCanBeMeasured keeps the bench alive. What it measures here means nothing: the programs carry the race detector.
func TestEverythingCanBeMeasured(t *testing.T) {
	root, err := demo.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	r, err := run(ctx, options{bin: demo.Programs(t), short: true}, root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text := r.markdown()
	for _, want := range []string{
		"durable commands, 1 client,", "durable commands, 8 clients,", "durable commands, 64 clients,", "at random moments", "500 takes at once", "fdatasync",
		"change event at a screen", "the reader has found the card", "frame at the LED panel", "memory, full hall", "call-next, 10000 waiting", "100 windows call at once", "the last of 50 screens", "memory, village hall", "bare loop that polls", "ms CPU per stream·s", "16 call pads on one bus", "slip rendered", "BenchmarkRender",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
}

func TestPercentilesAreOfTheNearestRank(t *testing.T) {
	s := spread{5, 1, 4, 2, 3}
	for p, want := range map[int]time.Duration{1: 1, 20: 1, 21: 2, 50: 3, 99: 5, 100: 5} {
		if got := s.at(p); got != want {
			t.Errorf("p%d of 1…5 is %d, want %d", p, got, want)
		}
	}
	if spread(nil).at(50) != 0 {
		t.Error("a percentile of nothing is not 0")
	}
}

func TestAMissedTargetIsSaid(t *testing.T) {
	if got := met("p99 < 100 ms", false); got != "**p99 < 100 ms: MISSED**" {
		t.Error(got)
	}
	if got := met("p99 < 100 ms", true); got != "p99 < 100 ms: met" {
		t.Error(got)
	}
}
