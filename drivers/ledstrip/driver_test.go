package ledstrip

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/ledtemplate"
	"halledge/firmware-protocols/modbus"
)

func TestConformance(t *testing.T) {
	harness := func(build func(registry.Config) (device.Device, error), options map[string]string, tcp bool, far strip) drivertest.ScreenHarness {
		return drivertest.ScreenHarness{
			Harness: drivertest.Harness{New: build, Options: options, TCP: tcp, Far: far.serve}, Shown: far.lines, Blank: far.blank,
		}
	}
	const template = "40 {address} {row} {text} 0D"
	t.Run("template, mute", func(t *testing.T) {
		drivertest.Screen(t, func(t *testing.T) drivertest.ScreenHarness {
			h := harness(New, templateOptions(nil), false, newSheet(t, template, 1, ""))
			h.Mute = true
			return h
		})
	})
	t.Run("template, answers, tcp", func(t *testing.T) {
		drivertest.Screen(t, func(t *testing.T) drivertest.ScreenHarness {
			return harness(New, templateOptions(map[string]string{"reply": "06"}), true, newSheet(t, template, 1, "\x06"))
		})
	})
	t.Run("modbus", func(t *testing.T) {
		drivertest.Screen(t, func(t *testing.T) drivertest.ScreenHarness {
			return harness(NewModbus, modbusOptions(nil), false, newUnit())
		})
	})
}

func TestColoursAndFlashOfATemplate(t *testing.T) {
	t.Parallel()
	const template = "AA {address:dec2} {row} {colour} {flash} {length} {text} {sum}"
	far := newSheet(t, template, 12, "")
	s := start(t, far, New, templateOptions(map[string]string{
		"template": template, "address": "12", "colour_values": "red=0x31 green=0x32", "colour": "green", "colours": "calling=red",
		"flash_values": "on=1 off=0", "flash_for": "1s",
	}))
	call := device.Frame{Scene: device.SceneCalling, Lines: []string{"请A002号"}, More: []string{"A001到1号窗口"}, Flash: true}
	if err := s.Show(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	drivertest.Until(t, "a flash", func() bool { return far.row(1).Flash == "\x01" && far.row(2).Text == "A001到1号窗口" })
	first, second := far.row(1), far.row(2)
	if first.Colour != "\x31" || second.Colour != "\x32" || second.Flash != "\x00" {
		t.Errorf("rows %+v and %+v", first, second)
	}
	drivertest.Until(t, "its end", func() bool { return far.row(1).Flash == "\x00" && far.row(1).Text == "请A002号" })
}

func TestStripThatCannotFlashBlinks(t *testing.T) {
	t.Parallel()
	far := newSheet(t, "40 {address} {text} 0D", 1, "")
	s := start(t, far, New, templateOptions(map[string]string{"template": "40 {address} {text} 0D", "rows": "1", "flash_for": "1s", "refresh": "1m"}))
	if err := s.Show(t.Context(), device.Frame{Lines: []string{"A001"}, Flash: true}); err != nil {
		t.Fatal(err)
	}
	drivertest.Until(t, "a dark moment", func() bool { return len(far.lines()) == 0 })
	shows(t, far, "A001")
}

func TestAnswerThatIsMissingOnce(t *testing.T) {
	t.Parallel()
	far := newSheet(t, "40 {address} {row} {text} 0D", 1, "OK\r")
	s := start(t, far, New, templateOptions(map[string]string{"reply": "4F 4B 0D"}))
	far.mu.Lock()
	far.lost = 2
	far.mu.Unlock()
	if err := s.Show(t.Context(), device.Frame{Lines: []string{"A001"}}); err != nil {
		t.Fatal(err)
	}
	shows(t, far, "A001")
	if h := s.Health(); h.State != device.OK || h.Blind || h.Counters.Failures != 0 {
		t.Errorf("health %+v", h)
	}
}

func TestModbusRegisters(t *testing.T) {
	t.Parallel()
	far := newUnit()
	s := start(t, far, NewModbus, modbusOptions(map[string]string{
		"colour_at": "0x110", "colour_values": "red=1 green=2", "colour": "green", "colours": "paused=red",
		"flash_at": "0x111", "flash_values": "on=1 off=0", "flash_for": "1s",
	}))
	show := func(f device.Frame) {
		t.Helper()
		if err := s.Show(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	at := func(register int) (v uint16) {
		far.with(func(u *unit) { v = u.shown[register] })
		return v
	}
	show(device.Frame{Scene: device.ScenePaused, Lines: []string{"暂停服务"}})
	if shows(t, far, "暂停服务"); at(unitColour) != 1 || at(unitFlash) != 0 || at(unitText) != 0xD4DD {
		t.Errorf("colour %d, flash %d, text %04X", at(unitColour), at(unitFlash), at(unitText))
	}
	show(device.Frame{Scene: device.SceneCalling, Lines: []string{"请A001号"}, Flash: true})
	if at(unitColour) != 2 || at(unitFlash) != 1 {
		t.Errorf("colour %d, flash %d", at(unitColour), at(unitFlash))
	}
	drivertest.Until(t, "the flash to end", func() bool { return at(unitFlash) == 0 })

	far.with(func(u *unit) { u.lost = 2 })
	show(device.Frame{Lines: []string{"A002"}})
	shows(t, far, "A002")
}

func TestWordsOfRegisters(t *testing.T) {
	for _, c := range []struct {
		r    registers
		text string
		want []uint16
	}{
		{registers{set: ledtemplate.GB2312, count: 4}, "A1号", []uint16{0x4131, 0xBAC5, 0, 0}},
		{registers{set: ledtemplate.GB2312, count: 2, low: true, pad: ' '}, "A1", []uint16{0x3141, 0x2020}},
		{registers{set: ledtemplate.GB2312, count: 2}, "A号号", []uint16{0x41BA, 0xC500}}, // half a character is none
	} {
		if got := c.r.words(c.text); len(got) != len(c.want) || !equal(got, c.want) {
			t.Errorf("%q: %04X, want %04X", c.text, got, c.want)
		}
	}
}

func equal(a, b []uint16) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A strip that refuses what it is told is there: it is told again, and the line is not opened anew.
func TestStripThatRefuses(t *testing.T) {
	t.Parallel()
	far := newUnit()
	far.unread = true
	s := start(t, far, NewModbus, modbusOptions(nil))
	for _, refusal := range []modbus.Exception{modbus.IllegalAddress, modbus.DeviceBusy} {
		far.with(func(u *unit) { u.refuses = refusal })
		var failed *device.Error
		if err := s.Show(t.Context(), device.Frame{Lines: []string{"A001"}}); !errors.As(err, &failed) || failed.Code != device.CodeBadReply {
			t.Fatalf("%v: got %v", refusal, err)
		}
		if h := s.Health(); h.State != device.Degraded || h.Code != device.CodeBadReply || h.Detail != refusal.Error() {
			t.Errorf("%v: health %+v", refusal, h)
		}
	}
	far.with(func(u *unit) { u.refuses = modbus.NoException })
	shows(t, far, "A001")
	if h := s.Health(); h.Counters.Failures != 0 {
		t.Errorf("health %+v", h)
	}
}

func TestTextThatHasNoRoom(t *testing.T) {
	t.Parallel()
	far := newSheet(t, "40 {address} {length} {text}", 1, "")
	s := start(t, far, New, templateOptions(map[string]string{"template": "40 {address} {length} {text}", "rows": "1", "cells": "128", "long": "runs"}))
	var failed *device.Error
	if err := s.Show(t.Context(), device.Frame{Lines: []string{strings.Repeat("长", 200)}}); !errors.As(err, &failed) || failed.Code != device.CodeUnsupported {
		t.Errorf("got %v", err)
	}
}

func TestOptions(t *testing.T) {
	for name, c := range map[string]struct {
		modbus bool
		key    string
		more   map[string]string
	}{
		"no template":        {false, "template", map[string]string{"template": "-"}},
		"bad template":       {false, "template", map[string]string{"template": "{text}"}},
		"address too large":  {false, "template", map[string]string{"address": "256"}},
		"rows without field": {false, "rows", map[string]string{"template": "40 {text} 0D"}},
		"field without rows": {false, "rows", map[string]string{"rows": "1"}},
		"colour has no word": {false, "colour_values", map[string]string{"template": "40 {row} {colour} {text} 0D"}},
		"words for nothing":  {false, "colour_values", map[string]string{"colour_values": "red=1", "colour": "red"}},
		"no such colour":     {false, "colour", map[string]string{"colour": "pink"}},
		"bad number":         {false, "colour_values", map[string]string{"colour_values": "red=70000"}},
		"twice":              {false, "colour_values", map[string]string{"colour_values": "red=1 red=2"}},
		"flash by itself":    {false, "flash", map[string]string{"flash": "strip"}},
		"half a flash":       {false, "flash_values", map[string]string{"flash_values": "on=1"}},
		"scene":              {false, "colours", map[string]string{"colours": "calling=red"}},
		"charset":            {false, "charset", map[string]string{"charset": "big5"}},
		"colour nowhere":     {true, "colour_values", map[string]string{"colour_values": "red=1", "colour": "red"}},
		"flash nowhere":      {true, "flash_values", map[string]string{"flash_values": "on=1 off=0"}},
		"behind the end":     {true, "text_at", map[string]string{"text_at": "0xFFF8"}},
		"of the other kind":  {true, "template", map[string]string{"template": "40 {text} 0D"}},
	} {
		build, options := New, templateOptions(c.more)
		if c.modbus {
			build, options = NewModbus, modbusOptions(c.more)
		}
		_, err := build(registry.Config{Name: "window-1.led", Options: options, Log: slog.New(slog.DiscardHandler)})
		var de *device.Error
		if !errors.As(err, &de) || de.Code != device.CodeBadConfig || !strings.Contains(err.Error(), "option "+c.key) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
