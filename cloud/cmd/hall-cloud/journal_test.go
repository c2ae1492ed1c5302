package main

import (
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/command"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// breaks notes something wrong with the chain of the hall, as when a fact comes, and gives how many faults the hall has an alarm of.
func breaks(t *testing.T, s site, seq ...hallsync.Seq) (alarms int64) {
	t.Helper()
	st, err := store.Open(t.Context(), s.path("cloud.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, n := range seq {
		err := st.Write(t.Context(), func(tx *store.Tx) error {
			cursors, err := tx.Cursors(sealedHall)
			if err != nil {
				return err
			}
			cursor := cursors[0]
			added, err := tx.AddChainFault(store.ChainFault{Hall: sealedHall, Epoch: "e", Seq: n, Kind: string(chain.Changed), At: time.Now()})
			if err != nil || !added {
				return err
			}
			cursor.Faults++
			return tx.PutCursor(cursor)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	cursors, err := st.Cursors(t.Context(), sealedHall)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cursors {
		alarms += c.Faults
	}
	return alarms
}

// An operator looks, finds out why, and says so: the alarm ends, what was found stays to be read, and the next break is an alarm again.
func TestChainFaultsAreAcknowledged(t *testing.T) {
	s := newSealedSite(t)
	hall := string(sealedHall)
	if n := breaks(t, s, 3, 4); n != 2 {
		t.Fatalf("%d alarms", n)
	}
	s.want(command.Failure, "收到时已发现（内容被改动）", "", "journal", "verify", "--hall", hall)
	s.want(command.Usage, "--reason", "", "journal", "acknowledge", hall)
	s.want(command.Usage, "没有大厅“440900000000009”的日志", "", "journal", "acknowledge", "440900000000009", "--reason", "换过设备")
	s.want(0, "确认了 2 处", "", "journal", "acknowledge", hall, "--reason", "换过设备")
	if n := breaks(t, s); n != 0 {
		t.Errorf("%d alarms are left", n)
	}
	s.want(0, "已确认：换过设备", "", "journal", "verify", "--hall", hall)
	s.want(0, "没有问题", "", "journal", "verify", "--audit")
	s.want(0, "确认了 0 处", "", "journal", "acknowledge", hall, "--reason", "再看一次")

	if n := breaks(t, s, 3, 5); n != 1 { // 3 is known already
		t.Errorf("%d alarms at the next break", n)
	}
	s.want(command.Failure, "序号 5：收到时已发现（内容被改动）\n", "", "journal", "verify", "--hall", hall)
}
