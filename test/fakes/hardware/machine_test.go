package hardware_test

import (
	"testing"

	"halledge/drivers/attached"
	"halledge/test/fakes/hardware"
)

func TestMachineHasDevicesToBeFound(t *testing.T) {
	root := t.TempDir()
	if err := hardware.NewMachine(root); err != nil {
		t.Fatal(err)
	}
	nodes, err := attached.Scan(root)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, n := range nodes {
		if n.Kind != attached.USB {
			found[n.Path] = n.Port
		}
	}
	if len(found) != 3 || found["/dev/usb/lp0"] != "1-1.1" || found["/dev/ttyACM0"] != "1-1.2" || found["/dev/ttyUSB0"] != "1-2" {
		t.Errorf("found %v", found)
	}
	if err := hardware.NewMachine("/proc/none"); err == nil {
		t.Error("a machine where none can be")
	}
}
