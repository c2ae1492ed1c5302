package view_test

import (
	"fmt"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/admit"
	"halledge/agent/internal/web/view"
	"halledge/firmware-protocols/hallsync"
)

// floor is a hall whose time goes on as its test says.
type floor struct {
	*testing.T
	state *queue.State
	now   time.Time
	taken int
}

// newFloor opens a hall at eight in the morning. Its queue A gives ten numbers until noon; window 2 serves B alone.
func newFloor(t *testing.T) *floor {
	t.Helper()
	zone := time.FixedZone("", 8*3600)
	morning := admit.Span{Days: [7]bool{true, true, true, true, true, true, true}, From: 8 * time.Hour, To: 12 * time.Hour}
	f := &floor{T: t, now: time.Date(2026, 3, 5, 8, 0, 0, 0, zone), state: queue.New(&queue.Plan{
		Location: zone,
		Queues: []queue.QueuePlan{
			{ID: "A", Name: "综合受理", Rules: admit.Rules{Hours: []admit.Span{morning}, Quota: 10}}, {ID: "B", Name: "社保医保"},
		},
		Windows: []queue.WindowPlan{
			{ID: "1", Name: "1号窗口", Queues: []hallsync.QueueID{"A"}}, {ID: "2", Name: "2号窗口", Queues: []hallsync.QueueID{"B"}},
		},
	})}
	f.do(queue.TurnDay{})
	f.do(queue.Open{Window: "1"})
	f.do(queue.Open{Window: "2"})
	return f
}

// do runs a command as the hall does.
func (f *floor) do(c queue.Command) {
	f.Helper()
	facts, err := f.state.Decide(c, f.now)
	if err != nil {
		f.Fatalf("%T: %v", c, err)
	}
	for _, p := range facts {
		f.state.Apply(p, f.now)
	}
}

func (f *floor) take(q hallsync.QueueID) hallsync.TicketID {
	f.Helper()
	f.taken++
	id := hallsync.TicketID(fmt.Sprintf("t%d", f.taken))
	f.do(queue.Take{Ticket: id, Queue: q, Channel: hallsync.AtKiosk})
	return id
}

func (f *floor) later(minutes int) { f.now = f.now.Add(time.Duration(minutes) * time.Minute) }

func (f *floor) board() view.Board {
	waits := f.state.Forecast(f.now)
	return view.BoardOf(queue.Moment{State: f.state, Now: f.now, Waits: func() *queue.Forecast { return waits }})
}

// finished serves the next of window 1 for so many minutes.
func (f *floor) finished(minutes int) {
	f.Helper()
	f.do(queue.CallNext{Window: "1"})
	f.later(minutes)
	f.do(queue.Finish{Window: "1"})
}

func TestBoardHasTheDayInNumbers(t *testing.T) {
	f := newFloor(t)
	first := f.take("A")
	second, gone, waits := f.take("A"), f.take("A"), f.take("A")
	left := f.take("B")
	f.later(2)
	f.finished(4) // waited 2, served 4
	f.finished(8) // waited 6, served 8
	f.do(queue.Rate{Ticket: first, Grade: hallsync.VerySatisfied})
	f.do(queue.LeaveUnrated{Ticket: second, Why: "timeout"})
	f.do(queue.CallNext{Window: "1"})
	f.do(queue.Pass{Window: "1"}) // gone: waited 14
	f.do(queue.Withdraw{Ticket: left})
	f.do(queue.CallTicket{Window: "1", Ticket: waits, Reason: "群众到窗口"})
	f.do(queue.Abandon{Window: "1", Ticket: waits, Reason: "取错号"})
	f.take("B")
	b := f.board()
	for name, c := range map[string]struct {
		got  view.Figures
		want string
	}{
		"hall":     {b.Day, "6 taken, 2 served, 1 missed, 1 withdrawn, 1 abandoned, 1 open"},
		"queue A":  {b.Queues[0].Day, "4 taken, 2 served, 1 missed, 0 withdrawn, 1 abandoned, 0 open"},
		"queue B":  {b.Queues[1].Day, "2 taken, 0 served, 0 missed, 1 withdrawn, 0 abandoned, 1 open"},
		"window 1": {b.Windows[0].Day, "4 taken, 2 served, 1 missed, 0 withdrawn, 1 abandoned, 0 open"},
		"window 2": {b.Windows[1].Day, "0 taken, 0 served, 0 missed, 0 withdrawn, 0 abandoned, 0 open"},
	} {
		d := c.got
		got := fmt.Sprintf("%d taken, %d served, %d missed, %d withdrawn, %d abandoned, %d open", d.Taken, d.Served, d.Missed, d.Withdrawn, d.Abandoned, d.Open)
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if w := b.Day.Wait; w == nil || *w != (view.Spread{P50S: 6 * 60, P80S: 14 * 60, Samples: 4}) {
		t.Errorf("waits %+v", w)
	}
	if s := b.Day.Serve; s == nil || *s != (view.Spread{P50S: 4 * 60, P80S: 8 * 60, Samples: 2}) {
		t.Errorf("services %+v", s)
	}
	if b.Queues[1].Day.Wait != nil || b.Windows[1].Day.Serve != nil {
		t.Errorf("times of nothing: %+v %+v", b.Queues[1].Day, b.Windows[1].Day)
	}
	if r := b.Queues[0].Day; r.Ratings[hallsync.VerySatisfied] != 1 || len(r.Ratings) != 5 || r.Unrated != 1 {
		t.Errorf("ratings %+v", r)
	}
	if _, ok := f.state.Ticket(gone); !ok || b.Windows[0].Done != 2 || b.Queues[0].Done != 2 {
		t.Errorf("done %+v %+v", b.Windows[0], b.Queues[0])
	}
}

func TestBoardHasWhatTheDirectorActsOn(t *testing.T) {
	f := newFloor(t)
	f.take("A")
	f.do(queue.SetRoll{Queue: "B", On: true, Next: 7})
	until := f.now.Add(30 * time.Minute)
	f.do(queue.SetDuty{Window: "2", Queue: "A", Until: until})
	b := f.board()
	a, w := b.Queues[0], b.Windows[1]
	if !a.Gives.Open || a.Gives.Left == nil || *a.Gives.Left != 9 || a.Gives.Closes == nil || a.Gives.Closes.Hour() != 12 || a.Open != 2 {
		t.Errorf("queue %+v", a)
	}
	if b.Queues[1].Roll != 7 || a.Roll != 0 {
		t.Errorf("rolls %d %d", a.Roll, b.Queues[1].Roll)
	}
	if w.Waiting != 1 || !w.Duties["A"].Equal(until) || len(b.Windows[0].Duties) != 0 {
		t.Errorf("window %+v", w)
	}
	f.later(31)
	if w := f.board().Windows[1]; w.Waiting != 0 || len(w.Duties) != 0 {
		t.Errorf("after its time: %+v", w)
	}
	f.later(4 * 60)
	if g := f.board().Queues[0].Gives; g.Open || g.Reason != admit.Closed {
		t.Errorf("in the afternoon: %+v", g)
	}
}

// The estimates of a queue are judged once its people have been called.
func TestBoardTellsHowGoodTheEstimatesWere(t *testing.T) {
	f := newFloor(t)
	for range 3 {
		f.take("A")
		f.later(2)
		f.finished(5)
	}
	f.take("A")
	f.take("A")
	f.finished(5)
	f.later(3)
	f.finished(5) // expected to wait 5 minutes, waited 8
	if a := f.board().Queues[0].Accuracy; a.Samples == 0 || a.ErrorS <= 0 {
		t.Errorf("accuracy %+v", a)
	}
	if a := f.board().Queues[1].Accuracy; a != (view.Accuracy{}) {
		t.Errorf("accuracy of nothing %+v", a)
	}
}

func TestBoardSaysThatNobodyKnowsTheTime(t *testing.T) {
	f := newFloor(t)
	if b := f.board(); b.ClockUnknown || !b.Now.Equal(f.now) {
		t.Errorf("%v %v", b.ClockUnknown, b.Now)
	}
	f.do(queue.StepClock{Dead: true})
	if !f.board().ClockUnknown {
		t.Error("the clock is dead, and nobody is told")
	}
	f.do(queue.SetClock{To: f.now.Add(time.Minute), Source: queue.ClockByStaff})
	if f.board().ClockUnknown {
		t.Error("the time is known again, and nobody is told")
	}
}
