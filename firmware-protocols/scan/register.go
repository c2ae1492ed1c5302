package scan

import (
	"errors"
	"fmt"
)

// RegisterStatus is an engine's answer to a register command.
type RegisterStatus byte

// The statuses.
const (
	RegisterOK      RegisterStatus = 0x00
	RegisterBadSum  RegisterStatus = 0x01 // our frame was damaged: send it again
	RegisterInvalid RegisterStatus = 0x03 // no such command
)

// TriggerRegister holds 1 while a reading started by the host runs. Writing 1 starts one; it ends by itself.
const TriggerRegister = 0x0002

const (
	writeRegister = 0x08
	noSum         = 0xABCD // in place of the check sum: do not check
)

// ErrSum says that a frame's check sum is wrong.
var ErrSum = errors.New("scan: wrong check sum")

// RegisterWrite is the command that writes data, 1 to 255 bytes, to the registers from address on: 7E 00, type, length, address,
// data, check sum. The small Newland engines (EM2000, EM3095) and their copies (GM65) speak it.
func RegisterWrite(address uint16, data ...byte) ([]byte, error) {
	if len(data) == 0 || len(data) > 255 {
		return nil, fmt.Errorf("register: %w: %d bytes of data", ErrCommand, len(data))
	}
	b := append([]byte{0x7E, 0x00, writeRegister, byte(len(data)), byte(address >> 8), byte(address)}, data...)
	return appendSum(b), nil
}

// RegisterTrigger starts one reading. It is the frame of Newland's manual, whose sum asks not to be checked: copies of the
// engines know it too.
func RegisterTrigger() []byte {
	return []byte{0x7E, 0x00, writeRegister, 1, TriggerRegister >> 8, TriggerRegister, 1, noSum >> 8, noSum & 0xFF}
}

// RegisterReply is a reply: 02 00, status, length, data, check sum.
type RegisterReply struct {
	Status RegisterStatus
	Data   []byte
}

// ParseRegisterReply reads the reply at the beginning of b and gives its length. n is 0 while it is not complete. Its errors are
// ErrReply and ErrSum.
func ParseRegisterReply(b []byte) (r RegisterReply, n int, err error) {
	for i, want := range []byte{0x02, 0x00} {
		if len(b) > i && b[i] != want {
			return r, 0, fmt.Errorf("register: %w", ErrReply)
		}
	}
	if len(b) < 4 || len(b) < 6+int(b[3]) {
		return r, 0, nil
	}
	n = 6 + int(b[3])
	sum := uint16(b[n-2])<<8 | uint16(b[n-1])
	if sum != noSum && sum != crcCCITT(b[2:n-2]) {
		return r, 0, fmt.Errorf("register: %w", ErrSum)
	}
	return RegisterReply{Status: RegisterStatus(b[2]), Data: append([]byte(nil), b[4:n-2]...)}, n, nil
}

// appendSum ends a frame with the check sum of everything after its two marks.
func appendSum(b []byte) []byte {
	sum := crcCCITT(b[2:])
	return append(b, byte(sum>>8), byte(sum))
}

// crcCCITT is the CRC with polynomial 0x1021 that begins with 0.
func crcCCITT(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
