package session

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"halledge/drivers/device"
)

// taken gives how many failures wait to be taken, and takes them.
func taken(u *Unread) int {
	n := 0
	for len(u.C()) > 0 {
		<-u.C()
		n++
	}
	return n
}

func TestFailuresAreToldOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newSession().NewUnread(device.CodeNoise)
		for range 3 {
			begun := time.Now()
			for range 10 {
				u.Failed(device.ScanUnreadable, "")
			}
			got := <-u.C()
			if got.Fault != device.ScanUnreadable || !got.At.Equal(begun) || taken(u) != 0 {
				t.Errorf("told %+v, and more", got)
			}
			time.Sleep(tellEvery)
		}
	})
}

func TestOldFailureGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newSession().NewUnread(device.CodeNoise)
		u.Failed(device.ScanUnreadable, "")
		time.Sleep(tellEvery)
		u.Failed(device.ScanTooLong, "")
		if got := <-u.C(); got.Fault != device.ScanTooLong || taken(u) != 0 {
			t.Errorf("told %+v", got)
		}
		u.Close()
		if _, open := <-u.C(); open {
			t.Error("it is open")
		}
	})
}

func TestFailuresInARowAreTheDevicesCondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		u := s.NewUnread(device.CodeNoise)
		is := func(state device.State, code device.Code) {
			t.Helper()
			if h := s.Health(); h.State != state || h.Code != code {
				t.Errorf("health %+v, want %s %s", h, state, code)
			}
		}
		fail := func(n int, every time.Duration) {
			for range n {
				u.Failed(device.ScanUnreadable, "")
				time.Sleep(every)
			}
		}
		u.Read()
		fail(rowLength-1, tellEvery)
		u.Read() // a reading between them
		fail(rowLength-1, tellEvery)
		is(device.OK, "")
		time.Sleep(rowTime) // those are long past
		fail(1, tellEvery)
		is(device.OK, "")
		fail(rowLength-2, tellEvery)
		u.Noise() // counts, too
		is(device.Degraded, device.CodeNoise)
		u.Answered()
		is(device.Degraded, device.CodeNoise)
		if h := s.Health(); !h.LastGood.Equal(time.Now()) {
			t.Errorf("it answered just now, not at %s", h.LastGood)
		}
		u.Read()
		is(device.OK, "")
		u.Answered()
		is(device.OK, "")
	})
}

func TestLineThatChattersIsToldNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newSession().NewUnread(device.CodeNoise)
		chatter := func() (told int) {
			for range 600 {
				u.Failed(device.ScanUnreadable, "")
				told += taken(u)
				time.Sleep(100 * time.Millisecond)
			}
			return told
		}
		if told := chatter(); told >= rowLength {
			t.Errorf("told %d times in a minute", told)
		}
		time.Sleep(rest)
		if told := chatter(); told != 1 {
			t.Errorf("after a rest told %d times in a minute, want once", told)
		}
		u.Read()
		u.Failed(device.ScanUnreadable, "")
		if u.Failing() || taken(u) != 1 {
			t.Error("after a reading it is not as before")
		}
	})
}

func TestNonsenseIsNoSilence(t *testing.T) {
	silent := fmt.Errorf("command 1: %w", os.ErrDeadlineExceeded)
	if err := Unanswered(silent, false); err != silent {
		t.Errorf("silence gives %v", err)
	}
	gone := errors.New("unplugged")
	if err := Unanswered(gone, true); err != gone {
		t.Errorf("an unplugged device gives %v", err)
	}
	err := Unanswered(silent, true)
	codeIs(t, err, device.CodeBadReply, "nonsense")
	if !errors.Is(err, ErrNonsense) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nonsense gives %v", err)
	}
}
