package ledpanel

import (
	"log/slog"
	"slices"
	"testing"

	"halledge/configs"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/onbon"
)

// Every model of this driver shows a call, in the rows and colours that its file says.
func TestModels(t *testing.T) {
	models := drivertest.Models(t, configs.FS())
	reg := registry.New(map[string]registry.Driver{"ledpanel": {New: New}})
	call := device.Frame{Scene: device.SceneCalling, Lines: []string{"请A003号", "到1号窗口"}, More: []string{"A002到2号窗口", "A001到3号窗口"}, Flash: true, Serial: "1"}
	for name, want := range map[string]struct {
		lines  []string
		colour onbon.Colour
	}{
		"onbon-k":      {[]string{"请A003号  到1号窗口"}, onbon.DefaultColour},
		"onbon-k-2":    {[]string{"请A003号", "到1号窗口"}, onbon.Red},
		"onbon-k-hall": {[]string{"请A003号", "到1号窗口", "A002到2号窗口", "A001到3号窗口"}, onbon.Red},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newPanel()
			line := drivertest.Cable(t, far.serve)
			d, err := reg.Build(models[registry.Key{Class: device.ClassScreen, Name: name}], registry.Site{
				Name: "hall.led", Connect: registry.Connect{Serial: line.Path()},
			}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			drivertest.Run(t, d)
			drivertest.Until(t, "the panel", func() bool { return d.Health().State == device.OK })
			if err := d.(device.Screen).Show(t.Context(), call); err != nil {
				t.Fatal(err)
			}
			drivertest.Until(t, "the call", func() bool { return slices.Equal(far.lines(), want.lines) })
			if got := far.areas()[0].Text.Colour; got != want.colour {
				t.Errorf("colour %q, want %q", got, want.colour)
			}
		})
	}
}
