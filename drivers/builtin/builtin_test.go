package builtin_test

import (
	"log/slog"
	"testing"

	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/registry"
)

// TestEveryModelCanBeBuilt finds model files that name a driver we do not have, or options it does not know.
func TestEveryModelCanBeBuilt(t *testing.T) {
	models, err := registry.LoadModels(configs.FS())
	if err != nil {
		t.Fatal(err)
	}
	if len(models) == 0 {
		t.Fatal("there are no models")
	}
	for key, model := range models {
		site := registry.Site{Name: "kiosk-1." + string(key.Class), Connect: registry.Connect{Serial: "/dev/ttyUSB0"}}
		d, err := builtin.All().Build(model, site, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s/%s: %v", key.Class, key.Name, err)
			continue
		}
		if h := d.Health(); h.State != device.Starting || h.Since.IsZero() {
			t.Errorf("%s/%s: before Run its health is %+v", key.Class, key.Name, h)
		}
	}
}
