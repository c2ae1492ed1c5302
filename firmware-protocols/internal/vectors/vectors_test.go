package vectors

import "testing"

func TestNamesAreUniqueAndBytesPresent(t *testing.T) {
	for _, protocol := range []string{"escpos", "honeywell", "newland", "newland-reg", "zebra-ssi", "sdt", "gb11643", "evdev",
		"onbon-k", "huidu", "modbus-rtu", "callpad-modbus", "callpad-6byte", "rater-modbus", "led-at", "syn6288", "xfs5152"} {
		seen := map[string]bool{}
		for _, v := range For(t, protocol) {
			if seen[v.Name] {
				t.Errorf("%s/%s appears twice", protocol, v.Name)
			}
			seen[v.Name] = true
			if len(v.Bytes) == 0 || v.TextOffset+v.TextLen > len(v.Bytes) {
				t.Errorf("%s/%s: %d bytes cannot hold its text", protocol, v.Name, len(v.Bytes))
			}
			if v.Direction != "host>device" && v.Direction != "device>host" {
				t.Errorf("%s/%s: direction %q", protocol, v.Name, v.Direction)
			}
		}
	}
}
