package callpad

import (
	"fmt"

	"halledge/drivers/device"
	"halledge/firmware-protocols/modbus"
)

// maxPresses is more than anybody presses between two polls. A counter that moved further was not pressed: it began anew.
const maxPresses = 1000

// counter follows a pad's event counter.
type counter struct {
	last  uint16
	known bool
}

// count gives how many keys were pressed since the last count; the first count only remembers. restarted says that the pad has
// lost its power meanwhile.
func (c *counter) count(now uint16) (presses int, restarted bool) {
	presses = int(now - c.last) // wraps as the pad does
	first := !c.known
	c.last, c.known = now, true
	switch {
	case first:
		return 0, false
	case presses > maxPresses:
		return 0, true
	}
	return presses, false
}

// toDevice gives a key in the words of all drivers.
func toDevice(k modbus.PadKey) (device.Key, bool) {
	if k >= modbus.PadDigit0 && k <= modbus.PadDigit0+9 {
		return device.Key{Code: device.KeyDigit, Digit: int(k - modbus.PadDigit0)}, true
	}
	var code device.KeyCode
	switch k {
	case modbus.PadNext:
		code = device.KeyNext
	case modbus.PadRecall:
		code = device.KeyRecall
	case modbus.PadPass:
		code = device.KeyPass
	case modbus.PadTransfer:
		code = device.KeyTransfer
	case modbus.PadPause:
		code = device.KeyPause
	case modbus.PadResume:
		code = device.KeyResume
	case modbus.PadLogin:
		code = device.KeyLogin
	case modbus.PadLogout:
		code = device.KeyLogout
	case modbus.PadFinish:
		code = device.KeyFinish
	case modbus.PadRate:
		code = device.KeyRate
	case modbus.PadConfirm:
		code = device.KeyConfirm
	case modbus.PadCancel:
		code = device.KeyCancel
	case modbus.PadAbandon:
		code = device.KeyAbandon
	case modbus.PadHold:
		code = device.KeyHold
	case modbus.PadReturn:
		code = device.KeyReturn
	case modbus.PadStart:
		code = device.KeyStart
	default:
		return device.Key{}, false
	}
	return device.Key{Code: code}, true
}

// registers gives a frame as the pad's display registers.
func registers(f device.PadFrame) ([]uint16, error) {
	d := modbus.PadDisplay{Number: f.Number, Waiting: uint16(min(max(f.Waiting, 0), 0xFFFF))}
	switch f.State {
	case "closed":
		d.State = modbus.PadLoggedOut
	case "idle":
		d.State = modbus.PadIdle
	case "called":
		d.State = modbus.PadCalled
	case "serving":
		d.State = modbus.PadServing
	case "paused":
		d.State = modbus.PadPaused
	default:
		return nil, fmt.Errorf("a pad has no state %q", f.State)
	}
	return d.Registers()
}
