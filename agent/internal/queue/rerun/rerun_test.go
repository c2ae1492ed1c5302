package rerun_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/agent/internal/queue/rerun"
	"halledge/firmware-protocols/hallsync"
)

var morning = time.Date(2026, 11, 23, 9, 0, 0, 0, time.FixedZone("", 8*3600))

// oneQueue is a hall of two windows and queue A, in which the elderly age half as fast again.
func oneQueue() *queue.Plan {
	return &queue.Plan{
		Location: morning.Location(),
		Queues: []queue.QueuePlan{{
			ID: "A", Name: "综合业务", Service: 3 * time.Minute, Calling: queue.Calling{ReturnAfter: 1},
			Order: line.Order{Weights: map[hallsync.Class]int{hallsync.Elder: 150}, MaxWait: 30 * time.Minute},
		}},
		Windows: []queue.WindowPlan{{ID: "1", Queues: []hallsync.QueueID{"A"}}, {ID: "2", Queues: []hallsync.QueueID{"A"}}},
	}
}

// hall makes the log of a day.
type hall struct {
	t   testing.TB
	s   *queue.State
	now time.Time
	log []hallsync.Event
}

func newHall(t testing.TB, p *queue.Plan) *hall {
	h := &hall{t: t, s: queue.New(p), now: morning}
	h.do(queue.TurnDay{})
	return h
}

func (h *hall) at(minute float64) *hall {
	h.now = morning.Add(time.Duration(minute * float64(time.Minute)))
	return h
}

func (h *hall) do(commands ...queue.Command) []hallsync.Payload {
	h.t.Helper()
	var all []hallsync.Payload
	for _, c := range commands {
		facts, err := h.s.Decide(c, h.now)
		if err != nil {
			h.t.Fatalf("%T: %v", c, err)
		}
		for _, f := range facts {
			h.s.Apply(f, h.now)
			e, err := hallsync.NewEvent("440900000000001", "e", hallsync.Seq(len(h.log)+1), h.now, f)
			if err != nil {
				h.t.Fatal(err)
			}
			h.log = append(h.log, e)
		}
		all = append(all, facts...)
	}
	return all
}

func (h *hall) take(id string, class hallsync.Class) {
	h.t.Helper()
	h.do(queue.Take{Ticket: hallsync.TicketID(id), Queue: "A", Class: class, Because: "x", Channel: hallsync.AtKiosk})
}

// Read implements rerun.Log.
func (h *hall) Read(after hallsync.Seq, limit, _ int) (raws [][]byte, err error) {
	for _, e := range h.log[min(int(after), len(h.log)):min(int(after)+limit, len(h.log))] {
		raw, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		raws = append(raws, raw)
	}
	return raws, nil
}

func (h *hall) day(p *queue.Plan) *rerun.Day {
	h.t.Helper()
	d, _, err := rerun.Load(context.Background(), h, p, "2026-11-23")
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// said gives the calls of a course: who, where, and after how many seconds.
func said(c *rerun.Course) (out []string) {
	for _, call := range c.Calls {
		out = append(out, fmt.Sprintf("%s@%s %s %d", call.Ticket, call.Window, call.Rule, call.Waited()/time.Second))
	}
	return out
}

func wantCalls(t *testing.T, name string, c *rerun.Course, want ...string) {
	t.Helper()
	if got := said(c); !slices.Equal(got, want) {
		t.Errorf("%s\n got %v\nwant %v", name, got, want)
	}
}

// smallDay is checked by hand. One window; n1 is served from 0 to 10; the clerk breathes for a minute. At 11 n2 has waited 10, n3 9 and
// the elder e 8 × 1.5 = 12.
func smallDay(t *testing.T) *hall {
	h := newHall(t, oneQueue())
	h.do(queue.Open{Window: "1"})
	h.take("n1", "")
	h.do(queue.CallNext{Window: "1"})
	h.at(1).take("n2", "")
	h.at(2).take("n3", "")
	h.at(3).take("e", hallsync.Elder)
	h.at(10).do(queue.Finish{Window: "1"})
	h.at(11).do(queue.CallNext{Window: "1"}) // e, for 5
	h.at(16).do(queue.CallNext{Window: "1"}) // n2, for 10
	h.at(26).do(queue.CallNext{Window: "1"}) // n3, for 2
	h.at(28).do(queue.Finish{Window: "1"})
	h.at(30).do(queue.Close{Window: "1"})
	return h
}

func TestASmallDayUnderOtherWeights(t *testing.T) {
	p := oneQueue()
	d := smallDay(t).day(p)
	recorded := []string{"n1@1 turn 0", "e@1 weight 480", "n2@1 turn 900", "n3@1 turn 1440"}
	wantCalls(t, "recorded", d.Recorded(), recorded...)
	same, err := d.Play(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	wantCalls(t, "played", same, recorded...)

	c, err := rerun.ParseChange("elder=100", "15", "")
	if err != nil {
		t.Fatal(err)
	}
	equal, err := d.Play(context.Background(), c.Of(p))
	if err != nil {
		t.Fatal(err)
	}
	wantCalls(t, "without privilege", equal, "n1@1 turn 0", "n2@1 turn 600", "n3@1 max_wait 1140", "e@1 max_wait 1200")

	r, err := rerun.Compare(context.Background(), d, p, c)
	if err != nil {
		t.Fatal(err)
	}
	before := rerun.Figures{People: 4, MedianS: 480, P80S: 1440, LongestS: 1440, Starved: 1}
	after := rerun.Figures{People: 4, MedianS: 600, P80S: 1200, LongestS: 1200, Starved: 2}
	if r.All.Recorded != before || r.All.Before != before || r.All.After != after {
		t.Errorf("all %+v", r.All)
	}
	elders := rerun.Group{
		Class:    hallsync.Elder,
		Recorded: rerun.Figures{People: 1, MedianS: 480, P80S: 480, LongestS: 480},
		Before:   rerun.Figures{People: 1, MedianS: 480, P80S: 480, LongestS: 480},
		After:    rerun.Figures{People: 1, MedianS: 1200, P80S: 1200, LongestS: 1200, Starved: 1},
	}
	if len(r.Classes) != 2 || r.Classes[1] != elders {
		t.Errorf("classes %+v", r.Classes)
	}
	if r.Sooner[hallsync.Normal] != 2 || r.Later[hallsync.Elder] != 1 || r.Limits["A"] != 900 {
		t.Errorf("sooner %v, later %v, limits %v", r.Sooner, r.Later, r.Limits)
	}
	if want := (rerun.Idle{Window: "1", Recorded: 60, Before: 60, After: 60}); r.Windows[0] != want {
		t.Errorf("windows %+v", r.Windows)
	}
}

// What people did by themselves, and what staff did that no order decides, happens in the replay too.
func TestTheReplayKeepsWhatNoOrderDecides(t *testing.T) {
	p := oneQueue()
	h := newHall(t, p)
	h.do(queue.Open{Window: "1"})
	for _, id := range []string{"a", "b", "c", "gone", "d"} {
		h.take(id, "")
	}
	h.do(queue.CallNext{Window: "1"}) // a: nobody comes
	h.at(1).do(queue.Pass{Window: "1"}, queue.CallNext{Window: "1"})
	h.at(2).do(queue.Requeue{Ticket: "a"}, queue.Withdraw{Ticket: "gone"})
	h.at(3).do(queue.Start{Window: "1"}, queue.Hold{Window: "1"}, queue.CallNext{Window: "1"}) // b is put aside, c called
	h.at(5).do(queue.CallNext{Window: "1"})                                                    // a is due
	h.at(6).do(queue.Finish{Window: "1"}, queue.Resume{Window: "1", Ticket: "b"})
	h.at(9).do(queue.Finish{Window: "1"}, queue.Close{Window: "1"}) // and d is left
	d := h.day(p)
	wantCalls(t, "recorded", d.Recorded(), "a@1 turn 0", "b@1 turn 60", "c@1 turn 180", "a@1 returned 180")
	got, err := d.Play(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	// b keeps the window for 2 + 3 minutes in one go, so the window has no time for a before it closes.
	wantCalls(t, "played", got, "a@1 turn 0", "b@1 turn 60", "c@1 turn 360", "a@1 returned 360")
	if len(got.Left) != 1 || got.Left[0].Ticket != "d" || got.Left[0].Waited() != 9*time.Minute {
		t.Errorf("left %+v", got.Left)
	}
}

func TestTheDayIsFoundInALogOfDays(t *testing.T) {
	p := oneQueue()
	p.Queues[0].Carry = true
	h := newHall(t, p)
	h.do(queue.Open{Window: "1"}, queue.SetRoll{Queue: "A", On: true, Next: 7})
	h.do(queue.CallNext{Window: "1"}) // a number of the roll
	h.at(5).do(queue.Finish{Window: "1"}, queue.SetRoll{Queue: "A"})
	h.take("night", "")
	h.at(24*60).do(queue.TurnDay{}, queue.Open{Window: "2"})
	h.at(24*60 + 1).do(queue.SetClock{To: h.now.Add(time.Hour), Source: queue.ClockByNetwork})
	h.now = h.now.Add(time.Hour + time.Minute) // two minutes of the day, whatever the clock says
	h.do(queue.CallNext{Window: "2"})
	first, days, err := rerun.Load(context.Background(), h, p, "2026-11-23")
	if err != nil || !slices.Equal(days, []string{"2026-11-23", "2026-11-24"}) {
		t.Fatal(days, err)
	}
	wantCalls(t, "first day", first.Recorded(), "20261123000001-AR007@1 roll 0")
	if left := first.Recorded().Left; len(left) != 1 || left[0].Ticket != "night" {
		t.Errorf("left %+v", left)
	}
	second, _, err := rerun.Load(context.Background(), h, p, "")
	if err != nil {
		t.Fatal(err)
	}
	played, err := second.Play(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	wantCalls(t, "second day", second.Recorded(), "night@2 max_wait 120")
	wantCalls(t, "second day played", played, "night@2 max_wait 0")
	var none *rerun.NoDayError
	if _, _, err := rerun.Load(context.Background(), h, p, "2026-11-25"); !errors.As(err, &none) || len(none.Days) != 2 {
		t.Errorf("a day that never was: %v", err)
	}
	if _, _, err := rerun.Load(context.Background(), &hall{}, p, ""); !errors.As(err, &none) {
		t.Errorf("an empty log: %v", err)
	}
}

func TestAPlayIsGivenUp(t *testing.T) {
	p := oneQueue()
	d := smallDay(t).day(p)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := rerun.Compare(ctx, d, p, rerun.Change{}); !errors.Is(err, context.Canceled) {
		t.Errorf("compared: %v", err)
	}
	if _, _, err := rerun.Load(ctx, smallDay(t), p, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("loaded: %v", err)
	}
}

func TestChangesAreRead(t *testing.T) {
	c, err := rerun.ParseChange("elder=200, priority=300", "20", "0")
	if err != nil || c.Weights[hallsync.Elder] != 200 || c.Weights[hallsync.Priority] != 300 || *c.MaxWait != 20*time.Minute || *c.PriorityRun != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	p := oneQueue()
	p.Queues[0].Order.PriorityRun = 2
	changed := c.Of(p)
	if o := changed.Queues[0].Order; o.Weights[hallsync.Elder] != 200 || o.MaxWait != 20*time.Minute || o.PriorityRun != 0 {
		t.Errorf("changed %+v", o)
	}
	if o := p.Queues[0].Order; o.Weights[hallsync.Elder] != 150 || o.MaxWait != 30*time.Minute || o.PriorityRun != 2 {
		t.Errorf("the plan itself changed: %+v", o)
	}
	for _, bad := range [][3]string{
		{"elder", "", ""}, {"elder=", "", ""}, {"king=200", "", ""}, {"elder=9", "", ""}, {"elder=1001", "", ""}, {"elder=100,elder=200", "", ""},
		{"", "-1", ""}, {"", "1441", ""}, {"", "99999999999", ""}, {"", "x", ""}, {"", "", "101"}, {"", "", "-1"},
	} {
		var f *rerun.FieldError
		if _, err := rerun.ParseChange(bad[0], bad[1], bad[2]); !errors.As(err, &f) {
			t.Errorf("%q was read: %v", bad, err)
		}
	}
}
