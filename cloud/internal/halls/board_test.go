package halls_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	hallA = hallsync.HallID("440900000000001")
	hallB = hallsync.HallID("440900000000002")
)

type fixture struct {
	*halls.Board
	t    *testing.T
	st   *store.Store
	stop func()
}

// start runs a board over a database until stop or the end of the test. Call it inside a synctest bubble.
func start(t *testing.T, path string) *fixture {
	t.Helper()
	st, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := halls.New(t.Context(), halls.Options{
		Halls: []halls.Hall{{ID: hallB, Name: "乙"}, {ID: hallA, Name: "甲", Region: "示例市"}}, Store: st, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	return &fixture{Board: b, t: t, st: st, stop: stop}
}

func (f *fixture) state(id hallsync.HallID) halls.State {
	f.t.Helper()
	s, ok := f.Get(id)
	if !ok {
		f.t.Fatalf("hall %s is not on the board", id)
	}
	return s.State
}

func (f *fixture) report(id hallsync.HallID, boot string, online bool) {
	f.t.Helper()
	raw, err := json.Marshal(hallsync.Report{Hall: id, Boot: boot, Online: online, At: time.Now(), Version: "1.2.3"})
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.Report(id, raw); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) want(id hallsync.HallID, want halls.State) {
	f.t.Helper()
	if got := f.state(id); got != want {
		f.t.Fatalf("state %s, want %s", got, want)
	}
}

func TestPresence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		defer f.stop()
		f.want(hallA, halls.Never)
		f.Connected(hallA)
		f.want(hallA, halls.Online)
		time.Sleep(80 * time.Second)
		f.Heard(hallA)
		time.Sleep(80 * time.Second)
		f.want(hallA, halls.Online)
		time.Sleep(20 * time.Second) // nobody asks: the board notices by itself
		f.want(hallA, halls.Stale)
		f.report(hallA, "boot-1", true)
		f.want(hallA, halls.Online)
		f.Disconnected(hallA)
		f.want(hallA, halls.Offline)
		f.want(hallB, halls.Never)
	})
}

func TestWillOfAnOldConnectionDoesNotCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		defer f.stop()
		f.Connected(hallA)
		f.report(hallA, "boot-1", true)
		f.report(hallA, "boot-2", true)
		f.report(hallA, "boot-1", false) // late
		f.want(hallA, halls.Online)
		f.report(hallA, "boot-2", false)
		f.want(hallA, halls.Offline)
		if s, _ := f.Get(hallA); s.Report == nil || s.Report.Version != "1.2.3" {
			t.Errorf("the will took the last report away: %+v", s.Report)
		}
		f.report(hallA, "boot-2", true)
		f.want(hallA, halls.Online)
	})
}

func TestTwoBoxesWithOneIdentityAreNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		defer f.stop()
		shared := func() bool { s, _ := f.Get(hallA); return s.Shared }
		for _, boot := range []string{"a", "b", "c", "d"} { // a box that restarts often
			f.Boot(hallA, boot)
		}
		if shared() {
			t.Fatal("restarts were taken for a second box")
		}
		time.Sleep(11 * time.Minute)
		f.Boot(hallA, "a")
		if shared() {
			t.Fatal("a boot of long ago was taken for a second box")
		}
		f.Boot(hallA, "e")
		f.Boot(hallA, "a")
		if !shared() {
			t.Fatal("boots that take turns were not noticed")
		}
		time.Sleep(11 * time.Minute)
		if shared() {
			t.Fatal("the alarm stays for ever")
		}
	})
}

func TestReportsThatAreNotTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		defer f.stop()
		long := strings.Repeat("粤", 2000)
		for _, raw := range []string{
			``, `[]`, `{"hall":"440900000000002","online":true}`, `{"online":true}`,
			`{"hall":"440900000000001","online":true,"at":"` + long + `"}`, `{"hall":"` + long + `"}`, // neither belongs into a log
			`{"hall":"440900000000001","online":true,"cameras":[{}` + strings.Repeat(`,{}`, 50_000) + `]}`,
		} {
			switch err := f.Report(hallA, []byte(raw)); {
			case err == nil:
				t.Errorf("%.80q was taken", raw)
			case len(err.Error()) > 200 || !utf8.ValidString(err.Error()):
				t.Errorf("the error is %d bytes long: %q", len(err.Error()), err.Error())
			}
		}
		f.Connected("440900000000009") // not configured
		if len(f.All()) != 2 || f.All()[0].ID != hallA || f.All()[1].ID != hallB {
			t.Errorf("board %+v", f.All())
		}
	})
}

// Single texts of a report are bounded, each, and hold nothing that nobody sees; so are those that are kept.
func TestTextsOfReportsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		long := "\x1b[2J\u202e\n" + strings.Repeat("粤", 5000)
		report := hallsync.Report{
			Hall: hallA, Boot: "b", Online: true, At: time.Now(), Version: long, Name: long, Health: []hallsync.Condition{{Title: long}},
			Cameras: []hallsync.CameraStatus{{Name: "东门", Reason: long}}, Notices: []hallsync.NoticeStatus{{Group: long}},
		}
		raw, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Report(hallA, raw); err != nil {
			t.Fatal(err)
		}
		want := "\ufffd[2J\ufffd " + strings.Repeat("粤", 200-6)
		check := func(f *fixture) {
			t.Helper()
			s, _ := f.Get(hallA)
			for name, got := range map[string]string{"version": s.Report.Version, "name": s.Report.Name, "title": s.Report.Health[0].Title, "reason": s.Report.Cameras[0].Reason, "group": s.Report.Notices[0].Group} {
				if got != want {
					t.Errorf("%s: %d bytes: %.40q", name, len(got), got)
				}
			}
			if c := s.Report.Cameras[0]; c.Name != "东门" || !s.Report.At.Equal(report.At) {
				t.Errorf("camera %+v, at %s", c, s.Report.At)
			}
		}
		check(f)
		f.stop()
		f = start(t, path)
		defer f.stop()
		check(f)
	})
}

func TestFiguresFollowTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		defer f.stop()
		follower := f.In(rights.Whole()).Follow()
		defer follower.Close()
		if err := f.st.Write(t.Context(), func(tx *store.Tx) error {
			now := time.Now()
			for _, err := range []error{
				tx.PutDay(hallA, store.Day{BusinessDay: "2026-11-23", Open: true}),
				tx.PutTicket(store.Ticket{Hall: hallA, ID: "T1", BusinessDay: "2026-11-23", Queue: "A", State: hallsync.Waiting, Taken: now}),
				tx.PutTicket(store.Ticket{Hall: hallA, ID: "T0", BusinessDay: "2026-11-22", Queue: "A", State: hallsync.Waiting, Taken: now}),
				tx.PutWindow(store.Window{Hall: hallA, ID: "1", State: hallsync.WindowOpen, Since: now}),
				tx.PutWindow(store.Window{Hall: hallA, ID: "2", State: hallsync.WindowPaused, Since: now}),
				tx.PutCursor(store.Cursor{Hall: hallA, Epoch: "old", Ordinal: 1, Contiguous: 90, Refused: 1, Gone: 2, Created: now}),
				tx.PutCursor(store.Cursor{Hall: hallA, Epoch: "new", Ordinal: 2, Contiguous: 5, Refused: 3, Created: now}),
			} {
				if err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		f.Touch(hallA, halls.Tickets)
		f.Touch(hallA, halls.Windows)
		<-follower.Signal()
		changes := follower.Take()
		if len(changes) != 1 || changes[0].Parts != halls.Tickets|halls.Windows|halls.Presence {
			t.Fatalf("changes %+v", changes)
		}
		s := changes[0].Status
		if s.ID != hallA || !s.Day.Open || len(s.Counts) != 1 || s.Counts[0].Count != 1 || s.Windows != 2 || s.WindowsOpen != 1 ||
			s.Cursor.Epoch != "new" || s.Cursor.Contiguous != 5 || s.Epochs != 2 || s.Refused != 4 || s.Gone != 2 {
			t.Fatalf("status %+v", s)
		}
	})
}

// A hall that has begun as many logs within a day as it may is named, until the first of them is a day old.
func TestRestlessHalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		defer f.stop()
		begin := func(ordinal int64) {
			t.Helper()
			c := store.Cursor{Hall: hallA, Epoch: strconv.FormatInt(ordinal, 10), Ordinal: ordinal, Created: time.Now()}
			if err := f.st.Write(t.Context(), func(tx *store.Tx) error { return tx.PutCursor(c) }); err != nil {
				t.Fatal(err)
			}
		}
		want := func(restless bool, when string) {
			t.Helper()
			f.Touch(hallA, halls.Tickets)
			time.Sleep(time.Minute)
			if s, _ := f.Get(hallA); s.Restless != restless {
				t.Errorf("%s: %t", when, s.Restless)
			}
		}
		for ordinal := int64(1); ordinal < store.EpochsADay; ordinal++ {
			begin(ordinal)
		}
		want(false, "before the last one")
		begin(store.EpochsADay)
		want(true, "with it")
		time.Sleep(24 * time.Hour)
		want(false, "a day later")
	})
}

func TestSlowFollowerGetsTheNewestOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		defer f.stop()
		follower := f.In(rights.Whole()).Follow()
		defer follower.Close()
		f.Connected(hallB)
		time.Sleep(time.Second)
		f.Connected(hallA)
		time.Sleep(time.Second)
		f.Disconnected(hallA)
		f.CameraChanged(hallA)
		time.Sleep(time.Second)
		<-follower.Signal()
		changes := follower.Take()
		if len(changes) != 2 || changes[0].Status.ID != hallA || changes[0].Status.State != halls.Offline ||
			changes[0].Parts != halls.Presence|halls.Cameras || changes[1].Status.State != halls.Online {
			t.Fatalf("changes %+v", changes)
		}
		f.Disconnected(hallB)
		<-follower.Signal()
		if changes = follower.Take(); len(changes) != 1 {
			t.Fatalf("changes %+v", changes)
		}
		time.Sleep(time.Minute)
		select {
		case <-follower.Signal():
			t.Fatalf("nothing happened, and yet %+v", follower.Take())
		default:
		}
	})
}

func TestPresenceSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	synctest.Test(t, func(t *testing.T) {
		f := start(t, path)
		f.Connected(hallA)
		f.report(hallA, "boot-1", true)
		seen, _ := f.Get(hallA)
		f.stop()
		time.Sleep(time.Hour)
		f = start(t, path)
		defer f.stop()
		s, _ := f.Get(hallA)
		if s.State != halls.Offline || !s.Seen.Equal(seen.Seen.Truncate(time.Millisecond)) || s.Report == nil || s.Report.Version != "1.2.3" {
			t.Errorf("after the restart %+v", s)
		}
		f.want(hallB, halls.Never)
	})
}
