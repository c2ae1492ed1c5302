//go:build !windows

package command

import "golang.org/x/sys/unix"

// hideTyping turns the echo of a terminal off. It fails when fd is no terminal.
func hideTyping(fd int) (restore func(), err error) {
	state, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	quiet := *state
	quiet.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, state) }, nil // nothing can be done if it fails
}
