package devices_test

import (
	"io"
	"path/filepath"
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/hallsync"
)

// Whoever tests a rating device answers its question; one that is gone says so at once.
func TestRatingDeviceIsTestedByAnAnswer(t *testing.T) {
	all := drivertest.Models(t, configs.FS())
	line := farend.NewPTY(filepath.Join(t.TempDir(), "rater"), func(rw io.ReadWriter) {
		farend.Converse(rw, func([]byte) []byte { return []byte("1") }) // a finger that answers whatever is asked
	})
	o := options(t, nil, config.Device{
		Name: "window-1.rater", Model: "serial-rater", Connect: config.Connect{Serial: line.Path()}, Options: map[string]string{"ask": "05"},
	})
	o.Models, o.Registry = all, builtin.All()
	s := devices.New(o)
	t.Cleanup(func() { // after the end of Run
		if err := line.Unplug(); err != nil {
			t.Error(err)
		}
	})
	run(t, s)
	state := func(want string) {
		t.Helper()
		until(t, s, want, func(all []hallsync.DeviceStatus) bool { return all[0].State == want })
	}
	state("offline")
	if err := s.SelfTest(t.Context(), "window-1.rater"); codeOf(err) != device.CodeOffline {
		t.Errorf("before it came: %v", err)
	}
	if err := line.Plug(); err != nil {
		t.Fatal(err)
	}
	state("ok")
	if err := s.SelfTest(t.Context(), "window-1.rater"); err != nil {
		t.Errorf("with an answer: %v", err)
	}
}
