package devices_test

import (
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/internal/web/inputs"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// A page stands beside the hardware as soon as it was open once: with its name, its health and what to do.
func TestPagesStandBesideTheHardware(t *testing.T) {
	s := devices.New(options(t, stage(), at("hall.led", "stage", "/dev/a")))
	screen := inputs.New().Screen("screen-1")
	s.Add(devices.Page{Name: "screen-1.page", Title: "等候区大屏", Place: config.Place{Kind: "screen", ID: "1"}, Screen: screen})
	run(t, s)
	until(t, s, "the panel", func(all []hallsync.DeviceStatus) bool { return all[0].State == "ok" })
	if all := s.Statuses(); len(all) != 1 {
		t.Errorf("a page that was never open: %+v", all)
	}
	if all := s.Screens(); len(all) != 2 || all[1].Name != "screen-1.page" || all[1].Place.ID != "1" {
		t.Fatalf("screens %+v", all)
	}
	if err := s.Screens()[1].Device.Show(t.Context(), device.Frame{}); codeOf(err) != device.CodePageGone {
		t.Errorf("a frame for nobody: %v", err)
	}
	defer screen.Open()()
	until(t, s, "the page", func(all []hallsync.DeviceStatus) bool { return len(all) == 2 && all[1].State == "ok" })
	st, more := s.Statuses()[1], s.Details()["screen-1.page"]
	if st.Class != "screen" || st.Model != "browser" || st.Advice != "" || more.Title != "等候区大屏" || more.Where != "/screen/1" || more.Node != "" {
		t.Errorf("%+v, %+v", st, more)
	}
	if err := s.Screens()[1].Device.Show(t.Context(), device.Frame{Scene: device.SceneWaiting}); err != nil {
		t.Error(err)
	}
}
