package session

import (
	"fmt"
	"log/slog"
	"time"

	"halledge/drivers/device"
)

const (
	tellEvery = time.Second      // people are told no more often
	rowLength = 5                // so many failures, one after the other, are no citizen's mistake any more,
	rowTime   = 10 * time.Minute // if they come within this time
	rest      = 3 * time.Second  // silence after which somebody tries again; a line that chatters does not pause so long
)

// Unread tells of what was shown to a device and could not be read: to whoever takes it from C, and, when it goes on, as the
// device's condition, which lasts until something is read. Its methods are for one goroutine at a time.
type Unread struct {
	session *Session
	code    device.Code
	lines   journal
	out     chan device.Unread

	row     []time.Time // failures since the last reading, the latest of them
	counted time.Time   // last failure in the row
	heard   time.Time   // last failure
	failing bool
}

// NewUnread makes an Unread; code is the condition of a device that goes on failing.
func (s *Session) NewUnread(code device.Code) *Unread {
	return &Unread{session: s, code: code, lines: journal{log: s.cfg.Log}, out: make(chan device.Unread, 1)}
}

// C is where the failures come. One that nobody took gives way to the next.
func (u *Unread) C() <-chan device.Unread { return u.out }

// Close closes C.
func (u *Unread) Close() { close(u.out) }

// Failing says whether the device goes on failing.
func (u *Unread) Failing() bool { return u.failing }

// Failed says that something could not be read. People are told at most once a second, and of a device that goes on failing only
// after a rest. why is for the log and holds nothing of what was shown.
func (u *Unread) Failed(f device.Fault, why string) {
	now := time.Now()
	rested := now.Sub(u.heard) >= rest
	if !u.count(now) || u.failing && !rested {
		return
	}
	u.lines.write(slog.LevelWarn, "could not read", "fault", string(f), "error", why)
	select {
	case <-u.out:
	default:
	}
	u.out <- device.Unread{Fault: f, At: now} // only here is something sent, so there is room
}

// Noise says that something could not be read next to what could: nobody is told, but it counts.
func (u *Unread) Noise() { u.count(time.Now()) }

// count notes a failure, unless it belongs to the one a moment ago.
func (u *Unread) count(now time.Time) bool {
	u.heard = now
	if now.Sub(u.counted) < tellEvery {
		return false
	}
	u.counted = now
	u.row = append(u.row, now)
	if over := len(u.row) - rowLength; over > 0 {
		u.row = u.row[over:]
	}
	if !u.failing && len(u.row) == rowLength && now.Sub(u.row[0]) <= rowTime {
		u.failing = true
		u.session.Degraded(u.code, fmt.Sprintf("%d in a row could not be read", rowLength))
	}
	return true
}

// Read says that something was read, or that a new life begins: the device is well.
func (u *Unread) Read() {
	u.row, u.failing = nil, false
	u.session.Good()
}

// Answered says that the device answered. That makes it well, unless it goes on failing.
func (u *Unread) Answered() {
	if u.failing {
		u.session.health.answered()
		return
	}
	u.session.Good()
}
