package ops_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/ops"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/agent/internal/uplink"
	"halledge/firmware-protocols/hallsync"
)

// box is what a watcher looks at; a test changes it under the lock.
type box struct {
	mu      sync.Mutex
	devices []hallsync.DeviceStatus
	cameras []hallsync.CameraStatus
	uplink  uplink.Status
	trouble error
	sync    time.Duration
	mute    map[string]string
	hall    *queue.State
}

func (b *box) with(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func locked[T any](b *box, get func() T) func() T {
	return func() T {
		b.mu.Lock()
		defer b.mu.Unlock()
		return get()
	}
}

func (b *box) sources(dir string) ops.Sources {
	return ops.Sources{
		Devices:  locked(b, func() []hallsync.DeviceStatus { return slices.Clone(b.devices) }),
		Cameras:  locked(b, func() []hallsync.CameraStatus { return slices.Clone(b.cameras) }),
		Uplink:   locked(b, func() uplink.Status { return b.uplink }),
		Trouble:  locked(b, func() error { return b.trouble }),
		Mute:     locked(b, func() map[string]string { return b.mute }),
		DiskSync: locked(b, func() time.Duration { return b.sync }),
		Hall: func(f func(*queue.State, hallsync.Seq)) {
			b.mu.Lock()
			defer b.mu.Unlock()
			f(b.hall, 1)
		},
		Data: dir,
	}
}

func newHall(t *testing.T) *queue.State {
	t.Helper()
	s := queue.New(&queue.Plan{Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}})
	apply(t, s, queue.TurnDay{}, queue.Take{Ticket: "t", Queue: "A", Channel: hallsync.AtKiosk, Printer: "kiosk-1"})
	return s
}

func apply(t *testing.T, s *queue.State, commands ...queue.Command) {
	t.Helper()
	for _, c := range commands {
		facts, err := s.Decide(c, time.Now())
		if err != nil {
			t.Fatalf("%T: %v", c, err)
		}
		for _, f := range facts {
			s.Apply(f, time.Now())
		}
	}
}

// each kind of trouble comes and goes by itself.
func TestConditionsFollowTheBox(t *testing.T) {
	dir := t.TempDir()
	slip := func(state hallsync.PrintState, out hallsync.Outcome) queue.Command {
		return queue.SlipProgress{SlipChanged: hallsync.SlipChanged{Ticket: "t", State: state, Code: "cutter", Out: out}}
	}
	for _, tc := range []struct {
		code, subject string
		wrong, right  func(t *testing.T, b *box)
	}{
		{"storage_full", "",
			func(_ *testing.T, b *box) {
				b.trouble = &store.Error{Op: "commit", Code: store.Full, Err: errors.New("x")}
			},
			func(_ *testing.T, b *box) { b.trouble = nil }},
		{"storage_failed", "",
			func(_ *testing.T, b *box) {
				b.trouble = &store.Error{Op: "commit", Code: store.Failed, Err: errors.New("x")}
			},
			func(_ *testing.T, b *box) { b.trouble = nil }},
		{"uplink_down", "", // and a hall that has no centre misses none
			func(_ *testing.T, b *box) { b.uplink = uplink.Status{} },
			func(_ *testing.T, b *box) { b.uplink = uplink.Status{Off: true, Lag: 1 << 30} }},
		{"uplink_down", "", func(_ *testing.T, b *box) { b.uplink.Connected = false }, func(_ *testing.T, b *box) { b.uplink.Connected = true }},
		{"uplink_refused", "",
			func(_ *testing.T, b *box) { b.uplink.Connected, b.uplink.Refused = false, true },
			func(_ *testing.T, b *box) { b.uplink.Connected, b.uplink.Refused = true, false }},
		{"epoch_stale", "", func(_ *testing.T, b *box) { b.uplink.Stale = true }, func(_ *testing.T, b *box) { b.uplink.Stale = false }},
		{"log_backlog", "", func(_ *testing.T, b *box) { b.uplink.Lag = 5000 }, func(_ *testing.T, b *box) { b.uplink.Lag = 0 }},
		{"clock_offset", "", func(_ *testing.T, b *box) { b.uplink.Offset = -time.Minute }, func(_ *testing.T, b *box) { b.uplink.Offset = 0 }},
		{"disk_slow", "", func(_ *testing.T, b *box) { b.sync = time.Second }, func(_ *testing.T, b *box) { b.sync = time.Millisecond }},
		{"device_paper_out", "kiosk-1.printer",
			func(_ *testing.T, b *box) { b.devices[0].State, b.devices[0].Code = "offline", "paper_out" },
			func(_ *testing.T, b *box) { b.devices[0].State, b.devices[0].Code = "ok", "" }},
		{"camera_offline", "CM001",
			func(_ *testing.T, b *box) { b.cameras[0].State = "offline" }, func(_ *testing.T, b *box) { b.cameras[0].State = "relaying" }},
		{"camera_changed", "CM001", // also while nobody looks: it is not over
			func(_ *testing.T, b *box) { b.cameras[0].State, b.cameras[0].Reason = "idle", "camera_changed" },
			func(_ *testing.T, b *box) { b.cameras[0].State, b.cameras[0].Reason = "relaying", "" }},
		{"camera_unlike", "CM001",
			func(_ *testing.T, b *box) { b.cameras[0].State, b.cameras[0].Reason = "relaying", "camera_unlike" },
			func(_ *testing.T, b *box) { b.cameras[0].State, b.cameras[0].Reason = "relaying", "" }},
		{"relay_down", "",
			func(_ *testing.T, b *box) { b.cameras[0].State, b.cameras[0].Reason = "offline", "node_unreachable" },
			func(_ *testing.T, b *box) { b.cameras[0].State, b.cameras[0].Reason = "relaying", "" }},
		{"relay_unproven", "",
			func(_ *testing.T, b *box) { b.cameras[0].State, b.cameras[0].Reason = "offline", "node_unproven" },
			func(_ *testing.T, b *box) { b.cameras[0].State, b.cameras[0].Reason = "relaying", "" }},
		{"voice_mute", "hall.speaker",
			func(_ *testing.T, b *box) { b.mute = map[string]string{"hall.speaker": "no clips"} },
			func(_ *testing.T, b *box) { b.mute = nil }},
		{"slip_failed", "kiosk-1",
			func(t *testing.T, b *box) { apply(t, b.hall, slip(hallsync.SlipFailed, hallsync.OutPart)) },
			func(t *testing.T, b *box) { apply(t, b.hall, slip(hallsync.SlipPrinted, "")) }},
		{"slip_unsure", "kiosk-1",
			func(t *testing.T, b *box) { apply(t, b.hall, slip(hallsync.SlipFailed, hallsync.OutUnknown)) },
			func(t *testing.T, b *box) { apply(t, b.hall, queue.Withdraw{Ticket: "t"}) }},
	} {
		t.Run(tc.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(30 * 365 * 24 * time.Hour) // the bubble begins in 2000, when no clock was set
				b := &box{
					devices: []hallsync.DeviceStatus{{Name: "kiosk-1.printer", Class: "printer", State: "ok"}},
					cameras: []hallsync.CameraStatus{{Code: "CM001", State: "relaying"}},
					uplink:  uplink.Status{Connected: true}, hall: newHall(t),
				}
				w := ops.NewWatcher(b.sources(dir), texts(t))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- w.Run(ctx) }()
				expect := func(when string, codes ...string) {
					t.Helper()
					time.Sleep(2 * time.Minute)
					synctest.Wait()
					var got []string
					for _, c := range w.Conditions() {
						got = append(got, c.Code)
						if c.Title == "" || c.Advice == "" || c.Title == c.Code {
							t.Errorf("%s has no sentence: %+v", c.Code, c)
						}
						if c.Code == tc.code && c.Subject != tc.subject {
							t.Errorf("%s is about %q", c.Code, c.Subject)
						}
					}
					if !slices.Equal(got, codes) {
						t.Errorf("%s: %q, want %q", when, got, codes)
					}
				}
				expect("at first")
				b.with(func() { tc.wrong(t, b) })
				expect("when it is wrong", tc.code)
				b.with(func() { tc.right(t, b) })
				expect("when it is right again")
				cancel()
				<-done
			})
		})
	}
}

// Whoever reads of slips that did not come out is told the numbers.
func TestSliplessNumbersAreNamed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &box{hall: queue.New(&queue.Plan{Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}})}
		apply(t, b.hall, queue.TurnDay{})
		w := ops.NewWatcher(b.sources(dir), texts(t))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		for _, id := range []hallsync.TicketID{"a", "b", "c", "d"} {
			b.with(func() {
				apply(t, b.hall, queue.Take{Ticket: id, Queue: "A", Channel: hallsync.AtKiosk, Printer: "kiosk-1"},
					queue.SlipProgress{SlipChanged: hallsync.SlipChanged{Ticket: id, State: hallsync.SlipFailed, Out: hallsync.OutNothing}})
			})
			time.Sleep(time.Minute)
			synctest.Wait()
			said := ""
			for _, c := range w.Conditions() {
				if c.Code == "slip_failed" {
					said = c.Title
				}
			}
			want := map[hallsync.TicketID]string{"a": "A001", "b": "A001、A002", "c": "A001、A002、A003", "d": "A001、A002、A003等 4 张"}[id]
			if said != "小票没打出来："+want {
				t.Errorf("said %q, want %s", said, want)
			}
		}
		cancel()
		<-done
	})
}

func TestAnUnsetClockIsTold(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // it is the year 2000 in here
		w := ops.NewWatcher(ops.Sources{Data: dir, LastGood: true, Restored: true, RootAside: func() []string { return []string{"root.key.aside"} }, Reset: "hall.db.corrupt"}, texts(t))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		synctest.Wait()
		var got []string
		for _, c := range w.Conditions() {
			got = append(got, c.Code)
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"clock_unset", "config_last_good", "log_restored", "storage_reset", "web_root_aside"}) {
			t.Errorf("got %q", got)
		}
		cancel()
		<-done
	})
}

// A hall whose clock nobody knows gives no numbers; one that had opened a day too early goes on, and says so for that day.
func TestWhatTheHallKnowsOfTheTimeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(30 * 365 * 24 * time.Hour) // of the time in here, which begins in 2000
		b := &box{hall: newHall(t)}
		w := ops.NewWatcher(ops.Sources{Data: t.TempDir(), Hall: b.sources("").Hall}, texts(t))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		want := func(code string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			var got []string
			for _, c := range w.Conditions() {
				got = append(got, c.Code)
			}
			if strings.Join(got, " ") != code {
				t.Errorf("got %q, want %q", got, code)
			}
		}
		want("")
		b.with(func() { apply(t, b.hall, queue.StepClock{Dead: true}) })
		want("clock_unset")
		b.with(func() {
			apply(t, b.hall, queue.SetClock{To: time.Now().AddDate(0, 0, 9), Source: queue.ClockByNetwork})
			b.hall.Apply(hallsync.DayOpened{BusinessDay: "2031-01-01"}, time.Now().AddDate(0, 0, 9))
			b.hall.Apply(hallsync.DayOpened{BusinessDay: "2030-01-01", Instead: "2031-01-01"}, time.Now())
		})
		want("day_wrong")
		b.with(func() { b.hall.Apply(hallsync.DayOpened{BusinessDay: "2030-01-02"}, time.Now()) })
		want("")
		cancel()
		<-done
	})
}
