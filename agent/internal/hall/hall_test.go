package hall_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// rig is a hall on a real store whose clock the test moves.
type rig struct {
	*hall.Hall
	st    *store.Store
	clock *atomic.Int64 // Unix seconds
	stop  func()
}

func plan() *queue.Plan {
	return &queue.Plan{
		Location: time.FixedZone("CST", 8*3600),
		Queues:   []queue.QueuePlan{{ID: "A", Name: "综合业务"}},
		Windows:  []queue.WindowPlan{{ID: "1", Name: "1号窗口", Queues: []hallsync.QueueID{"A"}}},
		CallGap:  5 * time.Second, PassRecall: 10 * time.Minute, WaitSamples: 5,
	}
}

func open(t *testing.T, dir string, maxBytes int64) *rig {
	t.Helper()
	return openUnder(t, dir, store.Options{MaxBytes: maxBytes}, plan())
}

// sealed is a hall whose log is sealed, on a box that keeps its keys.
func sealed(t *testing.T, dir string, keys store.Keys) *rig {
	t.Helper()
	return openUnder(t, dir, store.Options{Keys: keys}, plan())
}

func openUnder(t *testing.T, dir string, o store.Options, plan *queue.Plan) *rig {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	r := &rig{clock: &atomic.Int64{}}
	r.clock.Store(time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC).Unix())
	now := func() time.Time { return time.Unix(r.clock.Load(), 0) }
	o.Hall, o.Delivered, o.Log = "440900000000001", "cloud", quiet
	st, err := store.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	r.st = st
	r.Hall, err = hall.New(st, plan, quiet, halltest.Clock(now))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) dump(t *testing.T) []byte {
	t.Helper()
	var raw []byte
	var err error
	r.Read(func(s *queue.State, _ hallsync.Seq) { raw, err = json.Marshal(s) })
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func take(id string) queue.Take {
	return queue.Take{Ticket: hallsync.TicketID(id), Queue: "A", Channel: hallsync.AtKiosk}
}

// request takes a ticket whose id is drawn on each run of the command, as the web API does.
func request(key, body string, runs *atomic.Int32) hall.Request {
	return hall.Request{
		Key: store.KeyOf("kiosk", "POST", "/api/v1/tickets", key), Asked: body,
		Command: func() (queue.Command, error) { return take(fmt.Sprint(key, "-", runs.Add(1))), nil },
		Render: func(r hall.Result) (int, []byte) {
			if r.Refusal != nil {
				return 409, []byte(r.Refusal.Code)
			}
			for _, f := range r.Facts {
				if tk, ok := f.(hallsync.TicketTaken); ok {
					return 201, []byte(tk.Number)
				}
			}
			return 500, nil
		},
	}
}

func TestSameKeyGetsOneTicketAndOneAnswer(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	var runs atomic.Int32
	var wg sync.WaitGroup
	fresh := atomic.Int32{}
	for range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			a, replayed, err := r.Answer(context.Background(), request("k", "{}", &runs))
			if err != nil || a.Status != 201 || string(a.Body) != "A001" {
				t.Errorf("got %d %q, %v", a.Status, a.Body, err)
			}
			if !replayed {
				fresh.Add(1)
			}
		}()
	}
	wg.Wait()
	if fresh.Load() != 1 || runs.Load() != 1 {
		t.Errorf("%d first answers, %d runs", fresh.Load(), runs.Load())
	}
	r.stop()
	r = open(t, dir, 0)
	a, replayed, err := r.Answer(context.Background(), request("k", "{}", &runs))
	if err != nil || !replayed || string(a.Body) != "A001" {
		t.Errorf("after reopening got %q, replayed %v, %v", a.Body, replayed, err)
	}
	if _, _, err := r.Answer(context.Background(), request("k", `{"other":1}`, &runs)); !errors.Is(err, hall.ErrKeyReused) {
		t.Errorf("another body under the same key: %v", err)
	}
}

// A box whose battery is dead starts in the past and learns the time in the middle of a request and its repetition.
func TestSettingTheClockDoesNotGiveASecondTicket(t *testing.T) {
	r := open(t, t.TempDir(), 0)
	r.clock.Store(time.Date(2010, 1, 1, 1, 0, 0, 0, time.UTC).Unix())
	var runs atomic.Int32
	first, _, err := r.Answer(context.Background(), request("k", "{}", &runs))
	if err != nil {
		t.Fatal(err)
	}
	r.clock.Store(time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC).Unix())
	again, replayed, err := r.Answer(context.Background(), request("k", "{}", &runs))
	if err != nil || !replayed || string(again.Body) != string(first.Body) || runs.Load() != 1 {
		t.Errorf("got %q after %q, replayed %v, %d runs, %v", again.Body, first.Body, replayed, runs.Load(), err)
	}
}

func TestRefusalsAreRememberedAndErrorsAreNot(t *testing.T) {
	r := open(t, t.TempDir(), 0)
	call := hall.Request{
		Key:     store.KeyOf("staff", "POST", "/call", "k"),
		Command: func() (queue.Command, error) { return queue.CallNext{Window: "1"}, nil },
		Render: func(r hall.Result) (int, []byte) {
			if r.Refusal != nil {
				return 409, []byte(r.Refusal.Code)
			}
			return 200, []byte("ok")
		},
	}
	a, _, err := r.Answer(context.Background(), call)
	if err != nil || a.Status != 409 {
		t.Fatalf("got %d, %v", a.Status, err)
	}
	if _, err := r.Do(context.Background(), queue.Open{Window: "1"}); err != nil {
		t.Fatal(err)
	}
	if a, replayed, _ := r.Answer(context.Background(), call); a.Status != 409 || !replayed {
		t.Errorf("the remembered refusal became %d", a.Status)
	}
	bad := errors.New("identity token unknown")
	call.Key = store.KeyOf("staff", "POST", "/call", "k2")
	good := call.Command
	call.Command = func() (queue.Command, error) { return nil, bad }
	if _, _, err := r.Answer(context.Background(), call); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
	call.Command = good
	if a, replayed, err := r.Answer(context.Background(), call); err != nil || replayed || a.Status != 200 {
		t.Errorf("after an error of the command got %d, replayed %v, %v", a.Status, replayed, err)
	}
}

func TestPanicInRenderKeepsFactsAndIsNotRepeated(t *testing.T) {
	r := open(t, t.TempDir(), 0)
	var runs atomic.Int32
	req := request("k", "", &runs)
	req.Render = func(hall.Result) (int, []byte) { panic("boom") }
	for range 2 {
		a, _, err := r.Answer(context.Background(), req)
		if err != nil || a.Status != 500 {
			t.Errorf("got %d, %v", a.Status, err)
		}
	}
	if runs.Load() != 1 {
		t.Errorf("the command ran %d times", runs.Load())
	}
}

func TestDayTurnsByItselfAndWritesASnapshot(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	for n := range 3 {
		if _, err := r.Do(context.Background(), take(fmt.Sprint("t", n))); err != nil {
			t.Fatal(err)
		}
	}
	r.clock.Add(24 * 3600)
	facts, err := r.Do(context.Background(), take("next-day"))
	if err != nil {
		t.Fatal(err)
	}
	if got := facts[0].(hallsync.TicketTaken); got.Number != "A001" || got.BusinessDay != "2026-03-03" {
		t.Errorf("first ticket of the day is %s on %s", got.Number, got.BusinessDay)
	}
	want := r.dump(t)
	r.stop()
	r = open(t, dir, 0)
	if got := r.dump(t); !bytes.Equal(got, want) {
		t.Errorf("state after reopening differs\n got %s\nwant %s", got, want)
	}
}

// The slips of a lost log are still in people's hands.
func TestNumbersOfALostLogAreNotGivenAgain(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	if _, err := r.Do(context.Background(), take("before")); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if err := os.WriteFile(filepath.Join(dir, store.FileName), make([]byte, 1<<16), 0o640); err != nil {
		t.Fatal(err)
	}
	r = open(t, dir, 0)
	r.stop() // the new file remembers it over a restart
	r = open(t, dir, 0)
	for n, want := range []string{"A1001", "A1002"} {
		facts, err := r.Do(context.Background(), take(fmt.Sprint("t", n)))
		if err != nil {
			t.Fatal(err)
		}
		if got := facts[0].(hallsync.TicketTaken); got.Number != want || got.FlowNo != fmt.Sprint("20260302", 100001+n) {
			t.Errorf("got %s, flow number %s", got.Number, got.FlowNo)
		}
	}
	want := r.dump(t)
	r.stop()
	r = open(t, dir, 0)
	if got := r.dump(t); !bytes.Equal(got, want) {
		t.Errorf("state after reopening differs\n got %s\nwant %s", got, want)
	}
	r.clock.Add(24 * 3600)
	facts, err := r.Do(context.Background(), take("next-day"))
	if err != nil || facts[0].(hallsync.TicketTaken).Number != "A001" {
		t.Errorf("the next day begins with %v, %v", facts, err)
	}
}

// The cloud knows more of the log than is here: numbers that it knows are on slips.
func TestNewEpochKeepsTheHallAndGivesNoNumberTwice(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	for _, c := range []queue.Command{take("t1"), take("t2"), queue.Open{Window: "1"}, queue.CallNext{Window: "1"}} {
		if _, err := r.Do(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	old, before, last := r.st.Epoch(), r.dump(t), r.st.Next()
	err := r.st.Update(context.Background(), func(tx *store.Tx) error { tx.SetCursor("cloud", 3); return nil })
	if err != nil {
		t.Fatal(err)
	}
	dirty, cancel := r.Watch()
	defer cancel()
	if err := r.Renew(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	<-dirty
	want := bytes.Replace(before, []byte(`"flow":2,`), []byte(`"after":1000,"flow":100000,`), 1)
	check := func() {
		t.Helper()
		if r.st.Epoch() == old || r.st.Next() != last-2 {
			t.Errorf("epoch %s after %s, next %d", r.st.Epoch(), old, r.st.Next())
		}
		r.Read(func(_ *queue.State, seq hallsync.Seq) {
			if seq != r.st.Next()-1 {
				t.Errorf("state at %d, log at %d", seq, r.st.Next()-1)
			}
		})
		if got := r.dump(t); !bytes.Equal(got, want) {
			t.Errorf("the hall changed\n got %s\nwant %s", got, want)
		}
		if st, err := r.st.Verify(); err != nil || st.Delivered != 0 {
			t.Errorf("%+v, %v", st, err)
		}
	}
	check()
	r.stop()
	r = open(t, dir, 0)
	check()
	for n, want := range []string{"A1001", "A2001"} { // the second time from an older copy of the new epoch
		facts, err := r.Do(context.Background(), take(fmt.Sprint("after", n)))
		if err != nil || facts[0].(hallsync.TicketTaken).Number != want {
			t.Errorf("the next ticket is %v, %v, want %s", facts, err, want)
		}
		if err := r.Renew(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
	}
	r.clock.Add(24 * 3600)
	facts, err := r.Do(context.Background(), take("next-day"))
	if err != nil || facts[0].(hallsync.TicketTaken).Number != "A001" {
		t.Errorf("the next day begins with %v, %v", facts, err)
	}
}

// One backup comes back again and again on one day: without the centre, before it and after it has spoken. No number is given twice, and the
// next day is as any other.
func TestABackupThatComesBackTwiceGivesNoNumberTwice(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	given, tries := map[string]bool{}, 0
	several := func() {
		t.Helper()
		for range 3 {
			tries++
			facts, err := r.Do(context.Background(), take(fmt.Sprint("t", tries)))
			if err != nil {
				t.Fatal(err)
			}
			number := facts[0].(hallsync.TicketTaken).Number
			if given[number] {
				t.Errorf("%s is given twice", number)
			}
			given[number] = true
		}
	}
	several()
	r.stop()
	backup, err := os.ReadFile(filepath.Join(dir, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for n, centre := range []bool{false, true, false, false} {
		r = open(t, dir, 0)
		several()
		if centre {
			if err := r.Renew(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
			several()
		}
		r.stop()
		if n%2 == 0 {
			err = os.WriteFile(filepath.Join(dir, store.FileName), backup, 0o600)
		} else {
			err = os.Remove(filepath.Join(dir, store.FileName))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r = open(t, dir, 0)
	several()
	r.clock.Add(24 * 3600)
	facts, err := r.Do(context.Background(), take("next-day"))
	if err != nil || facts[0].(hallsync.TicketTaken).Number != "A001" {
		t.Errorf("the next day begins with %v, %v", facts, err)
	}
}

// A backup that comes back on a box whose clock is dead: the numbers of the day that it then turns out to be are passed over.
func TestABackupThatComesBackWithoutTheTime(t *testing.T) {
	dir, w := t.TempDir(), &watch{wall: morning.AddDate(0, 0, -1)}
	h, off := boot(t, dir, w)
	if err := grab(h, "yesterday"); err != nil {
		t.Fatal(err)
	}
	off()
	backup, err := os.ReadFile(filepath.Join(dir, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	w = &watch{wall: morning}
	h, off = boot(t, dir, w)
	if err := grab(h, "today"); err != nil {
		t.Fatal(err)
	}
	off()
	if err := os.WriteFile(filepath.Join(dir, store.FileName), backup, 0o600); err != nil {
		t.Fatal(err)
	}
	h, _ = boot(t, dir, &watch{wall: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)})
	if _, err := h.Do(context.Background(), queue.Open{Window: "1"}); err != nil {
		t.Fatalf("windows must work: %v", err)
	}
	h.Told(morning.Add(time.Hour))
	facts, err := h.Do(context.Background(), take("again"))
	if err != nil || facts[0].(hallsync.TicketTaken).Number != "A1001" {
		t.Errorf("got %v, %v", facts, err)
	}
}

// The centre counts the logs of today: a whole directory that comes back twice has a mark that knows of one.
func TestTheCentreKnowsHowManyLogsTodayHas(t *testing.T) {
	r := open(t, t.TempDir(), 0)
	if _, err := r.Do(context.Background(), take("a")); err != nil {
		t.Fatal(err)
	}
	if err := r.Renew(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	facts, err := r.Do(context.Background(), take("b"))
	if err != nil || facts[0].(hallsync.TicketTaken).Number != "A2001" {
		t.Errorf("got %v, %v", facts, err)
	}
}

// A box that works is told of others: it goes on behind their numbers, once, however often it is told.
func TestTheNumbersOfOtherBoxesArePassedOnce(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	for n, want := range []string{"A001", "A2001", "A2002", "A3001"} {
		facts, err := r.Do(context.Background(), take(fmt.Sprint("t", n)))
		if err != nil || facts[0].(hallsync.TicketTaken).Number != want {
			t.Fatalf("got %v, %v, want %s", facts, err, want)
		}
		r.stop()
		r = open(t, dir, 0)
		if passed, err := r.Pass(context.Background(), []int{2, 2, 3, 1}[n]); !passed || err != nil {
			t.Fatal(passed, err)
		}
	}
	first := openUnder(t, t.TempDir(), store.Options{Before: func() int { return 1 }}, plan()) // a new box that was told before its first day
	if passed, err := first.Pass(context.Background(), 1); !passed || err != nil {
		t.Fatal(passed, err)
	}
	facts, err := first.Do(context.Background(), take("t"))
	if err != nil || facts[0].(hallsync.TicketTaken).Number != "A1001" {
		t.Errorf("a new box begins with %v, %v", facts, err)
	}
}

// A box whose day is open has heard of others by its next start: not even the first number is one of theirs, whoever comes first.
func TestNoNumberIsGivenBeforeThoseOfOtherBoxesArePassed(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	if _, err := r.Do(context.Background(), take("alone")); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = openUnder(t, dir, store.Options{Before: func() int { return 2 }}, plan())
	for _, want := range []string{"A2001", "A2002"} {
		facts, err := r.Do(context.Background(), take(want))
		if err != nil || facts[len(facts)-1].(hallsync.TicketTaken).Number != want {
			t.Errorf("got %v, %v, want %s", facts, err, want)
		}
	}
}

// A day has more thousands than logs that the centre knows: the box goes on behind those that it has begun by itself, and so does the next one,
// which is told of all of them.
func TestThousandsBegunByTheBoxItself(t *testing.T) {
	next := func(r *rig, want string) {
		t.Helper()
		facts, err := r.Do(context.Background(), take(want))
		if err != nil || facts[len(facts)-1].(hallsync.TicketTaken).Number != want {
			t.Errorf("got %v, %v, want %s", facts, err, want)
		}
	}
	replaced := func(thousands int) *rig {
		return openUnder(t, t.TempDir(), store.Options{Before: func() int { return thousands }}, plan())
	}
	t.Run("a backup that came back offline", func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, store.FileName)
		r := open(t, dir, 0)
		next(r, "A001")
		r.stop()
		backup, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r = open(t, dir, 0)
		for _, number := range []string{"A002", "A003", "A004"} {
			next(r, number)
		}
		r.stop()
		if err := os.WriteFile(file, backup, 0o600); err != nil {
			t.Fatal(err)
		}
		r = open(t, dir, 0)
		next(r, "A1001")
		if err := r.Renew(context.Background(), 1); err != nil { // the one log that the centre knows
			t.Fatal(err)
		}
		next(r, "A2001")
		next(replaced(3), "A3001")
	})
	t.Run("a log that the centre never saw", func(t *testing.T) {
		dir := t.TempDir()
		r := open(t, dir, 0)
		next(r, "A001")
		r.stop()
		if err := os.WriteFile(filepath.Join(dir, store.FileName), []byte("noise"), 0o600); err != nil {
			t.Fatal(err)
		}
		r = open(t, dir, 0)
		next(r, "A1001")
		next(replaced(2), "A2001")
	})
}

// A copy of yesterday's comes back: today is opened before the numbers of today are passed over.
func TestNewEpochOfAnOlderDay(t *testing.T) {
	r := open(t, t.TempDir(), 0)
	if _, err := r.Do(context.Background(), take("yesterday")); err != nil {
		t.Fatal(err)
	}
	r.clock.Add(24 * 3600)
	if err := r.Renew(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	facts, err := r.Do(context.Background(), take("today"))
	if err != nil || facts[0].(hallsync.TicketTaken).Number != "A1001" {
		t.Errorf("the first ticket of today is %v, %v", facts, err)
	}
}

func TestWindowThatIsGoneAfterARestartGivesItsTicketBack(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, 0)
	for _, c := range []queue.Command{take("t"), queue.Open{Window: "1"}, queue.CallNext{Window: "1"}} {
		if _, err := r.Do(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	r.stop()
	other := plan()
	other.Windows[0].ID = "2"
	r = openUnder(t, dir, store.Options{}, other)
	dirty, cancel := r.Watch()
	defer cancel()
	ctx, end := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx) }()
	<-dirty
	end()
	<-ran
	r.Read(func(s *queue.State, _ hallsync.Seq) {
		if tk, _ := s.Ticket("t"); tk.State != hallsync.Waiting || s.Waiting("A") != 1 {
			t.Errorf("the ticket is %s, %d wait", tk.State, s.Waiting("A"))
		}
	})
}

func TestReadersSeeOnlyWhatIsStored(t *testing.T) {
	r := open(t, t.TempDir(), 1<<20)
	dirty, cancel := r.Watch()
	defer cancel()
	taken := 0
	var err error
	for taken < 20000 {
		if _, err = r.Do(context.Background(), take(fmt.Sprint("t", taken))); err != nil {
			break
		}
		taken++
	}
	var full *store.Error
	if !errors.As(err, &full) || full.Code != store.Full {
		t.Fatalf("after %d tickets: %v", taken, err)
	}
	if !errors.As(r.Trouble(), &full) {
		t.Errorf("trouble is %v", r.Trouble())
	}
	select {
	case <-dirty:
	default:
		t.Error("no dirty signal")
	}
	r.Read(func(s *queue.State, seq hallsync.Seq) {
		if s.Waiting("A") != taken || seq != r.st.Next()-1 {
			t.Errorf("%d tickets taken, %d wait, seq %d of %d", taken, s.Waiting("A"), seq, r.st.Next())
		}
	})
	// The writer forgot the refused take: calling still works on what there is, or is refused by the full disk as well.
	if _, err := r.Do(context.Background(), queue.Recall{Window: "1"}); !errors.As(err, new(*queue.Refusal)) {
		t.Errorf("a refusal needs no disk, got %v", err)
	}
}

func TestConcurrentTakesGetDifferentNumbers(t *testing.T) {
	r := open(t, t.TempDir(), 0)
	var mu sync.Mutex
	got := map[string]bool{}
	var wg sync.WaitGroup
	for n := range 500 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			facts, err := r.Do(context.Background(), take(fmt.Sprint("t", n)))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			got[facts[len(facts)-1].(hallsync.TicketTaken).Number] = true
		}()
	}
	wg.Wait()
	if len(got) != 500 || !got["A001"] || !got["A500"] {
		t.Errorf("%d different numbers", len(got))
	}
}

// A plan that changes while the hall works holds from the next command on, also for a command that is taken back.
func TestReplanWhilePeopleWait(t *testing.T) {
	r := open(t, t.TempDir(), 0)
	do := func(c queue.Command) []hallsync.Payload {
		t.Helper()
		facts, err := r.Do(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return facts
	}
	do(queue.Take{Ticket: "a", Queue: "A", Channel: hallsync.AtKiosk})
	next := plan()
	next.Queues = append(next.Queues, queue.QueuePlan{ID: "B", Name: "社保业务"})
	next.Windows = []queue.WindowPlan{{ID: "2", Queues: []hallsync.QueueID{"A", "B"}}}
	do(queue.Open{Window: "1"})
	do(queue.CallNext{Window: "1"})
	if err := r.Replan(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	do(queue.Take{Ticket: "b", Queue: "B", Channel: hallsync.AtKiosk})
	do(queue.Open{Window: "2"})
	if facts := do(queue.CallNext{Window: "2"}); facts[len(facts)-1].(hallsync.TicketCalled).Ticket != "a" {
		t.Errorf("whoever was at the window that is gone is not the next: %+v", facts)
	}
	var refusal *queue.Refusal
	if _, err := r.Do(t.Context(), queue.Open{Window: "1"}); !errors.As(err, &refusal) || refusal.Code != queue.UnknownWindow {
		t.Errorf("the old window opens: %v", err)
	}
	r.RolledBack() // the state ahead is made anew from what is on disk
	do(queue.Take{Ticket: "c", Queue: "B", Channel: hallsync.AtKiosk})
}
