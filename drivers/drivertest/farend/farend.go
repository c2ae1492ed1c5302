// Package farend is the other end of a device's cable: a pseudo-terminal behind a path that stays the same, or a TCP port, with
// played hardware on it. Both can be plugged in and pulled out like the real thing, by tests and by the simulator.
package farend

import (
	"errors"
	"io"
)

// Serve plays the device while it is plugged in: it reads what the host writes and answers. It returns when rw fails, which it
// does at the latest when the cable is pulled.
type Serve func(rw io.ReadWriter)

// Line is a cable with a device on it. Plug and Unplug wait until the change is complete and may be called again and again, in
// turns, from one goroutine.
type Line interface {
	// Plug connects the device and switches it on.
	Plug() error
	// Unplug pulls the cable, even in the middle of a byte, and waits for Serve. Unplugging an unplugged line does nothing.
	Unplug() error
}

var errPlugged = errors.New("already plugged in")
