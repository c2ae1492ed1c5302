package queue_test

import (
	"fmt"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// served gives a hall with one open window of queue A, where so many people were served who took so long each.
func served(t *testing.T, n int, each time.Duration) *bench {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	for i := range n {
		b.take(fmt.Sprint("s", i), "A", "")
		b.must(queue.CallNext{Window: "1"})
		b.after(each).must(queue.Finish{Window: "1"})
	}
	return b
}

// wantWait checks what somebody who waits is told, in minutes.
func (b *bench) wantWait(id hallsync.TicketID, low, high int) {
	b.t.Helper()
	got := b.s.Forecast(b.now).Tickets[id]
	if want := (hallsync.WaitRange{LowS: low * 60, HighS: high * 60}); got == nil || *got != want {
		b.t.Errorf("%s is told %+v, want %+v", id, got, want)
	}
}

func TestWaitsAreRangesInStepsOfFiveMinutes(t *testing.T) {
	b := served(t, 5, 7*time.Minute) // always 7: the range is as narrow as the steps
	for i := range 3 {
		b.take(fmt.Sprint("w", i), "A", "")
	}
	b.wantWait("w0", 0, 5)
	b.wantWait("w1", 5, 10)
	b.wantWait("w2", 10, 15)

	b = newBench(t)
	b.must(queue.Open{Window: "1"})
	for i, minutes := range []int{4, 4, 7, 7, 7, 7, 7, 7, 20, 20} { // one of five takes 20 at least
		b.take(fmt.Sprint("s", i), "A", "")
		b.must(queue.CallNext{Window: "1"})
		b.after(time.Duration(minutes) * time.Minute).must(queue.Finish{Window: "1"})
	}
	b.take("first", "A", "")
	b.take("second", "A", "")
	b.wantWait("first", 0, 5)
	b.wantWait("second", 5, 25) // 7, and 20 for one of five, and the doubt about ten services
}

func TestWhoIsServedAlreadyIsHalfDone(t *testing.T) {
	b := served(t, 5, 20*time.Minute)
	b.take("now", "A", "")
	b.take("next", "A", "")
	b.must(queue.CallNext{Window: "1"})
	b.wantWait("next", 20, 20)
	b.after(10 * time.Minute)
	b.wantWait("next", 10, 10)
	b.after(time.Hour) // it takes longer than usual: a quarter of the usual is still expected
	b.wantWait("next", 5, 5)
}

func TestWaitsCountWindowsThatWork(t *testing.T) {
	b := served(t, 5, 10*time.Minute)
	for i := range 4 {
		b.take(fmt.Sprint("w", i), "A", "")
	}
	b.wantWait("w3", 30, 30)
	b.must(queue.Open{Window: "2"})
	b.wantWait("w3", 10, 10)
	b.must(queue.Pause{Window: "2", Reason: "就餐"})
	b.wantWait("w3", 30, 30)
	b.must(queue.Unpause{Window: "2"})
	b.must(queue.Open{Window: "3"}) // which does not serve the queue
	b.wantWait("w3", 10, 10)
}

func TestMorningsAreJudgedByTheSameHourOfTheLastWeek(t *testing.T) {
	b := served(t, 5, 5*time.Minute) // on a Monday at nine
	for day, known := range map[int]bool{1: false, 7: true} {
		later := &bench{t: t, s: restored(t, plan(), b.s), now: start.AddDate(0, 0, day)}
		later.must(queue.TurnDay{})
		later.must(queue.Open{Window: "1"})
		if got := later.s.Forecast(later.now).Next["A"]; (got != nil) != known {
			t.Errorf("after %d days the wait is %+v", day, got)
		}
	}
}

func TestErrorOfWaitsIsCounted(t *testing.T) {
	b := served(t, 5, 10*time.Minute)
	for i := range 3 {
		b.take(fmt.Sprint("w", i), "A", "")
	}
	if a := b.s.Accuracy("A"); a.Samples != 0 {
		t.Errorf("before anything was expected: %+v", a)
	}
	b.must(queue.CallNext{Window: "1"}) // nothing was expected of the first: it is no sample
	b.after(16 * time.Minute).must(queue.CallNext{Window: "1"})
	if a := b.s.Accuracy("A"); a.ReplayS != 6*60 || a.HeadS != 16*60 || a.Samples != 1 {
		t.Errorf("10 minutes were expected, 0 by the first in line, and it was 16: %+v", a)
	}
	b.must(queue.TurnDay{})
	b.s = restored(t, plan(), b.s)
	if a := b.s.Accuracy("A"); a.Samples != 1 {
		t.Errorf("a restart forgets: %+v", a)
	}
}

// What staff do to the order is no fault of the estimate.
func TestErrorOfWaitsIsOfTheOrderAlone(t *testing.T) {
	for name, meddle := range map[string]func(b *bench){
		"named": func(b *bench) {
			b.must(queue.CallTicket{Window: "1", Ticket: "w", Reason: "出示小票"})
			b.must(queue.Pass{Window: "1"})
			b.must(queue.Requeue{Ticket: "w"})
		},
		"transferred": func(b *bench) {
			b.must(queue.Transfer{Window: "1", Ticket: "w", ToQueue: "A", Position: hallsync.AtEnd, Reason: "还在填表"})
		},
		"granted": func(b *bench) { b.must(queue.SetClass{Ticket: "w", Class: hallsync.Priority, Reason: "现役军人"}) },
	} {
		b := served(t, 5, 10*time.Minute)
		b.take("v", "A", "")
		b.take("w", "A", "")
		if b.ticket("w").Expect.ReplayS == 0 {
			t.Fatalf("%s: nothing is expected", name)
		}
		meddle(b)
		for range 3 {
			b.after(time.Hour)
			b.must(queue.CallNext{Window: "1"})
		}
		if b.ticket("w").Calls == 0 || b.s.Accuracy("A").Samples != 0 {
			t.Errorf("%s: %+v", name, b.s.Accuracy("A"))
		}
	}
}

// disappoint lets a window lie idle, open, while people wait: no replay knows that, but who is first in line does.
func disappoint(b *bench, people int) {
	for i := range people {
		b.take(fmt.Sprint("d", i), "A", "")
		b.after(10 * time.Minute)
		if i >= 3 { // four always wait, forty minutes each
			b.must(queue.CallNext{Window: "1"})
			b.must(queue.Finish{Window: "1"})
		}
	}
}

func TestWhereTheReplayIsWorseTheFirstInLineTellsTheWait(t *testing.T) {
	b := served(t, 20, time.Minute)
	disappoint(b, 13)
	if a := b.s.Accuracy("A"); a.Head || a.Samples != 9 || a.HeadS >= a.ReplayS {
		t.Fatalf("too soon to tell: %+v", a)
	}
	b.must(queue.CallNext{Window: "1"})
	b.must(queue.Finish{Window: "1"})
	if a := b.s.Accuracy("A"); !a.Head || a.Samples != 10 {
		t.Fatalf("%+v", a)
	}
	// Who waits longest has waited for 20 minutes: that long waits whoever comes now, and the others what is left of it.
	b.wantWait("d11", 0, 5)
	b.wantWait("d12", 10, 15)
	b.take("now", "A", "")
	b.wantWait("now", 20, 25)
	// As soon as people are called as they should be, the replay is trusted again, over the last fifty.
	for range 3 {
		b.must(queue.CallNext{Window: "1"})
		b.must(queue.Finish{Window: "1"})
	}
	for i := range 12 {
		for n := range 6 { // together, so the first in line has not waited yet
			b.take(fmt.Sprint("e", i, n), "A", "")
		}
		for range 6 {
			b.must(queue.CallNext{Window: "1"})
			b.after(time.Minute).must(queue.Finish{Window: "1"})
		}
	}
	if a := b.s.Accuracy("A"); a.Head || a.Samples != 50 || a.ReplayS > 30 || a.HeadS < 60 {
		t.Errorf("%+v", a)
	}
}
