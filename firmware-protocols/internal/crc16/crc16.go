// Package crc16 gives the CRC that lines and cards check their frames with.
package crc16

// The usual starts.
const (
	ARC    uint16 = 0
	Modbus uint16 = 0xFFFF
)

// Sum is the CRC-16 of b with the reflected polynomial 8005, from a start.
func Sum(start uint16, b []byte) uint16 {
	crc := start
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}
