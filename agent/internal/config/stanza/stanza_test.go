package stanza_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/config/stanza"
	"halledge/agent/kit/strictyaml"
)

var printer = config.Device{Name: "kiosk-1.printer", Model: "escpos-80", Connect: config.Connect{File: "usb:04b8:0202"}}

const entry = "- name: kiosk-1.printer\n  model: escpos-80\n  connect: {file: \"usb:04b8:0202\"}\n"

// in gives the entry as it stands behind an indent.
func in(indent string) string {
	return indent + strings.ReplaceAll(strings.TrimSuffix(entry, "\n"), "\n", "\n"+indent) + "\n"
}

func TestEntryStandsBehindTheLastDevice(t *testing.T) {
	const one = "- name: window-1.pad  # of the first window\n  model: halledge-pad\n  connect:\n    serial: /dev/ttyS1\n    # baud: 9600\n  options:\n    unit: \"1\"\n"
	for name, c := range map[string]struct{ before, after string }{
		"none":               {"schema: 1\nlog:\n  level: info\n", "schema: 1\nlog:\n  level: info\n\ndevices:\n" + in("  ")},
		"no end of the line": {"schema: 1", "schema: 1\n\ndevices:\n" + in("  ")},
		"empty":              {"devices:\n# of no use\nlog: {level: info}\n", "devices:\n" + in("  ") + "# of no use\nlog: {level: info}\n"},
		"an empty list":      {"devices: [] # none\nlog: {level: info}\n", "devices:  # none\n" + in("  ") + "log: {level: info}\n"},
		"others":             {"devices: # all\n" + one + "\n# of the cameras\ncameras: []\n", "devices: # all\n" + one + in("") + "\n# of the cameras\ncameras: []\n"},
		"indented": {
			"devices:\n    " + strings.ReplaceAll(one, "\n", "\n    ") + "\n# the end\n",
			"devices:\n    " + strings.ReplaceAll(strings.TrimSuffix(one, "\n"), "\n", "\n    ") + "\n" + in("    ") + "    \n# the end\n",
		},
		"before a comment":   {"devices:\n" + one + "# - name: window-2.pad\n#   model: x\n", "devices:\n" + one + entry + "# - name: window-2.pad\n#   model: x\n"},
		"lines of Windows":   {"schema: 1\r\ndevices:\r\n", "schema: 1\r\ndevices:\r\n" + strings.ReplaceAll(in("  "), "\n", "\r\n")},
		"the last one short": {"devices:\n  - {name: hall.led, model: onbon-k, connect: {tcp: \"127.0.0.1:5005\"}}\n", "devices:\n  - {name: hall.led, model: onbon-k, connect: {tcp: \"127.0.0.1:5005\"}}\n" + in("  ")},
	} {
		got, err := stanza.Added([]byte(c.before), printer)
		if err != nil || string(got) != c.after {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, c.after)
		}
	}
}

func TestWhatCannotBeAddedTo(t *testing.T) {
	for text, want := range map[string]error{
		"devices: [{name: hall.led, model: onbon-k, connect: {tcp: \"127.0.0.1:5005\"}}]\n": strictyaml.ErrForm,
		"{schema: 1}\n": strictyaml.ErrForm,
		"devices:\n  - {name: kiosk-1.printer, model: escpos-58, connect: {file: /dev/usb/lp1}}\n":      stanza.ErrTaken,
		"devices:\n  - {name: kiosk-2.printer, model: escpos-58, connect: {file: \"usb:04b8:0202\"}}\n": stanza.ErrTaken,
	} {
		if got, err := stanza.Added([]byte(text), printer); !errors.Is(err, want) {
			t.Errorf("%s: %v\n%s", text, err, got)
		}
	}
	if _, err := stanza.Added([]byte("devices: {"), printer); err == nil {
		t.Error("a file that cannot be read")
	}
}

// site writes a configuration that is right.
func site(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"agent.yaml": "# of the hall\nschema: 1\nhall: {code: \"440900000000001\", name: 测试大厅, profile: village}\ndata: data\nplan: hall.yaml\nweb: {listen: 127.0.0.1:0}\n",
		"hall.yaml": "schema: 1\nrevision: 1\nzone: Asia/Shanghai\nqueues: [{id: A, name: 综合业务}]\n" +
			"windows: [{id: \"1\", name: 1号窗口, queues: [A]}]\nkiosks: [{id: \"1\", name: 取号机}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "agent.yaml")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDeviceIsAddedToTheFile(t *testing.T) {
	path := site(t)
	old := read(t, path)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if problems, err := stanza.Add(path, printer); err != nil || problems != nil {
		t.Fatal(problems, err)
	}
	if got := read(t, path); got != old+"\ndevices:\n"+in("  ") {
		t.Errorf("the file is\n%s", got)
	}
	if got := read(t, path+stanza.Backup); got != old {
		t.Errorf("the old file is\n%s", got)
	}
	for _, file := range []string{path, path + stanza.Backup} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if c, problems := config.Load(path); problems.Err() != nil || len(c.Site.Devices) != 1 {
		t.Errorf("%+v, %v", c.Site.Devices, problems)
	}
	if _, err := stanza.Add(path, printer); !errors.Is(err, stanza.ErrTaken) {
		t.Errorf("twice: %v", err)
	}
}

func TestAddingAtOnceLosesNothing(t *testing.T) {
	path := site(t)
	var all sync.WaitGroup
	names := []string{"kiosk-1.printer", "desk-1.printer", "desk-2.printer", "desk-3.printer", "desk-4.printer", "desk-5.printer"}
	for i, name := range names {
		all.Go(func() {
			d := config.Device{Name: name, Model: "escpos-80", Connect: config.Connect{File: fmt.Sprintf("usb:04b8:0202@1-%d", i+1)}}
			if problems, err := stanza.Add(path, d); err != nil || problems != nil {
				t.Error(name, problems, err)
			}
		})
	}
	all.Wait()
	c, problems := config.Load(path)
	if problems.Err() != nil || len(c.Site.Devices) != len(names) {
		t.Errorf("%+v, %v", c.Site.Devices, problems)
	}
}

func TestLinkStaysALink(t *testing.T) {
	path := site(t)
	real := filepath.Join(t.TempDir(), "site-1.yaml")
	if err := errors.Join(os.Rename(path, real), os.Symlink(real, path)); err != nil {
		t.Fatal(err)
	}
	if problems, err := stanza.Add(path, printer); err != nil || problems != nil {
		t.Fatal(problems, err)
	}
	if to, err := os.Readlink(path); err != nil || to != real || !strings.Contains(read(t, real), in("  ")) {
		t.Errorf("it leads to %q, %v, where stands\n%s", to, err, read(t, real))
	}
}

func TestBadDeviceLeavesTheFileAlone(t *testing.T) {
	path := site(t)
	old := read(t, path)
	nowhere := printer
	nowhere.Name = "kiosk-7.printer" // the hall has no such kiosk
	if problems, err := stanza.Add(path, nowhere); err != nil || problems.Err() == nil || problems[0].File != path {
		t.Errorf("%v, %v", problems, err)
	}
	if read(t, path) != old {
		t.Error("the file is another one")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 2 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func FuzzAdded(f *testing.F) {
	f.Add("devices:\n- name: hall.led\n  model: onbon-k\n  connect:\n    tcp: \"127.0.0.1:5005\"\n# end\n")
	f.Add("devices: []\n")
	f.Add("a: 1\rb: 2\rdevices:\n")
	f.Add("schema: 1\r\ndevices:\r\n    - {name: a.b}\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		next, err := stanza.Added([]byte(text), printer)
		if err == nil && !strings.Contains(strings.ReplaceAll(string(next), "\r", ""), "model: escpos-80\n") {
			t.Errorf("%q became %q", text, next)
		}
	})
}
