// Package drivertest gives the tests that every driver of a device class must pass, whatever its maker: late plug-in, unplugging in
// the middle of a job, garbage on the line, silence, a prompt end, no goroutine left behind, nothing private in the log.
package drivertest

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
)

// stopsWithin is how soon a device must be gone, or a call back, after its context ended: a second by contract, and another for a
// busy machine.
const stopsWithin = 2 * time.Second

// Harness is a driver under test and the hardware played for it.
type Harness struct {
	New     func(registry.Config) (device.Device, error)
	Options map[string]string // for New
	TCP     bool              // the hardware is on the network, not on a serial line
	Pipe    bool              // the hardware is at a printer port without a way back
	Far     farend.Serve      // plays the hardware; called for each plug-in (on TCP for each connection)
}

// Fresh makes a Harness of class type H with new hardware for each test.
type Fresh[H any] func(t *testing.T) H

// life runs the tests that concern every class. works proves that the device does its work now; it is called while the device is
// plugged in and OK.
func life(t *testing.T, fresh func(t *testing.T) (h Harness, works func(*rig))) {
	t.Run("is found when it is plugged in late", func(t *testing.T) {
		h, works := fresh(t)
		r := start(t, h)
		r.reaches(device.Offline)
		if code := r.device.Health().Code; code != device.CodeOffline {
			t.Errorf("an absent device has code %q, want offline", code)
		}
		r.plug()
		r.reaches(device.OK)
		works(r)
	})
	t.Run("comes back after each replug", func(t *testing.T) {
		h, works := fresh(t)
		r := start(t, h)
		for range 3 {
			r.plug()
			r.reaches(device.OK)
			works(r)
			r.unplug()
			r.reaches(device.Offline)
		}
		health := r.device.Health()
		if health.Counters.Opens < 3 || health.Counters.Failures < 3 || health.LastGood.IsZero() {
			t.Errorf("three lives gave the health %+v", health)
		}
	})
	t.Run("survives garbage", func(t *testing.T) {
		h, works := fresh(t)
		r := start(t, h)
		r.plug()
		r.reaches(device.OK)
		r.far.noise()
		r.settles(works)
	})
	t.Run("says that a silent device does not answer, and recovers", func(t *testing.T) {
		h, works := fresh(t)
		r := start(t, h)
		r.plug()
		r.reaches(device.OK)
		r.far.mute(true)
		r.unplug()
		r.plug() // it is there and says nothing: some devices are OK so, none may be stuck
		r.opens(2)
		r.far.mute(false)
		r.settles(works)
	})
	t.Run("ends at once while absent", func(t *testing.T) {
		h, _ := fresh(t)
		r := start(t, h)
		r.reaches(device.Offline)
		r.stop()
	})
	t.Run("ends at once while mute", func(t *testing.T) {
		h, _ := fresh(t)
		r := start(t, h)
		r.far.mute(true)
		r.plug()
		r.opens(1)
		r.stop()
	})
	t.Run("tests itself", func(t *testing.T) {
		h, _ := fresh(t)
		r := start(t, h)
		tester, ok := r.device.(device.SelfTester)
		if !ok {
			return // this class or model has nothing to show
		}
		r.reaches(device.Offline)
		r.fails(tester.SelfTest(t.Context()), device.CodeOffline)
		r.plug()
		r.reaches(device.OK)
		if err := tester.SelfTest(t.Context()); err != nil {
			t.Errorf("self-test: %v", err)
		}
	})
}

// Refuses proves that a device is not made with any one of these options, that the error names it, and that to try again is useless.
func Refuses(t *testing.T, make func(registry.Config) (device.Device, error), options map[string]string) {
	t.Helper()
	for key, value := range options {
		_, err := make(registry.Config{Name: "hall.device", Options: map[string]string{key: value}, Log: slog.New(slog.DiscardHandler)})
		var de *device.Error
		if !errors.As(err, &de) || de.Code != device.CodeBadConfig || de.Retry || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %s: %v", key, value, err)
		}
	}
}
