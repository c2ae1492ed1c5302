package inputs

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"halledge/firmware-protocols/hallsync"
)

func TestAnIdentityIsUsedOnceAtItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		token := d.Recognised("kiosk-1", Person{Proof: hallsync.ProofIDCard})
		if _, ok := d.Reserve(token, "kiosk-2"); ok {
			t.Error("another place may use it")
		}
		if _, ok := d.Reserve("guess", "kiosk-1"); ok {
			t.Error("a guess is accepted")
		}
		person, ok := d.Reserve(token, "kiosk-1")
		if !ok || person.Proof != hallsync.ProofIDCard {
			t.Fatal(person, ok)
		}
		if _, ok := d.Reserve(token, "kiosk-1"); ok {
			t.Error("it is reserved twice")
		}
		d.Release(token)
		if _, ok := d.Reserve(token, "kiosk-1"); !ok {
			t.Error("released, but gone")
		}
		d.Spend(token)
		if _, ok := d.Reserve(token, "kiosk-1"); ok {
			t.Error("spent, but there")
		}
		old := d.Recognised("kiosk-1", Person{Proof: hallsync.ProofYSS})
		time.Sleep(Term)
		if _, ok := d.Reserve(old, "kiosk-1"); ok {
			t.Error("it outlives its term")
		}
	})
}

func TestTwoCommandsCannotShareAnIdentity(t *testing.T) {
	d := New()
	token := d.Recognised("kiosk-1", Person{Proof: hallsync.ProofIDCard})
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, ok := d.Reserve(token, "kiosk-1"); ok {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d commands reserved it", won.Load())
	}
}

func TestIdentitiesAreBounded(t *testing.T) {
	d := New()
	first := d.Recognised("kiosk-1", Person{Proof: hallsync.ProofIDCard})
	if _, ok := d.Reserve(first, "kiosk-1"); !ok {
		t.Fatal("not reserved")
	}
	for range maxIdentities + 50 {
		d.Recognised("kiosk-1", Person{Proof: hallsync.ProofIDCard})
	}
	if len(d.identities) > maxIdentities {
		t.Errorf("%d identities", len(d.identities))
	}
	if d.identities[first] == nil {
		t.Error("a reserved identity was thrown away")
	}
}

// next wants the next event of kiosk-1 after n and gives its number.
func next(t *testing.T, d *Desk, n uint64, kind string) uint64 {
	t.Helper()
	e, ok := d.Next("kiosk-1", n)
	if e.Kind != kind || ok != (kind != "") || ok && e.N <= n {
		t.Errorf("after %d comes %+v %v, want %q", n, e, ok, kind)
	}
	return e.N
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		begin := d.Now()
		dirty, cancel := d.Watch("kiosk-1")
		d.Publish("kiosk-2", Event{Kind: "idcard"})
		select {
		case <-dirty:
			t.Error("told about another place")
		default:
		}
		d.Publish("kiosk-1", Event{Kind: "idcard"})
		d.Publish("kiosk-1", Event{Kind: "ticket"}) // the channel is full; the reader looks anyway
		<-dirty
		n := next(t, d, begin, "ticket")
		if n != d.Now() {
			t.Errorf("the last event is %d, the counter %d", n, d.Now())
		}
		next(t, d, n, "")
		time.Sleep(Term)
		next(t, d, begin, "") // it is past its term
		cancel()
		if len(d.watchers) != 0 {
			t.Error("a watcher is left behind")
		}
	})
}

func TestTroubleIsRareShortAndPushesNothingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		begin := d.Now()
		dirty, cancel := d.Watch("kiosk-1")
		defer cancel()
		d.Publish("kiosk-1", Event{Kind: "idcard"})
		<-dirty
		for range 100 {
			d.Trouble("kiosk-1", Event{Kind: "unreadable"})
		}
		d.Trouble("kiosk-2", Event{Kind: "unreadable"}) // has a second of its own
		if told := d.Now() - begin; told != 3 {
			t.Errorf("%d events in a moment", told)
		}
		<-dirty
		n := next(t, d, begin, "idcard")
		n = next(t, d, n, "unreadable")
		next(t, d, n, "")
		time.Sleep(troubleGap)
		d.Trouble("kiosk-1", Event{Kind: "refused"})
		n = next(t, d, n, "refused")
		d.Publish("kiosk-1", Event{Kind: "ticket"})
		next(t, d, next(t, d, begin, "unreadable"), "refused") // in the order in which they came
		next(t, d, n, "ticket")
		time.Sleep(troubleTerm)
		next(t, d, begin, "ticket")
	})
}

// Noise neither pushes out nor hides that somebody's code was refused, and a refusal does not wait for noise.
func TestNoiseLeavesARefusalAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		begin := d.Now()
		d.Trouble("kiosk-1", Event{Kind: Unreadable})
		d.Trouble("kiosk-1", Event{Kind: "refused"}) // at once
		d.Trouble("kiosk-1", Event{Kind: "refused"}) // is said already
		n := next(t, d, begin, Unreadable)
		n = next(t, d, n, "refused")
		next(t, d, n, "")
		for range 4 { // noise while it is being read
			time.Sleep(troubleGap)
			d.Trouble("kiosk-1", Event{Kind: Unreadable})
			next(t, d, n, "")
		}
		d.Trouble("kiosk-1", Event{Kind: "idcard_no"}) // an answer, too
		n = next(t, d, n, "idcard_no")
		time.Sleep(readTime)
		d.Trouble("kiosk-1", Event{Kind: Unreadable})
		d.Publish("kiosk-1", Event{Kind: "idcard"})
		n = next(t, d, n, Unreadable)
		n = next(t, d, n, "idcard")
		next(t, d, n, "")
		next(t, d, begin, "idcard_no") // the page that was away finds it before the noise
	})
}

func TestAPageThatPollsIsThereBetweenTwoPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		if d.Watched("rate-1") {
			t.Error("nobody was ever there")
		}
		_, cancel := d.Watch("rate-1")
		time.Sleep(time.Hour)
		if !d.Watched("rate-1") || d.Watched("rate-2") {
			t.Error("who watches is there, and nobody else")
		}
		cancel()
		time.Sleep(pollGap - 1)
		if !d.Watched("rate-1") {
			t.Error("it will be back in a moment")
		}
		time.Sleep(time.Nanosecond)
		if d.Watched("rate-1") {
			t.Error("it did not come back")
		}
	})
}
