package builtin_test

import (
	"log/slog"
	"testing"

	"halledge/configs"
	"halledge/drivers/attached"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
)

// TestEveryModelCanBeBuilt finds model files that name a driver we do not have, or options it does not know.
func TestEveryModelCanBeBuilt(t *testing.T) {
	models := drivertest.Models(t, configs.FS())
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

// TestSoundCardIsNamedByAReference connects a USB sound card whose number may be another one after the next start.
func TestSoundCardIsNamedByAReference(t *testing.T) {
	models := drivertest.Models(t, configs.FS())
	m := models[registry.Key{Class: device.ClassSpeaker, Name: "sound-card"}]
	card := attached.Node{Kind: attached.Sound, Path: "/dev/snd/controlC1", Vendor: "0d8c", Product: "0014", Port: "1-2"}
	if c, ok := builtin.All().At(m, card, "0d8c:0014@1-2"); !ok || c.File != "usb:0d8c:0014@1-2" {
		t.Errorf("%+v, %v", c, ok)
	}
}

// TestBareReaderCanBeBuilt connects what is offered for a card reader that the kernel makes no device file of.
func TestBareReaderCanBeBuilt(t *testing.T) {
	models := drivertest.Models(t, configs.FS())
	reader := attached.Node{Kind: attached.USB, Path: "/dev/bus/usb/001/004", Vendor: "0400", Product: "c35a", Port: "1-1"}
	built := 0
	for key, model := range models {
		if model.Comes(reader) == 0 {
			continue
		}
		connect, ok := builtin.All().At(model, reader, "0400:c35a")
		if !ok {
			t.Errorf("%s/%s cannot stand there", key.Class, key.Name)
			continue
		}
		if _, err := builtin.All().Build(model, registry.Site{Name: "kiosk-1.idcard", Connect: connect}, slog.New(slog.DiscardHandler)); err != nil {
			t.Errorf("%s/%s: %v", key.Class, key.Name, err)
		}
		built++
	}
	if built == 0 {
		t.Error("no model comes with these numbers")
	}
}
