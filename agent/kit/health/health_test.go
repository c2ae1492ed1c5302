package health_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/kit/health"
)

func codes(found []health.Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, string(f.Code)+" "+f.Subject)
	}
	return out
}

func expect(t *testing.T, tr *health.Tracker, want ...string) {
	t.Helper()
	if got := codes(tr.Visible(time.Now())); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func table() []health.Condition {
	return []health.Condition{
		{Code: "root", Severity: health.Error, Delay: 10 * time.Second},
		{Code: "middle", Severity: health.Warning, Causes: []health.Code{"root"}},
		{Code: "leaf", Severity: health.Info, Causes: []health.Code{"middle"}},
		{Code: "egg", Severity: health.Warning, Causes: []health.Code{"hen"}},
		{Code: "hen", Severity: health.Warning, Causes: []health.Code{"egg"}, Delay: time.Hour},
	}
}

func TestAConditionShowsAfterItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := health.NewTracker(table())
		start := time.Now()
		tr.Set("root", "p1", true, "no cable")
		time.Sleep(9 * time.Second)
		expect(t, tr)
		tr.Set("root", "p1", true, "still none") // saying it again does not start anew
		time.Sleep(time.Second)
		got := tr.Visible(time.Now())
		want := health.Finding{Code: "root", Subject: "p1", Severity: health.Error, Since: start, Detail: "still none"}
		if len(got) != 1 || got[0] != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		tr.Set("root", "p1", false, "")
		tr.Set("root", "p1", true, "") // a flicker starts anew
		expect(t, tr)
	})
}

func TestSymptomsHideBehindTheirShownCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := health.NewTracker(table())
		tr.Set("leaf", "a", true, "")
		tr.Set("leaf", "b", true, "")
		tr.Set("middle", "a", true, "")
		expect(t, tr, "middle a", "leaf b")
		tr.Set("root", "", true, "")
		expect(t, tr, "middle a", "leaf b") // the cause is not shown yet
		time.Sleep(10 * time.Second)
		expect(t, tr, "root ") // it explains every subject, and the leaf through the middle that is not there
		tr.Set("root", "", false, "")
		expect(t, tr, "middle a", "leaf b")
	})
}

func TestSymptomsHideBehindWhatTheyStandBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := health.NewTracker(health.Table())
		for _, pad := range []string{"window-1.pad", "window-2.pad"} {
			tr.Set(health.DeviceTimeout, pad, true, "")
			tr.Behind(pad, "/dev/ttyUSB0", "1-1")
		}
		tr.Set(health.DeviceOffline, "hall.led", true, "")
		tr.Set(health.BusDown, "/dev/ttyUSB0", true, "")
		tr.Behind("/dev/ttyUSB0", "1-1")
		time.Sleep(time.Minute)
		expect(t, tr, "bus_down /dev/ttyUSB0", "device_offline hall.led")
		tr.Set(health.HubGone, "1-1", true, "")
		time.Sleep(time.Second)
		expect(t, tr, "device_offline hall.led", "usb_hub_gone 1-1")
		tr.Set(health.HubGone, "1-1", false, "")
		tr.Behind("window-2.pad")
		expect(t, tr, "bus_down /dev/ttyUSB0", "device_offline hall.led", "device_timeout window-2.pad")
	})
}

func TestACircleInTheTableEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := health.NewTracker(table())
		tr.Set("egg", "", true, "")
		tr.Set("hen", "", true, "")
		expect(t, tr, "egg ")
	})
}

func TestOnlyKeepsOneState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := health.NewTracker(health.Table())
		tr.Only(health.DevicePaperOut, health.DeviceCodes(), "kiosk-1.printer", "")
		tr.Only(health.DeviceCutter, health.DeviceCodes(), "kiosk-1.printer", "")
		tr.Set(health.DeviceCutter, "kiosk-2.printer", true, "")
		expect(t, tr, "device_cutter kiosk-1.printer", "device_cutter kiosk-2.printer")
		tr.Only("", health.DeviceCodes(), "kiosk-1.printer", "")
		expect(t, tr, "device_cutter kiosk-2.printer")
	})
}

func TestUnknownCodesAreWarnings(t *testing.T) {
	tr := health.NewTracker(nil)
	tr.Set("new", "x", true, "")
	if got := tr.Visible(time.Now()); len(got) != 1 || got[0].Severity != health.Warning {
		t.Errorf("%+v", got)
	}
}

func TestTableIsSound(t *testing.T) {
	known := map[health.Code]bool{}
	for _, c := range health.Table() {
		if known[c.Code] {
			t.Errorf("%s twice", c.Code)
		}
		known[c.Code] = true
		if c.Severity != health.Info && c.Severity != health.Warning && c.Severity != health.Error {
			t.Errorf("%s has severity %q", c.Code, c.Severity)
		}
	}
	for _, c := range health.Table() {
		for _, cause := range c.Causes {
			if !known[cause] {
				t.Errorf("%s: cause %s is not in the table", c.Code, cause)
			}
		}
	}
	for _, c := range health.DeviceCodes() {
		if !known[c] {
			t.Errorf("%s is not in the table", c)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	tr := health.NewTracker(health.Table())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				tr.Set(health.DeviceCutter, string(rune('a'+i)), n%2 == 0, "")
				tr.Visible(time.Now())
			}
		})
	}
	wg.Wait()
	expect(t, tr)
}
