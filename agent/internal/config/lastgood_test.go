package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/agent/internal/config"
)

func TestLastGoodStandsInForABadFile(t *testing.T) {
	path, data := site(t), t.TempDir()
	edit(t, path, "data: /var/lib/hall-agent", "data: "+data)
	edit(t, path, "name: 示例市政务服务大厅", "name: 好厅")
	c, problems, err := config.LoadOrLastGood(path, "")
	if err != nil || len(problems) != 0 || c.LastGood {
		t.Fatalf("good files: %v, %v", problems, err)
	}
	for _, bad := range []struct{ old, text string }{
		{"profile: full", "profile: big"},  // refused by a check
		{"schema: 1", "schema: 1\n  x: ["}, // not even YAML: the directory must be told
	} {
		edit(t, path, bad.old, bad.text)
		c, problems, err = config.LoadOrLastGood(path, data)
		if err != nil {
			t.Fatal(err)
		}
		if !c.LastGood || c.Site.Hall.Name != "好厅" || c.Site.Hall.Profile != "full" || problems.Err() == nil {
			t.Errorf("%q: last good %v, hall %+v, problems %v", bad.text, c.LastGood, c.Site.Hall, problems)
		}
		if c.Site.Cameras[0].Password.Reveal() != "secret of camera-1.password" || c.Dir != filepath.Dir(path) {
			t.Error("the copy does not find its secrets")
		}
	}
	kept, err := os.ReadFile(filepath.Join(data, "config", "last-good.json"))
	if err != nil || strings.Contains(string(kept), "secret of") {
		t.Errorf("the copy holds secrets, or %v", err)
	}
}

// What an earlier program took this one may refuse: a device less is no reason for a hall to stand still, nor for it to keep an old plan.
func TestAHallWorksWithoutADeviceThatIsBad(t *testing.T) {
	path, data := site(t), t.TempDir()
	edit(t, path, "data: /var/lib/hall-agent", "data: "+data)
	edit(t, path, "model: escpos-80", "model: escpos-99")
	run := func(name string, lastGood bool) {
		t.Helper()
		c, problems, err := config.LoadOrLastGood(path, data)
		if err != nil || c.LastGood != lastGood || c.Site.Hall.Name != name || len(c.Site.Devices) == 0 || problems.Err() == nil {
			t.Fatalf("%+v, %v, %v", c, problems, err)
		}
	}
	run("示例市政务服务大厅", false) // with no copy at all
	kept := filepath.Join(data, "config", "last-good.json")
	if _, err := os.Stat(kept); err == nil {
		t.Error("a bad configuration is kept")
	}
	edit(t, path, "model: escpos-99", "model: escpos-80")
	if _, problems, err := config.LoadOrLastGood(path, data); err != nil || problems.Err() != nil {
		t.Fatal(problems, err)
	}
	edit(t, path, "model: escpos-80", "model: escpos-99")
	edit(t, path, "name: 示例市政务服务大厅", "name: 新厅")
	run("新厅", false)
	edit(t, kept, "model: escpos-80", "model: escpos-99") // good for the program that kept it
	edit(t, path, "profile: full", "profile: big")
	run("示例市政务服务大厅", true)
	edit(t, kept, "profile: full", "profile: big")
	if _, _, err := config.LoadOrLastGood(path, data); err == nil {
		t.Error("a copy without a usable profile is run")
	}
}

func TestLastGoodPlanStandsInForAMissingOne(t *testing.T) {
	path, data := site(t), t.TempDir()
	edit(t, path, "data: /var/lib/hall-agent", "data: "+data)
	if _, _, err := config.LoadOrLastGood(path, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path), "hall.yaml")); err != nil {
		t.Fatal(err)
	}
	c, problems, err := config.LoadOrLastGood(path, "")
	if err != nil || !c.LastGood || len(c.Plan.Windows) != 2 || problems.Err() == nil {
		t.Errorf("%+v, %v, %v", c, problems, err)
	}
}

func TestNoGoodCopyIsAnError(t *testing.T) {
	path := site(t)
	edit(t, path, "profile: full", "profile: big")
	c, problems, err := config.LoadOrLastGood(path, t.TempDir())
	if c != nil || err == nil || len(problems) != 1 {
		t.Errorf("%+v, %v, %v", c, problems, err)
	}
}

func TestACopyThatCannotBeKeptIsSaid(t *testing.T) {
	path := site(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "in the way of the directory")
	c, problems, err := config.LoadOrLastGood(path, file)
	if c == nil || c.LastGood || len(problems) != 0 || err == nil {
		t.Errorf("%v, %v, %v", c, problems, err)
	}
}
