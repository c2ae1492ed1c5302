package ledstrip

import (
	"io"
	"log/slog"
	"sync"
	"testing"

	"halledge/configs"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/ledtemplate"
)

func drivers() *registry.Registry {
	return registry.New(map[string]registry.Driver{"ledstrip": {New: New, Bus: true}, "ledmodbus": {New: NewModbus, Bus: true}})
}

// wires are a pair of wires with several strips on it: each hears all.
type wires struct {
	mu     sync.Mutex
	strips []*sheet
}

func (w *wires) serve(rw io.ReadWriter) {
	farend.Answer(rw, ledtemplate.NewDecoder(w.strips[0].template), func(m ledtemplate.Message) []byte {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range w.strips {
			s.take(m)
		}
		return nil
	})
}

// Strips that share a line are each shown their own text, although none of them ever answers.
func TestStripsOnOneLine(t *testing.T) {
	t.Parallel()
	w, reg := &wires{}, drivers()
	const template = "40 {address} {text} 0D"
	for address := range 8 {
		w.strips = append(w.strips, newSheet(t, template, address+1, ""))
	}
	line := drivertest.Cable(t, w.serve)
	var all []device.Screen
	for address := range w.strips {
		d, err := reg.Build(drivertest.Models(t, configs.FS())[registry.Key{Class: device.ClassScreen, Name: "strip-at"}], registry.Site{
			Name: "window-" + string(rune('1'+address)) + ".led", Connect: registry.Connect{Serial: line.Path()},
			Options: map[string]string{"address": string(rune('1' + address))},
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		drivertest.Run(t, d)
		all = append(all, d.(device.Screen))
	}
	for i, d := range all {
		drivertest.Until(t, "strip", func() bool { return d.Health().State == device.OK && d.Health().Blind })
		if err := d.Show(t.Context(), device.Frame{Scene: device.SceneCalling, Lines: []string{"请A00" + string(rune('1'+i)) + "号"}, Flash: true}); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range w.strips { // they blink; each is seen with its text again
		shows(t, s, "请A00"+string(rune('1'+i))+"号")
	}
}

// The models of strips show a call and a pause on the strip that they are the model of.
func TestModels(t *testing.T) {
	for name, far := range map[string]strip{"strip-at": newSheet(t, "40 {address} {text} 0D", 1, ""), "strip-modbus": &unit{address: 1, words: 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := drivertest.Cable(t, far.serve)
			d, err := drivers().Build(drivertest.Models(t, configs.FS())[registry.Key{Class: device.ClassScreen, Name: name}], registry.Site{
				Name: "window-1.led", Connect: registry.Connect{Serial: line.Path()},
			}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			drivertest.Run(t, d)
			drivertest.Until(t, "the strip", func() bool { return d.Health().State == device.OK })
			for _, text := range []string{"请A001号", "暂停服务", "A002"} {
				if err := d.(device.Screen).Show(t.Context(), device.Frame{Lines: []string{text}}); err != nil {
					t.Fatal(err)
				}
				shows(t, far, text)
			}
		})
	}
}
