package agent

import (
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

func TestOnlyWhatLastsAndIsTheDevicesOwnIsNoted(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		state, code string
		lasted      time.Duration
		want        bool
	}{
		{"offline", "timeout", settled, true},
		{"ok", "", settled, true},
		{"offline", "timeout", settled - 1, false},
		{"starting", "", time.Hour, false},
		{"degraded", "paper_low", time.Hour, true},
		{"degraded", "noise", time.Hour, false},
		{"degraded", "cards_unread", time.Hour, false},
	} {
		d := hallsync.DeviceStatus{Name: "kiosk-1.scanner", State: c.state, Code: c.code, Since: now.Add(-c.lasted)}
		if got := worthNoting(d, now); got != c.want {
			t.Errorf("%s %s for %s: %v", c.state, c.code, c.lasted, got)
		}
	}
}
