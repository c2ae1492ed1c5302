// Package unit gives a program what its systemd unit gives it in a hall and what is felt when it is measured.
package unit

import (
	"errors"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// TimerSlack is that of packaging/systemd/hall-agent.service.
const TimerSlack = 500 * time.Microsecond

// Start is cmd.Start with the service's timers.
func Start(cmd *exec.Cmd) error {
	runtime.LockOSThread() // a new process has the slack of the thread that makes it
	defer runtime.UnlockOSThread()
	was, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err == nil {
		err = slack(int(TimerSlack))
	}
	if err != nil {
		return err
	}
	return errors.Join(cmd.Start(), slack(was))
}

func slack(ns int) error { return unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(ns), 0, 0, 0) }
