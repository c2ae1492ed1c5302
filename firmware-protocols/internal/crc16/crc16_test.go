package crc16

import "testing"

// The check values of both are those of the catalogue of parametrised CRC algorithms.
func TestSum(t *testing.T) {
	for start, want := range map[uint16]uint16{ARC: 0xBB3D, Modbus: 0x4B37} {
		if got := Sum(start, []byte("123456789")); got != want {
			t.Errorf("from %04X: %04X, want %04X", start, got, want)
		}
	}
}
