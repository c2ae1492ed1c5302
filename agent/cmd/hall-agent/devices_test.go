package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"halledge/agent/internal/ops"
	"halledge/drivers/drivertest/sysfs"
)

// hallBox is a box with a configuration that has one kiosk.
func hallBox(t *testing.T) (path string, machine sysfs.Machine) {
	t.Helper()
	path = box(t)
	plan := strings.TrimSuffix(path, "agent.yaml") + "hall.yaml"
	text := "schema: 1\nqueues: [{id: A, name: 综合业务}]\nwindows: [{id: \"1\", name: 1号窗口, queues: [A]}]\nkiosks: [{id: \"1\", name: 取号机}]\n"
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, sysfs.New(t)
}

// say runs the program with words and gives what it wrote and why it failed.
func say(path string, words ...string) (out string, err error) {
	var stdout, stderr bytes.Buffer
	cmd := root()
	cmd.SetArgs(append([]string{"--config", path}, words...))
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	err = cmd.Execute()
	return stdout.String(), err
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *ops.Error
	if !errors.As(err, &e) || string(e.Code) != code || strings.Contains(explain(err), "{") {
		t.Errorf("failed with %v, %q, want %s", err, explain(err), code)
	}
}

func TestDevicesAreListedInColumns(t *testing.T) {
	path, machine := hallBox(t)
	machine.Node(machine.Plug("1-2", "04b8:0202", "", "TM-T88V", "bus/usb/001/006"), "1-2:1.0", "usbmisc", "lp0", "usb/lp0")
	machine.Node(machine.Plug("1-3", "1a86:7523", "", "USB Serial", "bus/usb/001/007"), "1-3:1.0", "tty", "ttyUSB0", "ttyUSB0")
	out, err := say(path, "devices", "--root", machine.Root)
	wantCode(t, err, "agent_not_running")
	var at []int
	for _, line := range strings.Split(out, "\n") {
		if i := strings.Index(line, "1-"); strings.HasPrefix(line, "/dev/") && i > 0 {
			at = append(at, columns(line[:i]))
		}
	}
	if !strings.Contains(out, "没有配置设备") || !strings.Contains(out, "epson-tm-t88") || len(at) != 2 || at[0] != at[1] {
		t.Errorf("said\n%s", out)
	}
	out, err = say(path, "devices", "--json", "--root", machine.Root)
	wantCode(t, err, "agent_not_running")
	if !strings.Contains(out, `"stanza": "  - name: kiosk-1.printer\n`) {
		t.Errorf("said\n%s", out)
	}
}

func TestDeviceIsProposedAndAdded(t *testing.T) {
	path, machine := hallBox(t)
	_, err := say(path, "devices", "add", "--root", machine.Root)
	wantCode(t, err, "add_nothing")
	machine.Node(machine.Plug("1-2", "04b8:0202", "", "TM-T88V", "bus/usb/001/006"), "1-2:1.0", "usbmisc", "lp0", "usb/lp0")
	machine.Node(machine.Plug("1-3", "1a86:7523", "", "USB Serial", "bus/usb/001/007"), "1-3:1.0", "tty", "ttyUSB0", "ttyUSB0")
	const printer = "  - name: kiosk-1.printer\n    model: epson-tm-t88\n    connect: {file: \"usb:04b8:0202@1-2\"}\n"
	if out, err := say(path, "devices", "add", "--root", machine.Root); err != nil || out != printer {
		t.Errorf("%v\n%s", err, out)
	}
	for code, words := range map[string][]string{
		"add_unknown": {"1234:5678"},
		"add_model":   {"1a86:7523"},
		"add_unfit":   {"1a86:7523", "--model", "usb-keypad"},
		"add_role":    {"04b8:0202", "--name", "kiosk-1.spare.printer"},
	} {
		_, err := say(path, append([]string{"devices", "add", "--root", machine.Root}, words...)...)
		wantCode(t, err, code)
	}
	if out, err := say(path, "devices", "add", "/dev/usb/lp0", "--write", "--root", machine.Root); err != nil || out != printer {
		t.Errorf("%v\n%s", err, out)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(text), "devices:\n"+printer) {
		t.Errorf("%v\n%s", err, text)
	}
	_, err = say(path, "devices", "add", "1-2", "--root", machine.Root)
	wantCode(t, err, "add_taken")
	out, err := say(path, "devices", "add", "1-3", "--model", "halledge-pad", "--write", "--root", machine.Root)
	if err != nil || out != "  - name: window-1.pad\n    model: halledge-pad\n    connect: {serial: \"usb:1a86:7523@1-3\"}\n" {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := say(path, "check"); err != nil {
		t.Errorf("the file is wrong: %v", err)
	}
}
