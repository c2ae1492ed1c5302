package agent

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

// The part that keeps that the numbers of other boxes were passed over does so when the hall knows what day it is, and not before.
func TestNumbersArePassedWhenTheDayIsKnown(t *testing.T) {
	centre := identitytest.NewCentre(t, identitytest.NewClock())
	centre.Do(func() { centre.Spoil = func(e *hallsync.Enrolled) { e.Before = 2 } })
	quiet := slog.New(slog.DiscardHandler)
	a := &Agent{log: quiet}
	a.identity, _ = identitytest.Box(t, centre, identity.Options{Log: quiet})
	var err error
	a.store, err = store.Open(t.TempDir(), store.Options{Hall: "440900000000001", Delivered: "cloud", Log: quiet, Before: a.identity.Before})
	if err != nil {
		t.Fatal(err)
	}
	var wall atomic.Int64 // Unix seconds
	clock := halltest.Clock(func() time.Time { return time.Unix(wall.Load(), 0) })
	a.hall, err = hall.New(a.store, &queue.Plan{Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A", Name: "综合业务"}}}, quiet, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.store.Close(); err != nil {
			t.Error(err)
		}
	})
	halltest.Run(t, a.store.Run)
	if err := a.passNumbers(t.Context()); err != nil || a.identity.Before() != 2 {
		t.Fatalf("%d thousands are to be passed over, %v", a.identity.Before(), err)
	}
	halltest.Run(t, a.goOnPassing)
	a.hall.Told(time.Now())
	facts, err := a.hall.Do(t.Context(), queue.Take{Ticket: "t", Queue: "A", Channel: hallsync.AtKiosk})
	if err != nil || facts[len(facts)-1].(hallsync.TicketTaken).Number != "A2001" {
		t.Errorf("got %v, %v", facts, err)
	}
	await.That(t, "it is kept", func() bool { return a.identity.Before() == 0 })
}
