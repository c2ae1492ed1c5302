package builtin_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"

	"halledge/configs"
	"halledge/drivers/attached"
	"halledge/drivers/builtin"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
)

// TestSamplesAreRight builds what the samples in the drivers' folders say, and finds drivers that have none.
func TestSamplesAreRight(t *testing.T) {
	files, err := filepath.Glob("../*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	models := drivertest.Models(t, configs.FS())
	all := builtin.All()
	shown := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
		for {
			model, site, err := entry(dec, models)
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				_, err = all.Build(model, site, slog.New(slog.DiscardHandler))
			}
			if err != nil {
				t.Errorf("%s: %v", file, err)
				break
			}
			if _, line := all.At(model, attached.Node{Kind: attached.Serial}, ""); !line && site.Connect.File == "" {
				t.Errorf("%s: %s is on no line, it has a device file", file, site.Name)
			}
			shown[model.Driver] = true
		}
	}
	for key, model := range models {
		if !shown[model.Driver] {
			t.Errorf("no sample has the driver %s of %s/%s", model.Driver, key.Class, key.Name)
		}
	}
	folders, err := filepath.Glob("../*/driver.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, driver := range folders {
		if _, err := os.Stat(filepath.Join(filepath.Dir(driver), "sample.yaml")); err != nil {
			t.Error(err)
		}
	}
}

// entry reads one entry of the devices list of agent.yaml. Its error is io.EOF after the last.
func entry(dec *yaml.Decoder, models registry.Models) (registry.Model, registry.Site, error) {
	var e struct {
		Name, Model string
		Connect     struct{ Serial, TCP, File, USB string }
		Options     map[string]string
	}
	if err := dec.Decode(&e); err != nil {
		return registry.Model{}, registry.Site{}, err
	}
	connect := registry.Connect{Serial: e.Connect.Serial, TCP: e.Connect.TCP, File: e.Connect.File, USB: e.Connect.USB}
	site := registry.Site{Name: e.Name, Connect: connect, Options: e.Options}
	for key, model := range models {
		if key.Name == e.Model {
			return model, site, nil
		}
	}
	return registry.Model{}, site, errors.New("no model " + e.Model)
}
