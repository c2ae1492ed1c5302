package limit_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/kit/limit"
)

// short is a listener of a program that has no file descriptor left for a while.
type short struct {
	net.Listener
	until time.Time
	conn  net.Conn
	asked int
}

func (s *short) Accept() (net.Conn, error) {
	s.asked++
	switch {
	case time.Now().Before(s.until):
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	case s.conn == nil:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: net.ErrClosed}
	}
	c := s.conn
	s.conn = nil
	return c, nil
}

func TestPatientGoesOnUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const outage = time.Minute
		host, far := net.Pipe()
		defer func() { _ = errors.Join(host.Close(), far.Close()) }()
		inner := &short{until: time.Now().Add(outage), conn: host}
		l := limit.Patient(inner)
		if c, err := l.Accept(); c != host || err != nil {
			t.Errorf("after the outage: %v, %v", c, err)
		}
		if most := int(outage / (10 * time.Millisecond)); inner.asked > most {
			t.Errorf("asked %d times in a minute: it is busy with nothing", inner.asked)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("at the end: %v", err)
		}
	})
}
