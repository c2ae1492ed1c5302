package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
)

func TestLogins_guessesAreCountedByUserAndNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogins()
		try := func(p place, right bool) verdict { return l.judge(p, func() bool { return right }) }
		here, there, neighbour := place{hall, "192.0.2.1"}, place{hall, "192.0.2.2"}, place{other, "192.0.2.1"}
		for i := range userBurst {
			if v := try(here, false); v != refused {
				t.Fatalf("guess %d: %d", i+1, v)
			}
		}
		if v := l.judge(here, func() bool { t.Error("judged"); return true }); v != unjudged {
			t.Errorf("one guess more: %d", v)
		}
		if try(there, true) != accepted || try(neighbour, true) != accepted {
			t.Error("another network or another user suffers")
		}
		time.Sleep(userPause)
		if v := try(here, false); v != refused {
			t.Errorf("after a pause: %d", v)
		}
		if v := try(here, true); v != unjudged {
			t.Errorf("right after that: %d", v)
		}
		time.Sleep(userPause)
		if v := try(here, true); v != accepted {
			t.Errorf("the right one after another pause: %d", v)
		}
		for i := range userBurst {
			if v := try(here, false); v != refused {
				t.Errorf("the right one forgave nothing: guess %d: %d", i+1, v)
			}
		}
	})
}

// Who tries many users from one network is stopped there, and nobody who has come in from there before.
func TestLogins_guessesAreCountedByNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogins()
		const shared = "192.0.2.1"
		try := func(user, network string, right bool) verdict {
			return l.judge(place{user, network}, func() bool { return right })
		}
		if v := try(hall, shared, true); v != accepted {
			t.Fatal(v)
		}
		for i := range networkBurst {
			if v := try(fmt.Sprint("hall", i), shared, false); v != refused {
				t.Fatalf("guess %d: %d", i+1, v)
			}
		}
		if v := try(other, shared, true); v != unjudged {
			t.Errorf("yet another user: %d", v)
		}
		if v := try(hall, shared, true); v != accepted {
			t.Errorf("who has come in before: %d", v)
		}
		if v := try(other, "192.0.2.2", true); v != accepted {
			t.Errorf("from another network: %d", v)
		}
		time.Sleep(networkPause)
		if v := try(other, shared, true); v != accepted {
			t.Errorf("after a pause: %d", v)
		}
	})
}

// read asks for the description of the camera from a local address, and gives the status of the answer.
func (s *Server) read(ctx context.Context, from, login string) (base.StatusCode, error) {
	u, err := base.ParseURL(s.url(login, cam))
	if err != nil {
		return 0, err
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}}
	if err := c.Start2(); err != nil {
		return 0, err
	}
	defer c.Close()
	_, _, err = c.Describe(u)
	var bad liberrors.ErrClientBadStatusCode
	switch {
	case errors.As(err, &bad):
		return bad.Code, nil
	case err != nil:
		return 0, err
	}
	return base.StatusOK, nil
}

// However many try at once, no more guesses are judged.
func TestServer_guessesAreLimited(t *testing.T) {
	s, _, _ := serve(t)
	p := mustPublish(t, s.url(hall+":"+password, cam))
	defer p.close()
	want := func(from, login string, code base.StatusCode) {
		t.Helper()
		if got, err := s.read(t.Context(), from, login); err != nil || got != code {
			t.Errorf("from %s: %d, %v, want %d", from, got, err, code)
		}
	}
	var wrong, limited atomic.Int32
	var crowd sync.WaitGroup
	for i := range 4 * userBurst {
		crowd.Go(func() {
			switch code, err := s.read(t.Context(), "127.0.0.1", fmt.Sprint("platform:guess-", i)); code {
			case base.StatusUnauthorized:
				wrong.Add(1)
			case base.StatusServiceUnavailable:
				limited.Add(1)
			default:
				t.Errorf("guess %d: %d, %v", i, code, err)
			}
		})
	}
	crowd.Wait()
	if wrong.Load() != userBurst || limited.Load() != 3*userBurst {
		t.Errorf("%d guesses were judged and %d were not", wrong.Load(), limited.Load())
	}
	want("127.0.0.1", "platform:token-1", base.StatusServiceUnavailable)
	want("127.0.0.2", "platform:token-1", base.StatusOK)
	p2 := mustPublish(t, s.url(other+":"+password, foreign)) // another user, where the guesses came from
	p2.close()
}
