package command

import "golang.org/x/sys/windows"

// hideTyping turns the echo of a console off. It fails when fd is no console.
func hideTyping(fd int) (restore func(), err error) {
	var mode uint32
	console := windows.Handle(fd)
	if err := windows.GetConsoleMode(console, &mode); err != nil {
		return nil, err
	}
	if err := windows.SetConsoleMode(console, mode&^windows.ENABLE_ECHO_INPUT); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(console, mode) }, nil // nothing can be done if it fails
}
