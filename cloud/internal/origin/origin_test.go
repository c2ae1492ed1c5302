package origin_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"halledge/cloud/internal/origin"
)

func TestNetworksAndBlocks(t *testing.T) {
	for remote, want := range map[string][2]string{
		"192.0.2.7":                {"192.0.2.7", "192.0.2.0/24"},
		"::ffff:192.0.2.7":         {"192.0.2.7", "192.0.2.0/24"},
		"2001:db8:1:7::1":          {"2001:db8:1:7::/64", "2001:db8:1::/48"},
		"2001:db8:1:7:ffff::2":     {"2001:db8:1:7::/64", "2001:db8:1::/48"},
		"2001:db8:1:8::1":          {"2001:db8:1:8::/64", "2001:db8:1::/48"},
		"fe80::1%eth0":             {"fe80::/64", "fe80::/48"},
		"":                         {"", ""},
		"somewhere":                {"somewhere", "somewhere"},
		"192.0.2.7:80":             {"192.0.2.7:80", "192.0.2.7:80"},
		"192.0.2.7, 198.51.100.10": {"192.0.2.7, 198.51.100.10", "192.0.2.7, 198.51.100.10"},
	} {
		network := origin.Network(remote)
		if got := [2]string{network, origin.Block(network)}; got != want {
			t.Errorf("%q: %q, want %q", remote, got, want)
		}
	}
}

func TestLimitIsByKeyAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := origin.NewLimit(time.Minute, 3, 100)
		for i := range 3 {
			if l.Spent("a") || !l.Allow("a") {
				t.Fatalf("refused at %d", i+1)
			}
		}
		if !l.Spent("a") || l.Allow("a") {
			t.Error("the fourth was let through")
		}
		if l.Spent("b") || !l.Allow("b") {
			t.Error("another key was refused")
		}
		time.Sleep(time.Minute)
		if !l.Allow("a") || l.Allow("a") {
			t.Error("not just one more after a minute")
		}
		l.Forgive("a")
		for i := range 3 {
			if !l.Allow("a") {
				t.Errorf("after being forgiven: refused at %d", i+1)
			}
		}
	})
}

// However many come, what is remembered stays small, and who has used up his share is remembered as long as there is room.
func TestLimitHasBoundedSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := origin.NewLimit(time.Hour, 1, 10)
		for i := range 9 {
			l.Allow(fmt.Sprint("spent", i))
		}
		time.Sleep(30 * time.Minute)
		l.Allow("later")
		time.Sleep(30 * time.Minute) // the first nine have recovered
		l.Allow("one more")
		if !l.Spent("later") {
			t.Error("who had not recovered was forgotten")
		}
		for i := range 1000 {
			l.Allow(fmt.Sprint(i))
		}
		known := 0
		for i := range 1000 {
			if l.Spent(fmt.Sprint(i)) {
				known++
			}
		}
		if known == 0 || known > 10 {
			t.Errorf("%d are remembered", known)
		}
	})
}
