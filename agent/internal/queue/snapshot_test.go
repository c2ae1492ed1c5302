package queue_test

import (
	"encoding/json"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// FuzzRestore takes a snapshot from a disk that may have lied: whatever comes back, the rules work on it without a panic, and it
// survives being written again.
func FuzzRestore(f *testing.F) {
	b := newBench(f)
	b.must(queue.Open{Window: "1"})
	for _, id := range []string{"a", "b", "c", "d"} {
		b.take(id, "A", "")
	}
	b.must(queue.CallNext{Window: "1"})
	b.must(queue.Start{Window: "1"})
	b.must(queue.Hold{Window: "1"})
	b.must(queue.CallNext{Window: "1"})
	b.must(queue.Pass{Window: "1"})
	f.Add([]byte(b.dump()))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"tickets":[null,{"id":"a","state":"waiting"},{"id":"a","state":"called","window":"1"}],"windows":[null,{"id":"1","state":"open","ticket":"x","held":["a","a"],"last":"y"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := queue.Restore(plan(), raw)
		if err != nil {
			return
		}
		now := start.Add(time.Hour)
		for _, c := range []queue.Command{
			queue.FitPlan{}, queue.Open{Window: "1"}, queue.Take{Ticket: "new", Queue: "A", Channel: hallsync.AtKiosk},
			queue.CallNext{Window: "1"}, queue.Recall{Window: "1"}, queue.Pass{Window: "1"}, queue.Resume{Window: "1"}, queue.Finish{Window: "1"},
			queue.Reopen{Window: "1", Reason: "x"}, queue.Abandon{Window: "1", Ticket: "a"}, queue.TurnDay{},
		} {
			facts, _ := s.Decide(c, now)
			for _, fact := range facts {
				s.Apply(fact, now)
			}
		}
		s.Missed(3)
		s.Calls(3)
		s.FailedSlips()
		s.Forecast(now)
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := queue.Restore(plan(), again); err != nil {
			t.Fatal(err)
		}
	})
}

// Programs before the hall had a clock of its own kept only times.
func TestRestoreOfAnEarlierProgramsDay(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("a", "A", "")
	b.after(time.Minute).take("b", "A", "")
	b.wantNext("1", "A001", line.Turn)
	b.must(queue.Pass{Window: "1"})
	var snap map[string]any
	if err := json.Unmarshal([]byte(b.dump()), &snap); err != nil {
		t.Fatal(err)
	}
	for _, one := range snap["tickets"].([]any) {
		for _, later := range []string{"came", "base", "home", "called_ms", "started_ms", "passed_ms"} {
			delete(one.(map[string]any), later)
		}
	}
	old, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	s, err := queue.Restore(plan(), old)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []hallsync.TicketID{"a", "b"} {
		want, _ := b.s.Ticket(id)
		if got, _ := s.Ticket(id); got.Base != want.Base || got.Came != want.Came || got.Home != want.Home || got.CalledMS != want.CalledMS ||
			got.PassedMS != want.PassedMS {
			t.Errorf("%s is %+v, was %+v", id, got, want)
		}
	}
}
