package uplink_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/store"
	"halledge/agent/internal/uplink"
	"halledge/firmware-protocols/hallsync"
)

const hallCode = hallsync.HallID("440900000000001")

// box is an edge box without a hall: a real store and a real uplink.
type box struct {
	t     *testing.T
	st    *store.Store
	up    *uplink.Uplink
	dirty chan struct{}
	stop  func()
}

func newBox(t *testing.T, broker string) *box {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.TempDir(), store.Options{Hall: hallCode, Delivered: uplink.CursorName, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, st: st, dirty: make(chan struct{}, 1)}
	st.Watch(b)
	b.up, err = uplink.New(uplink.Options{
		Hall: hallCode, Broker: broker, Version: "test", Patience: 500 * time.Millisecond, Store: st, Log: quiet,
		Dirty:    func() (<-chan struct{}, func()) { return b.dirty, func() {} },
		Report:   func() hallsync.Report { return hallsync.Report{Name: "测试大厅"} },
		FsyncP99: func() time.Duration { return time.Millisecond },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	upctx, upcancel := context.WithCancel(ctx)
	var wg, upwg sync.WaitGroup
	wg.Go(func() { _ = st.Run(ctx) })
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
	b := newBox(t, "tcp://"+c.addr)
	b.write(10)
	c.until("all facts again", func() bool { return c.copies >= 8 && c.contiguous() == 10 })
}
