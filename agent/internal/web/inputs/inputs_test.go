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
		token := d.Recognised("kiosk-1", hallsync.ProofIDCard)
		if _, ok := d.Reserve(token, "kiosk-2"); ok {
			t.Error("another place may use it")
		}
		if _, ok := d.Reserve("guess", "kiosk-1"); ok {
			t.Error("a guess is accepted")
		}
		proof, ok := d.Reserve(token, "kiosk-1")
		if !ok || proof != hallsync.ProofIDCard {
			t.Fatal(proof, ok)
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
		old := d.Recognised("kiosk-1", hallsync.ProofYSS)
		time.Sleep(Term)
		if _, ok := d.Reserve(old, "kiosk-1"); ok {
			t.Error("it outlives its term")
		}
	})
}

func TestTwoCommandsCannotShareAnIdentity(t *testing.T) {
	d := New()
	token := d.Recognised("kiosk-1", hallsync.ProofIDCard)
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
	first := d.Recognised("kiosk-1", hallsync.ProofIDCard)
	if _, ok := d.Reserve(first, "kiosk-1"); !ok {
		t.Fatal("not reserved")
	}
	for range maxIdentities + 50 {
		d.Recognised("kiosk-1", hallsync.ProofIDCard)
	}
	if len(d.identities) > maxIdentities {
		t.Errorf("%d identities", len(d.identities))
	}
	if d.identities[first] == nil {
		t.Error("a reserved identity was thrown away")
	}
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
		e, ok := d.Latest("kiosk-1", begin)
		if !ok || e.Kind != "ticket" || e.N != d.Now() {
			t.Errorf("%+v %v", e, ok)
		}
		if _, ok := d.Latest("kiosk-1", e.N); ok {
			t.Error("seen already")
		}
		time.Sleep(Term)
		if _, ok := d.Latest("kiosk-1", begin); ok {
			t.Error("an event outlives its term")
		}
		cancel()
		if len(d.watchers) != 0 {
			t.Error("a watcher is left behind")
		}
	})
}
