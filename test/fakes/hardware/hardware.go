// Package hardware gives the devices of a simulated hall: the far ends of the real protocols, played on whatever line they are
// plugged into. Each device's Serve has the shape of farend.Serve.
package hardware

import "halledge/firmware-protocols/modbus"

// answer gives what a unit says, nothing if it says nothing.
func answer(a modbus.Response, reply bool) []byte {
	if !reply {
		return nil
	}
	out, err := a.Append(nil)
	if err != nil {
		return nil
	}
	return out
}
