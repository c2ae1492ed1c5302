package uplink_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/agent/internal/store"
	"halledge/agent/internal/uplink"
	"halledge/firmware-protocols/hallsync"
)

const hallCode = hallsync.HallID("440900000000001")

// box is an edge box without a hall: a real store and a real uplink.
type box struct {
	told  atomic.Int64 // what the cloud said the time is, in Unix milliseconds
	t     *testing.T
	st    *store.Store
	up    *uplink.Uplink
	dirty chan struct{}
	stop  func()

	passed  atomic.Int64 // thousands of numbers
	renewed chan string  // epochs that were begun
	logs    atomic.Int64 // of today that the cloud knew
}

func newBox(t *testing.T, broker string) *box {
	t.Helper()
	return newBoxWith(t, broker, func(*box) {})
}

// newBoxWith lets the box do something before it knows of a cloud.
func newBoxWith(t *testing.T, broker string, before func(*box)) *box {
	t.Helper()
	return newBoxAs(t, enrolled(t), broker, before, func(*uplink.Options) {})
}

// enrolled is a box of some centre.
func enrolled(t *testing.T) *identity.Identity {
	t.Helper()
	i, _ := identitytest.Box(t, identitytest.NewCentre(t, identitytest.NewClock()), identity.Options{})
	return i
}

// alone is a box that is not enrolled.
func alone(t *testing.T) *identity.Identity {
	t.Helper()
	i, err := identity.Open(filepath.Join(t.TempDir(), identity.Directory), identity.Options{Hall: hallCode, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// newBoxAs makes a box of an identity, whose uplink has further options.
func newBoxAs(t *testing.T, i *identity.Identity, broker string, before func(*box), further func(*uplink.Options)) *box {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.TempDir(), store.Options{
		Hall: hallCode, Delivered: uplink.CursorName, Log: quiet, Retain: time.Nanosecond, // what the cloud has is dropped behind a snapshot
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, st: st, dirty: make(chan struct{}, 1), renewed: make(chan string, 16)}
	st.Watch(b)
	o := uplink.Options{
		Identity: i,
		Told:     func(now time.Time) { b.told.Store(now.UnixMilli()) },
		Revision: func() int64 { return 1 },
		Hall:     hallCode, Broker: broker, Version: "test", Patience: 500 * time.Millisecond, Store: st, Log: quiet,
		Dirty: func() (<-chan struct{}, func()) { return b.dirty, func() {} },
		Renew: func(ctx context.Context, logs int) error {
			b.logs.Store(int64(logs))
			defer func() { b.renewed <- st.Epoch() }()
			return st.Update(ctx, func(tx *store.Tx) error { return tx.Renew([]byte("{}")) })
		},
		Pass: func(_ context.Context, thousands int) error {
			b.passed.Store(int64(thousands))
			return errors.New("the disk is full") // which keeps nothing from the cloud
		},
		Report:   func() hallsync.Report { return hallsync.Report{Name: "测试大厅"} },
		FsyncP99: func() time.Duration { return time.Millisecond },
	}
	further(&o)
	b.up, err = uplink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	upctx, upcancel := context.WithCancel(ctx)
	var wg, upwg sync.WaitGroup
	wg.Go(func() { _ = st.Run(ctx) })
	before(b)
	upwg.Go(func() { _ = b.up.Run(upctx) })
	b.stop = sync.OnceFunc(func() {
		upcancel()
		upwg.Wait()
		cancel()
		wg.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

// Committed implements store.Committed.
func (b *box) Committed([]store.Fact) {
	select {
	case b.dirty <- struct{}{}:
	default:
	}
}

// RolledBack implements store.Committed.
func (b *box) RolledBack() {}

func (b *box) write(n int) {
	b.t.Helper()
	for range n {
		err := b.st.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Append(hallsync.DeviceChanged{Device: fmt.Sprint("d", b.st.Next())}, time.Now())
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *box) cursor() hallsync.Seq {
	b.t.Helper()
	seq, err := b.st.Cursor(uplink.CursorName)
	if err != nil {
		b.t.Fatal(err)
	}
	return seq
}

func TestFactsArriveAndTheCursorFollowsTheAck(t *testing.T) {
	c := newCloud(t)
	b := newBox(t, "tcp://"+c.addr)
	b.write(500)
	c.until("delivery", func() bool { return c.contiguous() == 500 })
	b.write(1)
	c.until("delivery of one more", func() bool { return c.contiguous() == 501 })
	c.until("cursor", func() bool { return b.cursor() == 501 })
	c.until("report", func() bool { return c.report.Online && c.report.Name == "测试大厅" })
	st := b.up.Status()
	if !st.Connected || st.Lag != 0 {
		t.Errorf("status %+v", st)
	}
	if off := st.Offset - time.Hour; off < -10*time.Second || off > 10*time.Second {
		t.Errorf("clock offset is %v, the cloud is an hour ahead", st.Offset)
	}
	if ahead := time.Until(time.UnixMilli(b.told.Load())) - time.Hour; ahead.Abs() > time.Minute {
		t.Errorf("the box was told a time %v from the cloud's", ahead)
	}
	b.stop()
	c.until("last report", func() bool { return !c.report.Online })
}

func TestNothingIsLostWhenTheCloudGoesAway(t *testing.T) {
	c := newCloud(t)
	b := newBox(t, "tcp://"+c.addr)
	b.write(100)
	c.until("delivery", func() bool { return c.contiguous() == 100 })
	addr := c.addr
	c.stop()
	b.write(300)
	if got := b.cursor(); got > 100 {
		t.Fatalf("cursor moved to %d without a cloud", got)
	}
	c.start(addr)
	c.until("delivery after the outage", func() bool { return c.contiguous() == 400 })
}

func TestPubackWithoutAckMovesNothing(t *testing.T) {
	c := newCloud(t)
	c.deaf = true // the broker takes every batch, the cloud stores none
	b := newBox(t, "tcp://"+c.addr)
	b.write(10)
	c.until("batches nobody stored", func() bool { return c.missed >= 10 })
	if got := b.cursor(); got != 0 {
		t.Fatalf("cursor is %d", got)
	}
	c.mu.Lock()
	c.deaf = false
	c.mu.Unlock()
	c.until("sending again", func() bool { return c.contiguous() == 10 })
	c.until("cursor", func() bool { return b.cursor() == 10 })
}

func TestCloudThatLostItsDatabaseIsRefilled(t *testing.T) {
	c := newCloud(t)
	b := newBox(t, "tcp://"+c.addr)
	b.write(200)
	c.until("delivery", func() bool { return b.cursor() == 200 })
	addr := c.addr
	c.stop()
	c.mu.Lock()
	clear(c.facts)
	c.mu.Unlock()
	c.start(addr)
	c.until("refill", func() bool { return c.contiguous() == 200 })
}

func TestHoleIsFilledOnRequest(t *testing.T) {
	c := newCloud(t)
	b := newBox(t, "tcp://"+c.addr)
	b.write(20)
	c.until("delivery", func() bool { return c.contiguous() == 20 })
	c.mu.Lock()
	c.deaf = true
	c.mu.Unlock()
	b.write(5)
	c.until("a batch nobody stored", func() bool { return c.missed >= 5 })
	c.mu.Lock()
	c.deaf = false
	c.mu.Unlock()
	b.write(5)
	c.until("the hole filled", func() bool { return c.contiguous() == 30 })
}

// A box that was set back to an older copy of its disk has written other facts under numbers the cloud knows.
func TestFactsUnderKnownNumbersAreSentAgain(t *testing.T) {
	c := newCloud(t)
	for seq := hallsync.Seq(1); seq <= 8; seq++ {
		c.facts[seq] = "of the life before"
	}
	c.differ = true
	newBoxWith(t, "tcp://"+c.addr, func(b *box) { b.write(10) })
	c.until("all facts again", func() bool { return c.copies >= 8 && c.contiguous() == 10 })
}

// The cloud says that it knows the log further than it is here: everything it has not goes out under a new epoch, and only once.
func TestStaleLogGoesOnInANewEpoch(t *testing.T) {
	for name, of := range map[string]struct {
		set  func(*cloud)
		left hallsync.Seq
	}{
		"said so":            {func(c *cloud) { c.stale = true }, 6},
		"said so of facts":   {func(c *cloud) { c.stale, c.later = true, true }, 10}, // of which it had none by its answer to the hello
		"acknowledged ahead": {func(c *cloud) { c.ahead = 1000 }, 6},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			of.set(c)
			c.logs = 3
			var old string
			b := newBoxWith(t, "tcp://"+c.addr, func(b *box) {
				b.write(10)
				old = b.st.Epoch()
				c.old = old
				err := b.st.Update(context.Background(), func(tx *store.Tx) error { tx.SetCursor(uplink.CursorName, 4); return nil })
				if err != nil {
					t.Fatal(err)
				}
			})
			epoch := <-b.renewed
			if epoch == old || b.logs.Load() != 3 {
				t.Fatalf("epoch %s after %s, behind %d logs", epoch, old, b.logs.Load())
			}
			c.until("the facts the cloud has not", func() bool { return c.contiguous() == of.left })
			c.until("cursor", func() bool { return b.cursor() == of.left })
			if !b.up.Status().Stale {
				t.Error("nobody is told that the log had gone back in time")
			}
			b.write(1)
			c.until("one more", func() bool { return c.contiguous() == of.left+1 })
			c.mu.Lock()
			defer c.mu.Unlock()
			for seq, raw := range c.facts {
				if !strings.Contains(raw, epoch) {
					t.Errorf("fact %d is %s", seq, raw)
				}
			}
		})
	}
}

// The cloud knows other logs of today and nothing of this one: their numbers are passed over, and this log goes on.
func TestANewLogIsToldOfTheOthers(t *testing.T) {
	for name, known := range map[string]bool{"new": false, "known": true} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.logs, c.differ = 3, true
			if known {
				c.facts[1] = "of this log"
			}
			b := newBoxWith(t, "tcp://"+c.addr, func(b *box) { b.write(3) })
			c.until("the facts", func() bool { return c.contiguous() == 3 })
			c.until("cursor", func() bool { return b.cursor() == 3 })
			if passed := b.passed.Load(); (passed == 3) == known || len(b.renewed) > 0 {
				t.Errorf("%d thousands are passed over, %d logs begun", passed, len(b.renewed))
			}
		})
	}
}

// Two boxes with one name must not outdo each other with new epochs.
func TestNewEpochsAreRare(t *testing.T) {
	c := newCloud(t)
	c.stale = true // whatever the epoch
	b := newBox(t, "tcp://"+c.addr)
	b.write(3)
	<-b.renewed
	c.until("a hello in the new epoch", func() bool { return c.hellos >= 3 })
	select {
	case <-b.renewed:
		t.Error("another epoch right away")
	default:
	}
}

// What is neither in the cloud nor here any more must not hold up what is.
func TestPrunedFactsDoNotHoldUpTheRest(t *testing.T) {
	c := newCloud(t)
	b := newBoxWith(t, "tcp://"+c.addr, func(b *box) {
		b.write(400)
		update := func(do func(*store.Tx)) {
			t.Helper()
			if err := b.st.Update(context.Background(), func(tx *store.Tx) error { do(tx); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		update(func(tx *store.Tx) { tx.SetSnapshot([]byte("{}")) })
		for range 7 { // each commit drops a few
			update(func(tx *store.Tx) { tx.SetCursor(uplink.CursorName, 400) })
		}
		if first, err := b.st.First(); err != nil || first < 300 {
			t.Fatalf("first fact is %d, %v", first, err)
		}
	})
	first, err := b.st.First()
	if err != nil {
		t.Fatal(err)
	}
	b.write(500)
	c.until("what there is", func() bool { return c.contiguous() == 900 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != first-1 {
		t.Errorf("the cloud gave up facts to %d, the hall has none before %d", c.gone, first)
	}
}

// A cloud that was set back while the broker stayed says so with its next ack.
func TestCloudThatForgetsBehindABrokerIsRefilled(t *testing.T) {
	c := newCloud(t)
	b := newBox(t, "tcp://"+c.addr)
	b.write(100)
	c.until("delivery", func() bool { return b.cursor() == 100 })
	c.mu.Lock()
	for seq := hallsync.Seq(41); seq <= 100; seq++ {
		delete(c.facts, seq)
	}
	c.mu.Unlock()
	b.write(1)
	c.until("refill", func() bool { return c.contiguous() == 101 })
}
