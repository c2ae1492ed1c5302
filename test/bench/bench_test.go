package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
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

// said is what benchmarks printed, cut down to the lines that become rows.
const said = `pkg: halledge/drivers/callpad
BenchmarkSixteenPads/all_there-N	1	13 ns/op	571.0 worst-ms
pkg: halledge/agent/internal/slips
BenchmarkRenderAndSend-N	100	11000000 ns/op
pkg: halledge/agent/internal/store
BenchmarkCommand/sealed-N	900	571231 ns/op	360000 cpu-ns/op	43497 B/op	236 allocs/op
BenchmarkCommand/clear-N	900	571226 ns/op	320000 cpu-ns/op	32477 B/op	156 allocs/op
BenchmarkCommand/sealed,_not_waited_for-N	900	1 ns/op	1 cpu-ns/op
BenchmarkProtection/chain-N	1000	1 ns/op	9000 cpu-ns/op
BenchmarkProtection/SM3-N	1000	1 ns/op	1500 cpu-ns/op
BenchmarkProtection/seals-N	1000	1 ns/op	5400 cpu-ns/op
BenchmarkProtection/AES-N	1000	1 ns/op	1800 cpu-ns/op
pkg: halledge/agent/kit/gm
BenchmarkSign/SM2-N	9000	20000 ns/op
BenchmarkSign/P-256-N	9000	25000 ns/op
BenchmarkVerify/SM2-N	9000	50000 ns/op
BenchmarkVerify/P-256-N	9000	50000 ns/op
BenchmarkSealAndOpen/SM4-N	9000	4000 ns/op	256.00 MB/s
BenchmarkSealAndOpen/AES-N	9000	1000 ns/op	1024.00 MB/s
pkg: halledge/agent/kit/gm/tlcp
BenchmarkHandshake-N	60	5000000 ns/op
BenchmarkHandshakeOfTLS-N	213	2000000 ns/op
pkg: halledge/cloud/internal/broker
BenchmarkHandshakes/TLS-N	213	1 ns/op	400.0 handshakes/s
BenchmarkHandshakes/TLCP-N	60	1 ns/op	100.0 handshakes/s
BenchmarkProvince/TLS-N	1	1 ns/op	4.056 s/province
BenchmarkProvince/TLCP-N	1	1 ns/op	61.000 s/province
pkg: halledge/cloud/internal/ingest
BenchmarkIngest/clear-N	180	1988632 ns/op	5000 facts/s
BenchmarkIngest/sealed-N	157	2185378 ns/op	4500 facts/s`

func tableOf(text string) string {
	processors := ""
	if n := runtime.GOMAXPROCS(0); n > 1 {
		processors = fmt.Sprintf("-%d", n)
	}
	return (&report{rows: parse(strings.Split(strings.ReplaceAll(text, "-N\t", processors+"\t"), "\n")).rows()}).markdown()
}

func TestFiguresOfBenchmarksStandBesideTheirLimits(t *testing.T) {
	text := tableOf(said)
	for _, want := range []string{
		"| 571 ms | 9600 baud | – | at most 600 ms: met |",
		"| 11.00 ms | a pseudo-terminal has no line time | – | **under 10 ms: MISSED** |",
		"| record of 1 kB sealed and opened by SM4-GCM | 4.0 µs, 250000/s | AES-GCM: 1.0 µs | 4.00× | – |",
		"| signature by SM2 | 20.0 µs, 50000/s | P-256: 25.0 µs | 0.80× | – |",
		"| signature by SM2 verified | 50.0 µs, 20000/s | P-256: 50.0 µs | 1.00× | – |",
		"processor's time | 360.0 µs | in the clear: 320.0 µs | 1.12× | – |",
		"| · of which the chain | 9.0 µs, 2.5 % of the command | SM3 of the same bytes: 1.5 µs | 6.00× | under 5 % of the command: met |",
		"| 5.4 µs, 1.5 % of the command | by AES-GCM: 1.8 µs | 3.00× | – |",
		"| 4500/s | in the clear: 5000/s | 0.90× | – |",
		"by TLS at the centre's door, one after the other | 400/s | without a broker: 500/s | 0.80× | – |",
		"by TLCP at the centre's door, one after the other | 100/s | without a broker: 200/s | 0.50× | – |",
		"| 2,028 halls sign in at once by TLS | 4.1 s | as many bare handshakes, one after the other: 4.1 s | 1.00× | under 60 s: met |",
		"| 2,028 halls sign in at once by TLCP | 61.0 s | as many bare handshakes, one after the other: 10.1 s | 6.02× | **under 60 s: MISSED** |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
	if got := tableOf(strings.Replace(said, "571.0 worst-ms", "0 worst-ms", 1)); !strings.Contains(got, "| 0 ms | 9600 baud |") {
		t.Errorf("nobody waited, which is a figure too:\n%s", got)
	}
	if got := tableOf(strings.Replace(said, "9000 cpu-ns/op", "18000 cpu-ns/op", 1)); !strings.Contains(got, "**under 5 % of the command: MISSED**") {
		t.Errorf("a chain that costs 5 %% of a command is none too many:\n%s", got)
	}
}

func TestBenchmarksThatDidNotRunGiveNoRows(t *testing.T) {
	if rows := parse([]string{"pkg: halledge/agent/kit/gm", "BenchmarkSign/SM2", "Benchmark", "BenchmarkSealAndOpen/SM4 1 0 ns/op"}).rows(); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
}
