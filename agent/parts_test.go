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
		want        string // empty: nothing
	}{
		{"offline", "timeout", settled, "offline timeout"},
		{"ok", "", settled, "ok "},
		{"offline", "timeout", settled - 1, ""},
		{"starting", "", time.Hour, ""},
		{"degraded", "paper_low", time.Hour, "degraded paper_low"},
		{"degraded", "noise", settled - 1, ""},
		{"degraded", "noise", settled, "ok "}, // it is there again, which the log may not know yet
		{"degraded", "cards_unread", settled, "ok "},
		{"degraded", "unclear", settled, "ok "},
		{"offline", "no_picture", settled, "offline no_picture"},
	} {
		d := hallsync.DeviceStatus{Name: "kiosk-1.scanner", Class: "scanner", State: c.state, Code: c.code, Since: now.Add(-c.lasted)}
		fact, lasts := lasting(d, now)
		got := ""
		if lasts {
			got = fact.State + " " + fact.Code
		}
		if got != c.want || lasts && (fact.Device != d.Name || fact.Class != d.Class) {
			t.Errorf("%s %s for %s: %+v, %v", c.state, c.code, c.lasted, fact, lasts)
		}
	}
}
