package logs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/kit/logs"
)

// lines decodes JSON output, one map a line.
func lines(t *testing.T, b *bytes.Buffer) []map[string]any {
	t.Helper()
	var out []map[string]any
	for text := range strings.Lines(b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		out = append(out, m)
	}
	return out
}

func TestRepeatsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l := logs.New(&b, logs.Options{Keep: 10})
		printer := l.Logger.With("device", "kiosk-1.printer")
		other := l.Logger.With("device", "kiosk-2.printer")
		for n := range 90 { // one and a half minutes
			printer.Warn("device cannot be opened", "err", errors.New("no such file"), "attempt", n)
			time.Sleep(time.Second)
		}
		other.Warn("device cannot be opened", "err", errors.New("no such file"), "attempt", 1)
		printer.Warn("device cannot be opened", "err", errors.New("permission denied"))
		l.Flush()
		var got []string
		for _, m := range lines(t, &b) {
			got = append(got, fmt.Sprint(m["device"], " ", m["err"], " ", m["attempt"], " ", m["repeated"]))
		}
		want := []string{
			"kiosk-1.printer no such file 0 <nil>",
			"kiosk-1.printer no such file 59 59", // written when the minute is over
			"kiosk-1.printer no such file 60 <nil>",
			"kiosk-2.printer no such file 1 <nil>",
			"kiosk-1.printer permission denied <nil> <nil>",
			"kiosk-1.printer no such file 89 29", // at the end
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestInformationIsNeverCounted(t *testing.T) {
	var b bytes.Buffer
	l := logs.New(&b, logs.Options{Keep: 10})
	for range 3 {
		l.Logger.Info("window opened")
	}
	if n := len(lines(t, &b)); n != 3 {
		t.Errorf("%d lines", n)
	}
}

func TestManyFaultsStayBounded(t *testing.T) {
	var b bytes.Buffer
	l := logs.New(&b, logs.Options{Keep: 10})
	for range 2 {
		for n := range 1000 {
			l.Logger.Error("strange", "what", fmt.Sprint(n))
		}
	}
	l.Flush()
	// 256 faults are counted (a line and a count each), the other 744 are written each time.
	if n := len(lines(t, &b)); n != 2*1000 {
		t.Errorf("%d lines", n)
	}
}

func TestGroupsAndLevels(t *testing.T) {
	var b bytes.Buffer
	var level slog.LevelVar
	l := logs.New(&b, logs.Options{Keep: 10, Level: &level, Text: true})
	l.Logger.WithGroup("relay").With("camera", "CM001").Info("started", "codec", "H264")
	l.Logger.Debug("hidden")
	level.Set(slog.LevelDebug)
	l.Logger.Debug("shown")
	got := b.String()
	if !strings.Contains(got, "relay.camera=CM001 relay.codec=H264") || strings.Contains(got, "hidden") || !strings.Contains(got, "shown") {
		t.Error(got)
	}
}

func TestTheLastNetMasksNumbers(t *testing.T) {
	var b bytes.Buffer
	l := logs.New(&b, logs.Options{Keep: 10})
	l.Logger.Info("card 991101199003070016 read", "text", "电话13800138000，证件99110119881112002X,991101198811120021",
		"phone", 13912345678, "body", `{"phone":13912345678,"id":"991101198811120021"}`)
	l.Logger.Info("kept", "hall", "440900000000001", "flow", "20260305000023", "at", 1772674200000, "seq", "138001380001",
		"id", "a13800138000b", "camera", "440900000000001-CM001")
	got := lines(t, &b)
	if got[0]["msg"] != "card *** read" || got[0]["text"] != "电话***，证件***,***" {
		t.Error(got[0])
	}
	if got[0]["phone"] != "***" || got[0]["body"] != `{"phone":***,"id":"***"}` {
		t.Error(got[0])
	}
	if got[1]["hall"] != "440900000000001" || got[1]["flow"] != "20260305000023" || got[1]["at"] != 1772674200000.0 ||
		got[1]["seq"] != "138001380001" || got[1]["id"] != "a13800138000b" || got[1]["camera"] != "440900000000001-CM001" {
		t.Error(got[1])
	}
	for _, line := range l.Ring.After(0) {
		if strings.Contains(line.Text, "991101") {
			t.Error("the ring keeps", line.Text)
		}
	}
}

func TestRingKeepsTheLastLines(t *testing.T) {
	l := logs.New(&bytes.Buffer{}, logs.Options{Keep: 3, Text: true})
	if got := l.Ring.After(0); got != nil {
		t.Error("empty ring:", got)
	}
	for n := range 5 {
		l.Logger.Info("line", "n", n)
	}
	seqs := func(after uint64) string {
		var s []uint64
		for _, line := range l.Ring.After(after) {
			s = append(s, line.Seq)
		}
		return fmt.Sprint(s)
	}
	for after, want := range map[uint64]string{0: "[3 4 5]", 3: "[4 5]", 5: "[]", 99: "[]"} {
		if got := seqs(after); got != want {
			t.Errorf("after %d: %s, want %s", after, got, want)
		}
	}
	l.Logger.Info(strings.Repeat("长", 5000))
	last := l.Ring.After(5)[0].Text
	if len(last) > 2100 || !strings.HasSuffix(last, " …") {
		t.Errorf("%d bytes kept", len(last))
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestARingOutlivesABrokenOutput(t *testing.T) {
	l := logs.New(broken{}, logs.Options{Keep: 3})
	l.Logger.Error("x")
	if n := len(l.Ring.After(0)); n != 1 {
		t.Errorf("%d lines kept", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	var b bytes.Buffer
	l := logs.New(&b, logs.Options{Keep: 5})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				l.Logger.With("device", i).Warn("again", "err", "same")
				l.Ring.After(0)
			}
		})
	}
	wg.Wait()
	l.Flush()
	lines(t, &b)
}
