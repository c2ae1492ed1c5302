package ledpanel

import (
	"io"
	"log/slog"
	"slices"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/onbon"
)

func sharing() *registry.Registry {
	return registry.New(map[string]registry.Driver{"ledpanel": {New: New, Bus: true}})
}

// build makes panels that share a line, and runs them.
func build(t *testing.T, reg *registry.Registry, line string, site ...map[string]string) (all []*Panel) {
	t.Helper()
	for _, more := range site {
		more["rows"] = "1"
		d, err := reg.Build(registry.Model{Class: device.ClassScreen, Driver: "ledpanel"}, registry.Site{
			Name: "window-1.led", Connect: registry.Connect{Serial: line}, Options: options(more),
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		drivertest.Run(t, d)
		drivertest.Until(t, "the panel", func() bool { return d.Health().State == device.OK })
		all = append(all, d.(*Panel))
	}
	return all
}

// Two panels with screen numbers of their own stand on one line; each answers for itself.
func TestTwoPanelsOnOneLine(t *testing.T) {
	t.Parallel()
	first, second := newPanel(), newPanel()
	second.panel = onbon.NewPanel(2)
	line := drivertest.Cable(t, func(rw io.ReadWriter) {
		farend.Answer(rw, &onbon.Decoder{}, func(f onbon.Frame) []byte { return append(first.answer(f), second.answer(f)...) })
	})
	all := build(t, sharing(), line.Path(), map[string]string{"screen": "1"}, map[string]string{"screen": "2"})
	show(t, all[0], "A001")
	show(t, all[1], "A002")
	if !slices.Equal(first.lines(), []string{"A001"}) || !slices.Equal(second.lines(), []string{"A002"}) {
		t.Errorf("they show %q and %q", first.lines(), second.lines())
	}
}

// Two windows share one long panel: each has its area, and neither wipes the other's, also when it begins again.
func TestTwoWindowsOnOneCard(t *testing.T) {
	t.Parallel()
	far := newPanel()
	line := drivertest.Cable(t, far.serve)
	left, right := map[string]string{"shared": "true", "width": "64"}, map[string]string{"shared": "true", "width": "64", "x": "64", "first_area": "8"}
	reg := sharing()
	one := build(t, reg, line.Path(), left)[0]
	show(t, one, "A001")
	two := build(t, reg, line.Path(), right)[0]
	show(t, two, "A002")
	areas := far.areas()
	if len(areas) != 2 || areas[0].X != 0 || areas[0].Text.S != "A001" || areas[1].X != 64 || areas[1].ID != 8 || areas[1].Text.S != "A002" {
		t.Errorf("the card shows %+v", areas)
	}
	build(t, reg, line.Path(), map[string]string{"shared": "true", "width": "64", "x": "64", "first_area": "8"})
	drivertest.Until(t, "the other's number to stay", func() bool { return slices.Contains(far.lines(), "A001") })
}
