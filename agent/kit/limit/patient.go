package limit

import (
	"errors"
	"net"
	"time"
)

// pause is how long a patient listener waits after an error.
const pause = 50 * time.Millisecond

// Patient gives a listener that goes on after errors that pass, such as having no file descriptor left, for servers that take any
// error for the end. Its Accept fails only when the listener is closed.
func Patient(l net.Listener) net.Listener { return patient{l} }

type patient struct{ net.Listener }

// Accept implements net.Listener.
func (p patient) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return c, err
		}
		time.Sleep(pause)
	}
}
