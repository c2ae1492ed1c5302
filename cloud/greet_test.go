package cloud

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"halledge/cloud/internal/origin"
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
