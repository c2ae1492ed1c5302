package present_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/present"
	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

const idle = "欢迎光临" // what a screen says to nobody in particular

// at is the view of a window, or of the hall.
func at(window hallsync.WindowID) present.View {
	return present.View{Window: window, Texts: present.Texts{Waiting: idle, Paused: "暂停服务", Closed: "暂未开放"}}
}

// board is the glass of a panel: what it was told to show, last of all.
type board struct {
	device.Device
	gate  chan struct{} // if set, each frame waits for it
	begun chan struct{} // has a value after a frame began

	mu     sync.Mutex
	fails  int // frames still to refuse
	frames []device.Frame
	news   chan struct{}
}

func newBoard() *board {
	return &board{begun: make(chan struct{}, 16), news: make(chan struct{}, 1)}
}

func (b *board) Show(ctx context.Context, f device.Frame) error {
	select {
	case b.begun <- struct{}{}:
	default:
	}
	if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails > 0 {
		b.fails--
		return &device.Error{Op: "show", Code: device.CodeOffline, Retry: true}
	}
	b.frames = append(b.frames, f)
	select {
	case b.news <- struct{}{}:
	default:
	}
	return nil
}

// until waits for a text on the glass and gives how many frames it took.
func (b *board) until(t *testing.T, text string) int {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		b.mu.Lock()
		n, last := len(b.frames), ""
		if n > 0 {
			last = strings.Join(b.frames[n-1].Lines, " ")
		}
		b.mu.Unlock()
		if last == text {
			return n
		}
		select {
		case <-b.news:
		case <-deadline:
			t.Fatalf("the panel shows %q, want %q", last, text)
		}
	}
}

// forget makes the glass dark.
func (b *board) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frames = nil
}

// open gives a hall with window 1 and the panels of a presenter that runs until the test ends.
func open(t *testing.T, panels ...present.Panel) *hall.Hall {
	t.Helper()
	plan := &queue.Plan{
		Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}, PassRecall: time.Minute,
		Windows: []queue.WindowPlan{{ID: "1", Name: "1号窗口", Queues: []hallsync.QueueID{"A"}}, {ID: "2", Queues: []hallsync.QueueID{"A"}}},
	}
	h := halltest.Open(t, plan)
	halltest.Run(t, present.New(h, panels, slog.New(slog.DiscardHandler)).Run)
	return h
}

func do(t *testing.T, h *hall.Hall, commands ...queue.Command) {
	t.Helper()
	for _, c := range commands {
		if _, err := h.Do(context.Background(), c); err != nil {
			t.Fatalf("%T: %v", c, err)
		}
	}
}

func take(n int) queue.Command {
	return queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: "A", Channel: hallsync.AtKiosk}
}

func TestPanelsFollowTheHall(t *testing.T) {
	window, whole := newBoard(), newBoard()
	h := open(t, present.Panel{Name: "window-1.led", Screen: window, View: at("1")}, present.Panel{Name: "hall.led", Screen: whole, View: at("")})
	window.until(t, "暂未开放")
	whole.until(t, idle)
	do(t, h, queue.Open{Window: "1"})
	window.until(t, idle)
	do(t, h, take(1), queue.CallNext{Window: "1"})
	window.until(t, "请A001号")
	whole.until(t, "请A001号 到1号窗口")
	do(t, h, queue.Start{Window: "1"})
	window.until(t, "A001")
	do(t, h, queue.Finish{Window: "1"}, queue.Pause{Window: "1"})
	window.until(t, "暂停服务")
	do(t, h, take(2), queue.Open{Window: "2"}, queue.CallNext{Window: "2"})
	whole.until(t, "请A002号 到2号窗口")
}

// Each call draws the eye, also one that looks like the call before it.
func TestEachCallIsANewFrame(t *testing.T) {
	s := queue.New(&queue.Plan{Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}, Windows: []queue.WindowPlan{{ID: "1", Queues: []hallsync.QueueID{"A"}}}})
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	seen := map[string]string{}
	for i, c := range []queue.Command{
		queue.TurnDay{}, queue.Open{Window: "1"}, take(1),
		queue.CallNext{Window: "1"}, queue.Recall{Window: "1"}, queue.Pass{Window: "1"}, queue.Requeue{Ticket: "t1"}, queue.CallNext{Window: "1"},
	} {
		now = now.Add(time.Minute)
		facts, err := s.Decide(c, now)
		if err != nil {
			t.Fatalf("%T: %v", c, err)
		}
		for _, f := range facts {
			s.Apply(f, now)
		}
		step := fmt.Sprintf("%d %T", i, c)
		switch c.(type) {
		case queue.CallNext, queue.Recall:
			for _, window := range []hallsync.WindowID{"", "1"} {
				f := fmt.Sprint(at(window).Frame(s))
				if before, again := seen[f]; again {
					t.Errorf("%s shows what %s has shown: %s", step, before, f)
				}
				seen[f] = step
			}
		}
	}
}

// What was called while the panel was busy with an older frame is shown next, without the frames between.
func TestLatestFrameWins(t *testing.T) {
	b := newBoard()
	b.gate = make(chan struct{})
	h := open(t, present.Panel{Name: "window-1.led", Screen: b, View: at("1")})
	<-b.begun
	do(t, h, queue.Open{Window: "1"}, take(1), take(2), queue.CallNext{Window: "1"}, queue.Pass{Window: "1"}, queue.CallNext{Window: "1"})
	close(b.gate)
	if n := b.until(t, "请A002号"); n != 2 {
		t.Errorf("the panel was told %d frames, want the first and the last", n)
	}
}

// A driver that was made anew knows no frame, though nothing in the hall has changed.
func TestRenewedPanelIsTold(t *testing.T) {
	b := newBoard()
	renewed := make(chan struct{})
	open(t, present.Panel{Name: "window-1.led", Screen: b, View: at("1"), Renewed: renewed})
	b.until(t, "暂未开放")
	b.forget()
	renewed <- struct{}{}
	b.until(t, "暂未开放")
}

func TestRefusedFrameIsShownAgain(t *testing.T) {
	b := newBoard()
	b.fails = 2
	open(t, present.Panel{Name: "window-1.led", Screen: b, View: at("1")})
	b.until(t, "暂未开放")
}
