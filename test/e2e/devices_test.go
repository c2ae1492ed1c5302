package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"halledge/test/demo"
)

// TestInstallerLooksAfterDevices goes the way of whoever installs a hall: what is there, what is wrong, does it work.
func TestInstallerLooksAfterDevices(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	run := func(words ...string) (string, int) {
		out, err := d.Run("hall-agent", append(words, "--config", d.Agent.Config)...)
		return out, exitCode(err)
	}
	listed := func(want string) {
		t.Helper()
		demo.Until(t, demo.Patience, want, func() error {
			if out, code := run("devices"); code != 0 || !strings.Contains(out, want) {
				return fmt.Errorf("exit code %d\n%s", code, out)
			}
			return nil
		})
	}
	var list struct {
		Devices []struct {
			Name, State, Title, Where string
			Counters                  map[string]uint64
		}
		Found []json.RawMessage
	}
	demo.Until(t, demo.Patience, "all devices", func() error {
		out, code := run("devices", "--json")
		if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || len(list.Devices) < len(d.Devices) || list.Found == nil {
			return fmt.Errorf("exit code %d, %v\n%s", code, err, out)
		}
		for _, one := range list.Devices[:len(d.Devices)] {
			if one.State != "ok" || one.Title == "" || one.Where == "" || one.Counters["opens"] == 0 {
				return fmt.Errorf("%+v", one)
			}
		}
		return nil
	})
	if out, code := run("test", "kiosk-1.printer"); code != 0 || !strings.Contains(out, "自检完成") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	d.Sim(t, "unplug", "kiosk-1.printer")
	listed("未连上")
	if out, code := run("test", "kiosk-1.printer"); code != 1 || !strings.Contains(out, "先看电源和线") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, code := run("doctor"); code != 1 || !strings.Contains(out, "✗ 设备 kiosk-1.printer") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	d.Sim(t, "plug", "kiosk-1.printer")
	demo.Until(t, demo.Patience, "the printer", func() error {
		if out, _ := run("devices"); strings.Contains(out, "未连上") {
			return fmt.Errorf("still\n%s", out)
		}
		return nil
	})
}
