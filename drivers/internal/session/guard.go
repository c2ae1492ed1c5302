package session

import (
	"fmt"
	"runtime/debug"

	"halledge/drivers/device"
)

// Guard runs what a driver does on a goroutine of its own and makes an error of a panic: whoever runs the device catches those of Run's
// goroutine alone, and a device must not end the program. What was thrown may hold what a citizen showed, so its type is told, and the log
// says where.
func (s *Session) Guard(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("driver panicked", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = &device.Error{Op: "run", Code: device.CodeBadReply, Retry: true, Err: fmt.Errorf("the driver failed with a %T", p)}
		}
	}()
	return run()
}
