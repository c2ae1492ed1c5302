package main

import (
	"testing"

	"halledge/configs"
	"halledge/drivers/device"
	"halledge/drivers/registry"
)

// The demo shows every family of devices that can be played on a line. The rest needs the kernel of another machine, or a window more.
func TestEveryFamilyIsPlayed(t *testing.T) {
	models, err := registry.LoadModels(configs.FS())
	if err != nil {
		t.Fatal(err)
	}
	played := map[string]bool{}
	for _, d := range devices {
		m, known := models[registry.Key{Class: device.Class(d.class), Name: d.model}]
		if !known {
			t.Errorf("%s: no model %s", d.name, d.model)
		}
		played[m.Driver] = true
	}
	without := map[string]string{
		"keypad": "an input device", "keyscanner": "an input device", "raterkeys": "an input device", "soundcard": "a sound card",
		"sixbyte": "a second kind of pad that speaks up", "ub485": "a second kind of pad that speaks up",
		"raterbytes": "a second rating device", "rater21": "a second rating device",
	}
	for _, m := range models {
		if _, left := without[m.Driver]; left == played[m.Driver] {
			t.Errorf("%s %s: in the demo %v, left out %v", m.Class, m.Name, played[m.Driver], left)
		}
	}
}

// Whatever a device is connected by, its cable can be pulled and put back, and the agent's file says where it is.
func TestCables(t *testing.T) {
	s, err := newStation(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		where := s.connect(d.name)
		if err := s.unplug(d.name); err != nil {
			t.Error(err)
		}
		if err := s.plug(d.name); err != nil {
			t.Error(err)
		}
		if again := s.connect(d.name); again != where {
			t.Errorf("%s was at %s and is at %s", d.name, where, again)
		}
	}
	if s.connect("screen-1.led")[:6] != "{tcp: " || s.connect("hall.led")[:9] != "{serial: " {
		t.Errorf("at %s and %s", s.connect("screen-1.led"), s.connect("hall.led"))
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
