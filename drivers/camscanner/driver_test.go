package camscanner

import (
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend/lens"
)

func TestConformance(t *testing.T) {
	drivertest.Scanner(t, func(t *testing.T) drivertest.ScannerHarness {
		c := &lens.Camera{}
		held := func(hold func(string) (bool, error)) func(string) bool {
			return func(payload string) bool {
				ok, err := hold(payload)
				if err != nil {
					t.Error(err)
				}
				return ok
			}
		}
		return drivertest.ScannerHarness{
			Harness: drivertest.Harness{New: New, Far: c.Serve},
			Scan:    held(c.Show),
			Spoil:   held(c.Spoil),
			Failing: device.CodeUnclear,
		}
	})
}
