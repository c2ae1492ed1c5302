package ledstrip

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/ledtemplate"
	"halledge/firmware-protocols/modbus"
)

// strip is a strip as the far end of a line.
type strip interface {
	serve(rw io.ReadWriter)
	lines() []string
	blank()
}

// sheet is a strip whose maker has a sheet of paper.
type sheet struct {
	template *ledtemplate.Template
	address  int
	reply    string

	mu   sync.Mutex
	rows map[int]ledtemplate.Message
	got  []ledtemplate.Message
	lost int // frames to leave unanswered
}

func newSheet(t testing.TB, template string, address int, reply string) *sheet {
	t.Helper()
	p, err := ledtemplate.Parse(template, ledtemplate.GB2312)
	if err != nil {
		t.Fatal(err)
	}
	return &sheet{template: p, address: address, reply: reply, rows: map[int]ledtemplate.Message{}}
}

func (s *sheet) serve(rw io.ReadWriter) {
	farend.Answer(rw, ledtemplate.NewDecoder(s.template), func(m ledtemplate.Message) []byte {
		if s.take(m) {
			return []byte(s.reply)
		}
		return nil
	})
}

func (s *sheet) take(m ledtemplate.Message) (answers bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Address != s.address {
		return false
	}
	if s.lost > 0 {
		s.lost--
		return false
	}
	s.rows[m.Row] = m
	s.got = append(s.got, m)
	return true
}

func (s *sheet) lines() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range slices.Sorted(maps.Keys(s.rows)) {
		if text := s.rows[row].Text; text != "" {
			out = append(out, text)
		}
	}
	return out
}

func (s *sheet) row(n int) ledtemplate.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[n]
}

func (s *sheet) blank() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.rows)
}

// unit is a strip with Modbus registers: two rows from 0x100 with the text, which are shown when 0x120 is written.
type unit struct {
	address byte
	words   int // registers of a row

	mu       sync.Mutex
	memory   [0x200]uint16
	shown    [0x200]uint16
	refuses  modbus.Exception // given to every write
	unread   bool             // its registers cannot be read
	lost     int
	requests int
}

const (
	unitText   = 0x100
	unitColour = 0x110
	unitFlash  = 0x111
	unitShow   = 0x120
)

func newUnit() *unit { return &unit{address: 3, words: 8} }

func (u *unit) serve(rw io.ReadWriter) {
	farend.Answer(rw, modbus.NewRequestDecoder(u.address), func(q modbus.Request) (out []byte) {
		if a, ok := u.answer(q); ok {
			out, _ = a.Append(nil) // a bad answer is none, and the test sees that
		}
		return out
	})
}

func (u *unit) answer(q modbus.Request) (modbus.Response, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests++
	if u.lost > 0 {
		u.lost--
		return modbus.Response{}, false
	}
	a := modbus.Response{Unit: q.Unit, Function: q.Function, Address: q.Address, Count: uint16(len(q.Values)), Values: q.Values}
	switch {
	case q.Function == modbus.ReadHolding && !u.unread:
		a.Values = slices.Clone(u.memory[q.Address : q.Address+q.Count])
	case q.Function == modbus.WriteRegisters && u.refuses == modbus.NoException:
		copy(u.memory[q.Address:], q.Values)
		if q.Address == unitShow {
			u.shown = u.memory
		}
	case q.Function == modbus.WriteRegisters:
		a.Exception = u.refuses
	default:
		a.Exception = modbus.IllegalFunction
	}
	return a, true
}

func (u *unit) lines() (out []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for row := range 2 {
		var b []byte
		for _, r := range u.shown[unitText+row*u.words:][:u.words] {
			b = append(b, byte(r>>8), byte(r))
		}
		if text := ledtemplate.GB2312.Decode(bytes.TrimRight(b, "\x00")); text != "" {
			out = append(out, text)
		}
	}
	return out
}

func (u *unit) with(change func(*unit)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change(u)
}

func (u *unit) blank() {
	u.with(func(u *unit) { u.memory, u.shown = [0x200]uint16{}, [0x200]uint16{} })
}

func templateOptions(more map[string]string) map[string]string {
	return with(map[string]string{
		"template": "40 {address} {row} {text} 0D", "rows": "2", "cells": "16", "poll": "50ms", "refresh": "1s", "gap": "1ms", "reply_within": "200ms",
	}, more)
}

func modbusOptions(more map[string]string) map[string]string {
	return with(map[string]string{
		"unit": "3", "rows": "2", "cells": "16", "text_at": "0x100", "text_registers": "8", "show_at": "0x120",
		"poll": "50ms", "refresh": "1s", "gap": "1ms", "reply_within": "200ms",
	}, more)
}

func with(o, more map[string]string) map[string]string {
	for k, v := range more {
		if v == "-" {
			delete(o, k)
			continue
		}
		o[k] = v
	}
	return o
}

// start runs a strip driver on a line that is plugged in.
func start(t *testing.T, far strip, build func(registry.Config) (device.Device, error), options map[string]string) *Strip {
	t.Helper()
	line := drivertest.Cable(t, far.serve)
	d, err := build(registry.Config{
		Name: "window-1.led", Connect: registry.Connect{Serial: line.Path()}, Options: options, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Until(t, "the strip", func() bool { return d.Health().State == device.OK })
	return d.(*Strip)
}

func shows(t *testing.T, far strip, lines ...string) {
	t.Helper()
	drivertest.Until(t, strings.Join(lines, ", "), func() bool { return slices.Equal(far.lines(), lines) })
}
