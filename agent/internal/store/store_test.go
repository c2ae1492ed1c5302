package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/store"
	"halledge/agent/internal/store/swap"
	"halledge/agent/kit/chain"
	"halledge/firmware-protocols/hallsync"
)

const hallCode = hallsync.HallID("440900000000001")

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func options() store.Options {
	return store.Options{Hall: hallCode, Delivered: "cloud", Log: slog.New(slog.DiscardHandler)}
}

// running opens a store and runs its writer until the test ends or stop is called.
func running(t *testing.T, dir string, opts store.Options) (s *store.Store, stop func()) {
	t.Helper()
	s, err := store.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func note(n int) hallsync.Payload {
	return hallsync.DeviceChanged{Device: fmt.Sprint("d", n), Class: "printer", State: "ok"}
}

func appendOne(s *store.Store, n int) error {
	return s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Append(note(n), noon)
		return err
	})
}

func TestFactsAreGaplessAndSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	s, stop := running(t, dir, options())
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := appendOne(s, n); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	epoch := s.Epoch()
	stop()
	s, _ = running(t, dir, options())
	if s.Epoch() != epoch {
		t.Errorf("epoch changed from %s to %s", epoch, s.Epoch())
	}
	st, err := s.Verify()
	if err != nil {
		t.Fatal(err)
	}
	if st.First != 1 || st.Next != 201 || st.Facts != 200 {
		t.Errorf("log is %+v", st)
	}
	raws, err := s.Read(150, 1000, 1<<20)
	if err != nil || len(raws) != 50 {
		t.Errorf("read %d facts behind 150: %v", len(raws), err)
	}
	if raws, _ := s.Read(0, 10, 1); len(raws) != 1 {
		t.Errorf("a small byte limit gave %d facts, want one", len(raws))
	}
}

func TestFailingAndPanickingRequestsLeaveNothing(t *testing.T) {
	s, _ := running(t, t.TempDir(), options())
	refusal := errors.New("refused")
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		if _, err := tx.Append(note(1), noon); err != nil {
			return err
		}
		tx.SetCursor("slips", 7)
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
	err = s.Update(context.Background(), func(tx *store.Tx) error {
		_, _ = tx.Append(note(2), noon)
		panic("boom")
	})
	if err == nil {
		t.Error("a panic was answered with success")
	}
	if err := appendOne(s, 3); err != nil {
		t.Fatal(err)
	}
	st, err := s.Verify()
	if err != nil || st.Facts != 1 || st.Next != 2 {
		t.Errorf("log is %+v, %v", st, err)
	}
	if c, _ := s.Cursor("slips"); c != 0 {
		t.Errorf("cursor of a refused request is %d", c)
	}
}

func TestOversizedFactIsRefused(t *testing.T) {
	s, _ := running(t, t.TempDir(), options())
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Append(hallsync.DeviceChanged{Device: string(make([]byte, hallsync.MaxEventBytes))}, noon)
		return err
	})
	if err == nil || s.Next() != 1 {
		t.Errorf("got %v, next %d", err, s.Next())
	}
}

// Threat 23, the disk's part: a file that is full refuses clearly, and nothing that was said to be stored is lost.
func TestThreat23FullFileRefusesAndLosesNothing(t *testing.T) {
	both(t, func(t *testing.T, opts store.Options, base hallsync.Seq) {
		opts.MaxBytes = 1 << 20
		s, _ := running(t, t.TempDir(), opts)
		stored, big := 0, hallsync.DeviceChanged{Device: string(make([]byte, 2000))}
		var err error
		for err == nil && stored < 10000 {
			err = s.Update(context.Background(), func(tx *store.Tx) error {
				_, err := tx.Append(big, noon)
				return err
			})
			if err == nil {
				stored++
			}
		}
		var full *store.Error
		if !errors.As(err, &full) || full.Code != store.Full {
			t.Fatalf("after %d facts got %v", stored, err)
		}
		st, err := s.Verify()
		if err != nil || st.Facts < stored+int(base) || st.Facts > stored+int(base)+stored/chain.CheckpointEntries+1 {
			t.Errorf("%d facts were answered with success, the log has %d: %v", stored, st.Facts, err)
		}
	})
}

func TestDeliveredFactsAreDroppedAfterTheirTerm(t *testing.T) {
	opts := options()
	opts.Retain = time.Hour
	s, _ := running(t, t.TempDir(), opts)
	for n := range 10 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	update := func(do func(*store.Tx)) {
		if err := s.Update(context.Background(), func(tx *store.Tx) error { do(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	first := func() hallsync.Seq {
		seq, err := s.First()
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	update(func(tx *store.Tx) { tx.SetCursor("cloud", 6) })
	if got := first(); got != 1 {
		t.Fatalf("without a snapshot the first fact is %d", got)
	}
	update(func(tx *store.Tx) { tx.SetSnapshot([]byte(`{}`)) })
	update(func(tx *store.Tx) { tx.SetCursor("other", 1) })
	if got := first(); got != 7 {
		t.Errorf("first fact is %d, want 7: only what the cloud has may go", got)
	}
	if _, err := s.Verify(); err != nil {
		t.Error(err)
	}
}

// A box comes up with a clock that is a year ahead. Nothing is over by that alone; by the hall's time it is.
func TestAClockThatIsAheadDropsNothing(t *testing.T) {
	dir, clock := t.TempDir(), noon
	opts := options()
	opts.Now = func() time.Time { return clock }
	request := store.KeyOf("a", "POST", "/api/v1/tickets", "k")
	write := func(s *store.Store, hall time.Time, do func(tx *store.Tx)) (first hallsync.Seq) {
		t.Helper()
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Append(note(1), hall)
			do(tx)
			return err
		})
		if err == nil {
			first, err = s.First()
		}
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	s, stop := running(t, dir, opts)
	write(s, noon, func(tx *store.Tx) {
		tx.PutAnswer(request, store.Answer{Status: 201, Asked: "d"})
		tx.SetSnapshot([]byte(`{}`))
		tx.SetCursor("cloud", 1)
	})
	stop()
	clock = noon.AddDate(1, 0, 0)
	s, _ = running(t, dir, opts)
	answered := false
	look := func(tx *store.Tx) { _, answered = tx.Answer(request) }
	for n := range 2 {
		if first := write(s, noon.Add(time.Minute), look); first != 1 || !answered {
			t.Errorf("%d: the first fact is %d, the request has its answer: %v", n, first, answered)
		}
	}
	write(s, clock, look)
	if first := write(s, clock, look); first != 2 || answered {
		t.Errorf("a year later the first fact is %d, the request has its answer: %v", first, answered)
	}
}

func TestSnapshotCoversWhatIsBeforeIt(t *testing.T) {
	dir := t.TempDir()
	s, stop := running(t, dir, options())
	for n := range 5 {
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Append(note(n), noon)
			if n == 2 {
				tx.SetSnapshot([]byte(`{"state":1}`))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	s, _ = running(t, dir, options())
	var got []hallsync.Seq
	snapshot := ""
	err := s.Load(
		func(b []byte) error { snapshot = string(b); return nil },
		func(e hallsync.Event, _ hallsync.Payload) error { got = append(got, e.Seq); return nil })
	if err != nil || snapshot != `{"state":1}` || len(got) != 2 || got[0] != 4 {
		t.Errorf("snapshot %q, facts %v, %v", snapshot, got, err)
	}
}

func TestAnswersAreKeptForADay(t *testing.T) {
	opts := options()
	now := noon
	opts.Now = func() time.Time { return now }
	s, _ := running(t, t.TempDir(), opts)
	key := store.KeyOf("kiosk", "POST", "/api/v1/tickets", "k1")
	put := func(body string) {
		t.Helper()
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			tx.PutAnswer(key, store.Answer{Status: 201, Body: []byte(body)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ask := func(after time.Duration) (body string) {
		t.Helper()
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			now = noon.Add(after)
			if a, ok := tx.Answer(key); ok {
				body = string(a.Body)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	put("first")
	if ask(23*time.Hour) != "first" || ask(25*time.Hour) != "" {
		t.Error("the answer is not kept for exactly a day")
	}
	put("second") // what is left of the first answer goes with this commit, and must not take the second one along
	if got := ask(26 * time.Hour); got != "second" {
		t.Errorf("the answer under a key that is used again is %q", got)
	}
	if store.KeyOf("kio", "skPOST", "/api/v1/tickets", "k1") == key {
		t.Error("keys of different requests are equal")
	}
}

func TestTooManyAnswersForgetTheOldest(t *testing.T) {
	dir, opts := t.TempDir(), options()
	opts.Answers = 10
	s, stop := running(t, dir, opts)
	key := func(n int) store.AnswerKey { return store.KeyOf("kiosk", "POST", "/", fmt.Sprint(n)) }
	for n := range 100 {
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			tx.PutAnswer(key(n), store.Answer{Status: 200, Body: []byte("x")})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // after a start too
		for n, want := range map[int]bool{0: false, 89: false, 90: true, 99: true} {
			err := s.Update(context.Background(), func(tx *store.Tx) error {
				if _, ok := tx.Answer(key(n)); ok != want {
					t.Errorf("answer %d is known: %v", n, ok)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		stop()
		s, stop = running(t, dir, opts)
	}
}

// Forgetting an answer before its time is said, once an hour; to forget an old one is no news.
func TestAnswersForgottenEarlyAreTold(t *testing.T) {
	log := new(strings.Builder)
	now := noon
	opts := options()
	opts.Answers, opts.Log, opts.Now = 10, slog.New(slog.NewTextHandler(log, nil)), func() time.Time { return now }
	s, stop := running(t, t.TempDir(), opts)
	n := 0
	put := func(answers int) {
		t.Helper()
		for range answers {
			n++
			err := s.Update(context.Background(), func(tx *store.Tx) error {
				tx.PutAnswer(store.KeyOf("kiosk", "POST", "/", fmt.Sprint(n)), store.Answer{Status: 200})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	put(10)
	now = now.Add(25 * time.Hour)
	put(10) // the ones before are of yesterday
	put(3)
	now = now.Add(59 * time.Minute)
	put(2)
	now = now.Add(time.Minute)
	put(1)
	stop()
	var told []string
	for line := range strings.Lines(log.String()) {
		if _, fields, ok := strings.Cut(line, "answers forgotten before their time"); ok {
			told = append(told, strings.TrimSpace(strings.TrimPrefix(fields, `"`)))
		}
	}
	if want := "answers=1 kept=10, answers=5 kept=10"; strings.Join(told, ", ") != want {
		t.Errorf("told %q, want %q", told, want)
	}
}

// Threat 24: whatever the power or the disk does to the file, the hall goes on, and the file is kept.
func TestThreat24CorruptFileIsPutAside(t *testing.T) {
	both(t, func(t *testing.T, o store.Options, base hallsync.Seq) {
		page, made := os.Getpagesize(), t.TempDir()
		s, stop := running(t, made, o)
		for n := range 300 {
			if err := appendOne(s, n); err != nil {
				t.Fatal(err)
			}
		}
		epoch := s.Epoch()
		stop()
		good, err := os.ReadFile(filepath.Join(made, store.FileName))
		if err != nil {
			t.Fatal(err)
		}
		for name, damage := range map[string]func(raw []byte) []byte{
			"roots":        func(raw []byte) []byte { clear(raw[:3*page]); return raw },
			"other pages":  func(raw []byte) []byte { clear(raw[2*page:]); return raw },
			"shuffled":     func(raw []byte) []byte { copy(raw[2*page:], slices.Clone(raw[5*page:])); return raw },
			"cut short":    func(raw []byte) []byte { return raw[:3*page] },
			"one page":     func(raw []byte) []byte { return raw[:page] },
			"noise":        func(raw []byte) []byte { return bytes.Repeat([]byte("noise"), len(raw)/5) },
			"a torn fact":  func(raw []byte) []byte { return bytes.ReplaceAll(raw, []byte(`,"at":`), []byte(`,"a\x00":`)) },
			"a lost fact":  func(raw []byte) []byte { return bytes.ReplaceAll(raw, []byte(`"seq":50,`), []byte(`"seq":51,`)) },
			"no content":   func(raw []byte) []byte { return raw[:1] },
			"only zeroes":  func(raw []byte) []byte { clear(raw); return raw },
			"a bad number": func(raw []byte) []byte { return bytes.ReplaceAll(raw, []byte(`"v":1,`), []byte(`"v":x,`)) },
		} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, store.FileName), damage(slices.Clone(good)), 0o640); err != nil {
					t.Fatal(err)
				}
				s, _ = running(t, dir, o)
				if s.Epoch() == epoch || s.Next() != base+1 || s.AsideSealed() {
					t.Errorf("epoch %s, next %d after corruption", s.Epoch(), s.Next())
				}
				if _, err := os.Stat(s.PutAside()); err != nil {
					t.Errorf("corrupt file is gone: %v", err)
				}
				if err := appendOne(s, 2); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func TestSecondAgentIsRefused(t *testing.T) {
	dir := t.TempDir()
	running(t, dir, options())
	_, err := store.Open(dir, options())
	var locked *store.Error
	if !errors.As(err, &locked) || locked.Code != store.Locked {
		t.Errorf("got %v", err)
	}
}

// The first agent is copying its file when a second one starts: what lies beside it belongs to the first.
func TestASecondAgentTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	running(t, dir, options())
	file := filepath.Join(dir, store.FileName)
	write(t, swap.Copy(file), []byte("not whole yet"))
	if err := os.Link(file, swap.Old(file)); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(dir, options())
	var locked *store.Error
	if !errors.As(err, &locked) || locked.Code != store.Locked {
		t.Errorf("got %v", err)
	}
	for _, left := range []string{swap.Copy(file), swap.Old(file)} {
		if _, err := os.Stat(left); err != nil {
			t.Error(err)
		}
	}
}

func TestClosedStoreAnswers(t *testing.T) {
	s, err := store.Open(t.TempDir(), options())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Run(ctx)
	var closed *store.Error
	if err := appendOne(s, 1); !errors.As(err, &closed) || closed.Code != store.Closed {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Whoever comes before the writer runs waits no longer than he wants to.
func TestNobodyWaitsForAWriterThatDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.TempDir(), options())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Update(ctx, func(*store.Tx) error { return nil }) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Two files lost on one day leave numbers of both on slips; those lost earlier do not count.
func TestFilesLostOnOneDayAreCounted(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	for _, lost := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Hour, 2}, {time.Hour, 3}, {10 * 24 * time.Hour, 1}, {time.Hour, 2}} {
		now = now.Add(lost.after)
		if err := os.WriteFile(filepath.Join(dir, store.FileName), []byte("noise"), 0o640); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it is remembered
			o := options()
			o.Now = func() time.Time { return now }
			s, stop := running(t, dir, o)
			if s.Lost() != lost.want {
				t.Errorf("%s: %d files are lost, want %d", now, s.Lost(), lost.want)
			}
			stop()
		}
	}
	if s, _ := running(t, t.TempDir(), options()); s.Lost() != 0 {
		t.Errorf("a new hall has lost %d files", s.Lost())
	}
}
