package cloud

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// A hall that said hello too often is greeted when its time has come, once, and without a further hello.
func TestWhoHadToWaitIsGreeted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hall = hallsync.HallID("440900000000001")
		greeted := 0
		u := &uplink{
			publish: func(hallsync.HallID, string, []byte) error { return nil }, log: slog.New(slog.DiscardHandler),
			orders:  func(context.Context, hallsync.HallID) ([][]byte, error) { return nil, nil },
			notices: func(context.Context, hallsync.HallID) error { greeted++; return nil },
			hellos:  origin.NewLimit(time.Minute, 1, 1), owed: map[hallsync.HallID]bool{},
		}
		if !u.hellos.Allow(string(hall)) {
			t.Fatal("the first hello has to wait")
		}
		u.owe(hall)
		u.catchUp(t.Context())
		if greeted != 0 {
			t.Error("greeted before its time")
		}
		time.Sleep(time.Minute)
		u.catchUp(t.Context())
		u.catchUp(t.Context())
		if greeted != 1 {
			t.Errorf("greeted %d times", greeted)
		}
	})
}

// An order goes once to a hall that is there. A hall that cannot be told keeps no other waiting, and is tried again.
func TestOrdersGoOnce(t *testing.T) {
	const good, bad, away = hallsync.HallID("440900000000001"), hallsync.HallID("440900000000002"), hallsync.HallID("440900000000003")
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	log := slog.New(slog.DiscardHandler)
	board, err := halls.New(t.Context(), halls.Options{Store: st, Log: log, Halls: []halls.Hall{{ID: good}, {ID: bad}, {ID: away}}})
	if err != nil {
		t.Fatal(err)
	}
	board.Connected(good)
	board.Connected(bad)
	err = st.Write(t.Context(), func(tx *store.Tx) error {
		var errs []error
		for _, hall := range []hallsync.HallID{good, bad, away} {
			errs = append(errs, tx.PutErasure(store.Erasure{ID: "of " + string(hall), Hall: hall, Kind: store.ErasePerson, Made: time.Now()}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no key")
	var told []hallsync.HallID
	c := &Cloud{store: st, board: board, uplink: &uplink{
		publish: func(hall hallsync.HallID, _ string, _ []byte) error { told = append(told, hall); return nil }, log: log,
		orders: func(_ context.Context, hall hallsync.HallID) ([][]byte, error) {
			if hall == bad && broken != nil {
				return nil, broken
			}
			return [][]byte{nil}, nil
		},
	}}
	known, err := c.tellOrders(t.Context(), nil)
	if !errors.Is(err, broken) || !slices.Equal(told, []hallsync.HallID{good}) {
		t.Fatalf("told %v, %v", told, err)
	}
	broken = nil
	for range 2 {
		if known, err = c.tellOrders(t.Context(), known); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(told, []hallsync.HallID{good, bad}) {
		t.Errorf("told %v", told)
	}
}
