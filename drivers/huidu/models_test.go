package huidu

import (
	"log/slog"
	"slices"
	"testing"

	"halledge/configs"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
)

// The model shows a call within the screen that its file says.
func TestModel(t *testing.T) {
	models := drivertest.Models(t, configs.FS())
	far := newGlass()
	line := drivertest.Socket(t, far.serve)
	d, err := registry.New(map[string]registry.Driver{"huidu": {New: New}}).Build(
		models[registry.Key{Class: device.ClassScreen, Name: "huidu-fullcolor"}],
		registry.Site{Name: "hall.led", Connect: registry.Connect{TCP: line.Addr()}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Until(t, "the screen", func() bool { return d.Health().State == device.OK })
	if err := d.(device.Screen).Show(t.Context(), device.Frame{Scene: device.SceneCalling, Lines: []string{"请A003号", "到1号窗口"}}); err != nil {
		t.Fatal(err)
	}
	if got := far.lines(); !slices.Equal(got, []string{"请A003号", "到1号窗口"}) {
		t.Errorf("shows %q", got)
	}
	for _, a := range far.areas() {
		if a.X+a.Width > 256 || a.Y+a.Height > 128 || a.Size > a.Height || a.Colour != 0xFF0000 {
			t.Errorf("%+v does not fit a screen of 256 × 128", a)
		}
	}
}
