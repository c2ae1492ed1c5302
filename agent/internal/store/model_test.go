package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// box is a whole hall on a disk that fails now and then, whose power goes away now and then.
type box struct {
	rt   *rapid.T
	dir  string
	now  time.Time
	fail atomic.Int32 // 1: the next commit fails early, 2: late, 3: late and so does what settles it

	st   *store.Store
	hall *hall.Hall
	stop func()

	keys  store.Keys        // none, or those the file is sealed with
	drops bool              // the cloud has everything at once, and what it has is dropped soon
	said  map[string]string // what was answered to a key
	asked map[string]bool   // keys that were ever sent
}

func boxPlan() *queue.Plan {
	return &queue.Plan{
		Location: time.UTC, CallGap: 5 * time.Second, PassRecall: 10 * time.Minute, WaitSamples: 5,
		Queues: []queue.QueuePlan{{ID: "A"}, {ID: "B"}},
		Windows: []queue.WindowPlan{
			{ID: "1", Queues: []hallsync.QueueID{"A"}}, {ID: "2", Queues: []hallsync.QueueID{"A", "B"}},
		},
	}
}

func (b *box) commit(tx *bbolt.Tx) error {
	how := b.fail.Load()
	if how == 1 {
		b.fail.Store(0)
		return syscall.ENOSPC
	}
	err := tx.Commit()
	if how > 1 && err == nil {
		b.fail.Store(how - 1)
		if how == 2 {
			b.fail.Store(0)
		}
		return syscall.EIO
	}
	return err
}

func (b *box) open() {
	opts := options().Committing(b.commit).Sealing(25)
	opts.Keys = b.keys
	if b.drops {
		opts.Retain = time.Nanosecond
	}
	st, err := store.Open(b.dir, opts)
	for range 3 { // an injected fault may hit the start
		if err != nil {
			st, err = store.Open(b.dir, opts)
		}
	}
	if err != nil {
		b.rt.Fatal(err)
	}
	if st.PutAside() != "" {
		b.rt.Fatal("a good file was put aside")
	}
	b.st = st
	if b.hall, err = hall.New(st, boxPlan(), slog.New(slog.DiscardHandler), halltest.Clock(func() time.Time { return b.now })); err != nil {
		b.rt.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := st.Close(); err != nil {
			b.rt.Error(err)
		}
	})
}

// request sends a command under a key, and checks the answer against the first one.
func (b *box) request(key string, c func() queue.Command) {
	b.asked[key] = true
	a, _, err := b.hall.Answer(context.Background(), hall.Request{
		Key: store.KeyOf("x", "POST", "/", key), Command: func() (queue.Command, error) { return c(), nil },
		Render: func(r hall.Result) (int, []byte) {
			raw, err := json.Marshal(r.Facts)
			if err != nil {
				panic(err)
			}
			return 200, append(raw, fmt.Sprint(r.Refusal)...)
		},
	})
	if err != nil {
		return // in doubt: it may have happened once, or not
	}
	if first, ok := b.said[key]; ok && first != string(a.Body) {
		b.rt.Fatalf("key %s was answered %s and then %s", key, first, a.Body)
	}
	b.said[key] = string(a.Body)
}

func (b *box) step(n int) {
	b.now = b.now.Add(time.Duration(rapid.SampledFrom([]int{1, 6, 6, 700, -50, 90000}).Draw(b.rt, "seconds")) * time.Second)
	if rapid.IntRange(0, 5).Draw(b.rt, "fault") == 0 {
		b.fail.Store(int32(rapid.IntRange(1, 3).Draw(b.rt, "kind of fault")))
	}
	w := rapid.SampledFrom([]hallsync.WindowID{"1", "2"}).Draw(b.rt, "window")
	q := rapid.SampledFrom([]hallsync.QueueID{"A", "B"}).Draw(b.rt, "queue")
	key := fmt.Sprint("k", rapid.IntRange(max(0, n-3), n).Draw(b.rt, "key")) // often one that was used
	if rapid.IntRange(0, 39).Draw(b.rt, "tidy") == 39 {
		_ = b.st.Compact(context.Background()) // may fail when a commit is in doubt
	}
	switch rapid.IntRange(0, 9).Draw(b.rt, "what") {
	case 0:
		b.reopen()
	case 1:
		if b.drops {
			_ = b.st.Update(context.Background(), func(tx *store.Tx) error { tx.SetCursor("cloud", b.st.Next()-1); return nil })
		} else {
			_ = b.hall.Renew(context.Background(), 0)
		}
	case 2:
		b.request(key, func() queue.Command { return queue.Open{Window: w} })
	case 3, 4:
		b.request(key, func() queue.Command { return queue.CallNext{Window: w} })
	case 5:
		b.request(key, func() queue.Command { return queue.Pass{Window: w} })
	default:
		b.request(key, func() queue.Command {
			return queue.Take{Ticket: hallsync.TicketID(fmt.Sprint(key, "-", n)), Queue: q, Channel: hallsync.AtKiosk}
		})
	}
}

func (b *box) dump() (state string) {
	b.hall.Read(func(s *queue.State, _ hallsync.Seq) {
		raw, err := json.Marshal(s)
		if err != nil {
			b.rt.Fatal(err)
		}
		state = string(raw)
	})
	return state
}

// reopen takes the power away. The hall comes back as it was, unless the last commit was still in doubt.
func (b *box) reopen() {
	sure, before := b.st.Trouble() == nil, b.dump()
	b.stop()
	b.open()
	if after := b.dump(); sure && after != before {
		b.rt.Fatalf("the hall came back as another one\n got %s\nwant %s", after, before)
	}
	if _, err := b.st.Verify(); err != nil {
		b.rt.Fatal(err)
	}
	if f := b.st.ChainFault(); f != nil {
		b.rt.Fatal(f)
	}
	if !b.drops {
		b.check()
	}
}

// check compares the log with everything that was ever said.
func (b *box) check() {
	raws, err := b.st.InClear().Read(0, 1<<20, 1<<30)
	if err != nil {
		b.rt.Fatal(err)
	}
	folded := queue.New(boxPlan())
	numbers, takes := map[string]bool{}, map[string]int{}
	for i, raw := range raws {
		var e hallsync.Event
		if err := json.Unmarshal(raw, &e); err != nil {
			b.rt.Fatal(err)
		}
		p, err := e.Decode()
		if err != nil || e.Seq != hallsync.Seq(i+1) {
			b.rt.Fatalf("fact %d is %d: %v", i+1, e.Seq, err)
		}
		folded.Apply(p, e.At)
		if take, ok := p.(hallsync.TicketTaken); ok {
			number := take.BusinessDay + " " + take.Number
			if numbers[number] || numbers[take.FlowNo] {
				b.rt.Fatalf("%s was given twice", number)
			}
			numbers[number], numbers[take.FlowNo] = true, true
			key, _, _ := strings.Cut(string(take.Ticket), "-")
			takes[key]++
		}
	}
	for key, said := range b.said {
		if strings.Contains(said, `"flow_no"`) && takes[key] != 1 {
			b.rt.Fatalf("key %s was told of a ticket, the log has %d", key, takes[key])
		}
	}
	want, err := json.Marshal(folded)
	if err != nil {
		b.rt.Fatal(err)
	}
	if got := b.dump(); got != string(want) {
		b.rt.Fatalf("the state is not the fold of the log\n got %s\nwant %s", got, want)
	}
}

// unique looks for a number that two people were told.
func (b *box) unique() {
	owners := map[string]string{}
	for key, said := range b.said {
		for _, part := range strings.Split(said, `"flow_no":"`)[1:] {
			number, _, _ := strings.Cut(part, `"`)
			if other, twice := owners[number]; twice {
				b.rt.Fatalf("%s was given to %s and %s", number, other, key)
			}
			owners[number] = key
		}
	}
}

// Whatever fails and whenever the power goes: no number twice, no ticket lost, one answer to one key, state equal to the log.
func TestHallOnABadDisk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		b := &box{rt: rt, dir: dir, now: noon, drops: rapid.Bool().Draw(rt, "drops"), said: map[string]string{}, asked: map[string]bool{}}
		if rapid.Bool().Draw(rt, "keys") {
			b.keys = owner(rt).keys
		}
		b.open()
		defer func() { b.stop() }()
		for n := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			b.step(n)
		}
		b.fail.Store(0)
		for key := range b.asked { // the last word on everything
			b.request(key, func() queue.Command {
				return queue.Take{Ticket: hallsync.TicketID(key + "-last"), Queue: "A", Channel: hallsync.AtDesk}
			})
		}
		b.reopen()
		b.unique()
	})
}
