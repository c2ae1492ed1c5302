//go:build vm

// Package vm gives tests of drivers against the kernel's real ones. They need a machine of their own, which `make vm` boots.
package vm

import (
	"log/slog"
	"testing"

	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
)

// build makes a device of a model that hall-agent knows, connected as a site would write it.
func build(t *testing.T, class device.Class, model string, connect registry.Connect, options map[string]string) device.Device {
	t.Helper()
	models, err := registry.LoadModels(configs.FS())
	if err != nil {
		t.Fatal(err)
	}
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
