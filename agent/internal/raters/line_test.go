package raters_test

import (
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/modbus"
	"halledge/firmware-protocols/pad21"
)

// onLine builds the devices of a line, by model and options, as the program does, and runs them.
func onLine(t *testing.T, path string, models ...registry.Site) (all []device.Device) {
	t.Helper()
	known := drivertest.Models(t, configs.FS())
	drivers := builtin.All()
	for _, site := range models {
		var d device.Device
		for key, model := range known {
			if key.Name == site.Name {
				site.Connect = registry.Connect{Serial: path}
				var err error
				if d, err = drivers.Build(model, site, slog.New(slog.DiscardHandler)); err != nil {
					t.Fatal(err)
				}
			}
		}
		drivertest.Run(t, d)
		drivertest.Reaches(t, d, device.OK, "")
		all = append(all, d)
	}
	return all
}

// question asks about a service until the end of the test.
func question(t *testing.T, d device.Device, tag uint16) <-chan int {
	t.Helper()
	stars := make(chan int, 1)
	go func() {
		r, err := d.(device.RatingPad).Ask(t.Context(), device.RatingRequest{Session: tag, Prompt: "请您评价", Timeout: time.Minute})
		if err != nil || r.Session != tag {
			t.Errorf("question %d: %+v, %v", tag, r, err)
		}
		stars <- r.Stars
	}()
	return stars
}

// A pad and a rating device with registers stand on one pair: each is asked in its turn, and neither misses what the other hears.
func TestPadAndRatingDeviceShareALine(t *testing.T) {
	var mu sync.Mutex
	pad, rater := modbus.NewPad(1), modbus.NewRater(2)
	cable := drivertest.Cable(t, func(rw io.ReadWriter) {
		toPad, toRater := modbus.NewRequestDecoder(1), modbus.NewRequestDecoder(2)
		buf := make([]byte, modbus.MaxFrame)
		for {
			n, err := rw.Read(buf)
			if err != nil {
				return
			}
			toPad.Push(buf[:n])
			toRater.Push(buf[:n])
			mu.Lock()
			var out []byte
			for q, ok := toPad.Next(); ok; q, ok = toPad.Next() {
				a, _ := pad.Handle(q)
				out, _ = a.Append(out)
			}
			for q, ok := toRater.Next(); ok; q, ok = toRater.Next() {
				a, _ := rater.Handle(q)
				out, _ = a.Append(out)
			}
			mu.Unlock()
			if _, err := rw.Write(out); err != nil {
				return
			}
		}
	})
	patient := map[string]string{"unit": "1", "poll": "20ms", "reply_within": "2s"}
	all := onLine(t, cable.Path(), registry.Site{Name: "halledge-pad", Options: patient},
		registry.Site{Name: "halledge-rater", Options: map[string]string{"unit": "2", "poll": "20ms", "reply_within": "2s"}})
	keys := all[0].(device.CallPad).Keys()
	for round := range 10 {
		tag := uint16(round + 1)
		stars := question(t, all[1], tag)
		drivertest.Until(t, "the question", func() bool {
			mu.Lock()
			defer mu.Unlock()
			now, _, _, ok := rater.Asking()
			return ok && now == tag
		})
		mu.Lock()
		pad.Press(modbus.PadRecall)
		rater.End(uint16(round%5 + 1))
		mu.Unlock()
		if k := drivertest.Next(t, all[0], keys); k.Code != device.KeyRecall || k.Lost != 0 {
			t.Errorf("round %d: %+v", round, k)
		}
		if got := <-stars; got != round%5+1 {
			t.Errorf("round %d: %d stars", round, got)
		}
	}
	for _, d := range all {
		if c := d.Health().Counters; c.Failures != 0 {
			t.Errorf("the line was lost: %+v", c)
		}
	}
}

// A rating device hangs on a 21-key pad: the pad says what is pressed on both, and its driver answers for both.
func TestRatingDeviceHangsOnAPad(t *testing.T) {
	var (
		mu   sync.Mutex
		line io.Writer
	)
	pad := pad21.NewPad(1)
	cable := drivertest.Cable(t, func(rw io.ReadWriter) {
		mu.Lock()
		line = rw
		mu.Unlock()
		buf := make([]byte, 256)
		for {
			n, err := rw.Read(buf)
			if err != nil {
				return
			}
			mu.Lock()
			pad.Hear(buf[:n])
			mu.Unlock()
		}
	})
	all := onLine(t, cable.Path(), registry.Site{Name: "pad-21-keys"}, registry.Site{Name: "pad-21-rater"})
	stars := question(t, all[1], 1)
	var got int
	drivertest.Until(t, "the rating", func() bool { // who asks does not say so on this line
		mu.Lock()
		_, err := line.Write(pad.Rate(1))
		mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		select {
		case got = <-stars:
			return true
		default:
			return false
		}
	})
	if got != 5 {
		t.Errorf("%d stars", got)
	}
	mu.Lock()
	pad = pad21.NewPad(1) // without what it said again and again
	_, err := line.Write(pad.Press(pad21.KeyRecall))
	mu.Unlock()
	if k := drivertest.Next(t, all[0], all[0].(device.CallPad).Keys()); err != nil || k.Code != device.KeyRecall {
		t.Errorf("got %+v, %v", k, err)
	}
	mu.Lock()
	_, err = line.Write(pad.Rate(2))
	mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Until(t, "the answers to both", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return pad.Unacknowledged() == 0
	})
}
