//go:build vm

// Package vm gives tests of drivers against the kernel's real ones. They need a machine of their own, which `make vm` boots.
package vm

import (
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
)

// build makes a device of a model that hall-agent knows, connected as a site would write it.
func build(t *testing.T, class device.Class, model string, connect registry.Connect, options map[string]string) device.Device {
	t.Helper()
	models := drivertest.Models(t, configs.FS())
	m, ok := models[registry.Key{Class: class, Name: model}]
	if !ok {
		t.Fatalf("no model %s", model)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	d, err := builtin.All().Build(m, registry.Site{Name: model, Connect: connect, Options: options}, log)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// start makes a device and runs it until the test ends.
func start(t *testing.T, class device.Class, model string, connect registry.Connect, options map[string]string) device.Device {
	t.Helper()
	d := build(t, class, model, connect, options)
	drivertest.Run(t, d)
	return d
}

// away waits until a device that was pulled out is seen to be gone, and gives the time. If it is for long, it waits until the device
// was tried so often in vain that the next attempt is 10 s off: only somebody who is told that it is there again opens it sooner.
func away(t *testing.T, d device.Device, long bool) time.Time {
	t.Helper()
	drivertest.Reaches(t, d, device.Offline, device.CodeOffline)
	if long {
		const attempts = 4 // after 0.5, 1, 2 and 5 s
		gone := d.Health().Counters.Failures
		drivertest.Until(t, "attempts in vain", func() bool { return d.Health().Counters.Failures >= gone+attempts })
	}
	return time.Now()
}

// back checks that a device that was plugged in again at a time works by now, as soon as a hall was promised.
func back(t *testing.T, plugged time.Time) {
	t.Helper()
	const promised = 2 * time.Second
	took := time.Since(plugged)
	if took > promised {
		t.Errorf("works again after %v, want %v", took, promised)
	}
	t.Logf("works %v after it was plugged in again", took.Round(time.Millisecond))
}

func ioctl(fd, request, arg uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, arg); errno != 0 {
		return errno
	}
	return nil
}
