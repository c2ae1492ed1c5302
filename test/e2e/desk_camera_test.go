package e2e_test

import (
	"fmt"
	"testing"

	"halledge/test/demo"
)

// TestACodeBeforeTheDesksCamera holds codes before the camera of the desk, which is pulled in between.
func TestACodeBeforeTheDesksCamera(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	const camera = "desk-1.scanner"
	read := func() uint64 {
		t.Helper()
		var a struct {
			Devices []struct {
				Name     string
				Counters struct{ Jobs uint64 }
			}
		}
		d.Get(t, "staff", "/api/v1/devices").Into(t, &a)
		for _, dev := range a.Devices {
			if dev.Name == camera {
				return dev.Counters.Jobs
			}
		}
		t.Fatalf("there is no %s", camera)
		return 0
	}
	reads := func(payload string) {
		t.Helper()
		are(t, d, "ok", "", camera)
		before := read()
		d.Sim(t, "scan", "--camera", payload)
		demo.Until(t, demo.Patience, "the code", func() error {
			if n := read(); n != before+1 {
				return fmt.Errorf("%d codes, then %d", before, n)
			}
			return nil
		})
	}
	reads("YSS-SIM-0001")
	d.Sim(t, "unplug", camera)
	are(t, d, "offline", "offline", camera)
	d.Sim(t, "plug", camera)
	reads("YSS-SIM-0002")
}
