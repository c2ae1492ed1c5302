package e2e_test

import (
	"errors"
	"os/exec"
)

// exitCode is how a program ended: 0, its code, or -1 if it never ran.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}
