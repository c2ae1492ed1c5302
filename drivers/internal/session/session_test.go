package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/transport"
)

// pipe is a connection in memory, so that time can be faked around it.
type pipe struct{ net.Conn }

func (pipe) Drain(context.Context) error                   { return nil }
func (pipe) PortStatus() (transport.PortStatus, error)     { return transport.PortStatus{}, nil }
func (p pipe) Read(b []byte) (int, error)                  { n, err := p.Conn.Read(b); return n, gone(err) }
func (p pipe) Write(b []byte) (int, error)                 { n, err := p.Conn.Write(b); return n, gone(err) }
func offline(context.Context) (transport.Conn, error)      { return nil, errOffline() }
func untilEnd(ctx context.Context, _ transport.Conn) error { <-ctx.Done(); return ctx.Err() }
func errOffline() error                                    { return &device.Error{Op: "open", Code: device.CodeOffline, Retry: true} }
func codeIs(t *testing.T, err error, want device.Code, n string) {
	t.Helper()
	var de *device.Error
	if !errors.As(err, &de) || de.Code != want {
		t.Fatalf("%s: got %v, want code %s", n, err, want)
	}
}

func gone(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return &device.Error{Op: "read", Code: device.CodeOffline, Retry: true, Err: transport.ErrGone}
	}
	return err
}

func newSession() *Session {
	return New(Config{Name: "kiosk-1.printer", Log: slog.New(slog.DiscardHandler)})
}

// start runs s and gives the function that ends it and returns Run's error.
func start(s *Session, open Open, serve Serve) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, open, serve) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// newPipe gives both ends of a connection in memory.
func newPipe() (near transport.Conn, far net.Conn) {
	a, b := net.Pipe()
	return pipe{a}, b
}

// piped opens a new pipe each time and hands its far end over.
func piped() (Open, <-chan net.Conn) {
	far := make(chan net.Conn, 1)
	return func(context.Context) (transport.Conn, error) {
		near, other := net.Pipe()
		far <- other
		return pipe{near}, nil
	}, far
}

func TestPausesGrowToTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		stop := start(newSession(), func(ctx context.Context) (transport.Conn, error) {
			at = append(at, time.Now())
			return offline(ctx)
		}, untilEnd)
		time.Sleep(time.Minute)
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Fatalf("Run: %v", err)
		}
		want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 10 * time.Second}
		if len(at) <= len(want) {
			t.Fatalf("%d attempts in a minute", len(at))
		}
		for i, d := range want {
			if got := at[i+1].Sub(at[i]); got < d*4/5 || got > d*6/5 {
				t.Errorf("pause %d: %v, want %v ± 20 %%", i, got, d)
			}
		}
	})
}

func TestPausesStartAgainAfterAGoodMinute(t *testing.T) {
	for _, c := range []struct {
		lived    time.Duration
		from, to time.Duration
	}{
		{time.Second, 8 * time.Second, 12 * time.Second},
		{goodFor, 400 * time.Millisecond, 600 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			const good = 6 // by then the pause is 10 s
			var ended time.Time
			var pause time.Duration
			n := 0
			open := func(ctx context.Context) (transport.Conn, error) {
				n++
				switch n {
				case good:
					near, _ := net.Pipe()
					return pipe{near}, nil
				case good + 1:
					pause = time.Since(ended)
				}
				return offline(ctx)
			}
			stop := start(newSession(), open, func(context.Context, transport.Conn) error {
				time.Sleep(c.lived)
				ended = time.Now()
				return errOffline()
			})
			time.Sleep(5 * time.Minute)
			_ = stop()
			if pause < c.from || pause > c.to {
				t.Errorf("after a life of %v the pause was %v, want %v to %v", c.lived, pause, c.from, c.to)
			}
		})
	}
}

func TestUselessErrorsEndTheSession(t *testing.T) {
	for _, code := range []device.Code{device.CodeBadConfig, device.CodeUnsupported} {
		s := newSession()
		err := s.Run(t.Context(), func(context.Context) (transport.Conn, error) {
			return nil, &device.Error{Op: "open", Code: code}
		}, untilEnd)
		codeIs(t, err, code, "Run")
		if h := s.Health(); h.State != device.Unusable || h.Code != code {
			t.Errorf("health %+v, want unusable, %s", h, code)
		}
	}
}

func TestHealthFollowsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		if h := s.Health(); h.State != device.Starting {
			t.Fatalf("before Run: %+v", h)
		}
		open, far := piped()
		stop := start(s, open, func(ctx context.Context, conn transport.Conn) error {
			s.Good()
			_, err := conn.Read(make([]byte, 1))
			return err
		})
		synctest.Wait()
		born := time.Now()
		if h := s.Health(); h.State != device.OK || h.Code != "" || !h.LastGood.Equal(born) || h.Counters.Opens != 1 {
			t.Errorf("open: %+v", h)
		}
		s.Degraded(device.CodePaperLow, "")
		s.Job()
		s.Garbage(7)
		if h := s.Health(); h.State != device.Degraded || h.Code != device.CodePaperLow || h.Counters.Jobs != 1 || h.Counters.Garbage != 7 {
			t.Errorf("degraded: %+v", h)
		}
		time.Sleep(time.Second)
		(<-far).Close()
		synctest.Wait()
		lost := s.Health()
		if lost.State != device.Offline || lost.Code != device.CodeOffline || lost.Counters.Failures != 1 || !lost.Since.Equal(time.Now()) {
			t.Errorf("lost: %+v", lost)
		}
		time.Sleep(time.Second)
		if h := s.Health(); h.State != device.OK || h.Counters.Opens != 2 {
			t.Errorf("back: %+v", h)
		}
		_ = stop()
	})
}

func TestDoIsOfflineWhileNothingIsOpen(t *testing.T) {
	err := newSession().Do(t.Context(), "print", func(context.Context, transport.Conn) error { return nil })
	codeIs(t, err, device.CodeOffline, "Do")
}

func TestDoesComeOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		open, _ := piped()
		stop := start(s, open, untilEnd)
		synctest.Wait()
		const callers = 8
		inside, most := 0, 0
		done := make(chan error, callers)
		for range callers {
			go func() {
				done <- s.Do(t.Context(), "count", func(context.Context, transport.Conn) error {
					inside++ // a second caller here would be a data race too
					most = max(most, inside)
					time.Sleep(time.Second)
					inside--
					return nil
				})
			}()
		}
		for range callers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if most != 1 {
			t.Errorf("%d callers at a time", most)
		}
		_ = stop()
	})
}

func TestDoEndsWithItsContextAndKeepsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		open, far := piped()
		stop := start(s, open, untilEnd)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		synctest.Wait()
		began := time.Now()
		err := s.Do(ctx, "ask", func(_ context.Context, conn transport.Conn) error {
			for range 2 { // a deadline set after the end of ctx must not make it wait again
				if err := conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
					return err
				}
				_, _ = conn.Read(make([]byte, 1))
			}
			return os.ErrDeadlineExceeded
		})
		codeIs(t, err, device.CodeTimeout, "Do")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		other := <-far
		go func() { _, _ = other.Write([]byte{42}) }()
		err = s.Do(t.Context(), "ask", func(_ context.Context, conn transport.Conn) error {
			_, err := conn.Read(make([]byte, 1))
			return err
		})
		if err != nil {
			t.Errorf("the next Do: %v", err)
		}
		_ = stop()
	})
}

func TestDoThatFindsTheDeviceGoneOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		open, far := piped()
		stop := start(s, open, func(ctx context.Context, conn transport.Conn) error {
			s.Good()
			return untilEnd(ctx, conn)
		})
		(<-far).Close()
		synctest.Wait()
		err := s.Do(t.Context(), "ask", func(_ context.Context, conn transport.Conn) error {
			_, err := conn.Read(make([]byte, 1))
			return err
		})
		codeIs(t, err, device.CodeOffline, "Do")
		synctest.Wait()
		if h := s.Health(); h.State != device.Offline {
			t.Errorf("after the loss: %+v", h)
		}
		time.Sleep(time.Second)
		if h := s.Health(); h.State != device.OK || h.Counters.Opens != 2 {
			t.Errorf("after the pause: %+v", h)
		}
		_ = stop()
	})
}

func TestDoGivesWhatTheDeviceSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		open, _ := piped()
		stop := start(s, open, untilEnd)
		synctest.Wait()
		for want, said := range map[device.Code]error{
			device.CodePaperOut: &device.Error{Op: "print", Code: device.CodePaperOut},
			device.CodeTimeout:  os.ErrDeadlineExceeded,
			device.CodeBadReply: errors.New("checksum"),
		} {
			codeIs(t, s.Do(t.Context(), "ask", func(context.Context, transport.Conn) error { return said }), want, said.Error())
		}
		_ = stop()
	})
}

func TestStopReleasesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		open, _ := piped()
		stop := start(s, open, func(_ context.Context, conn transport.Conn) error {
			_, err := conn.Read(make([]byte, 1)) // nothing ever comes
			return err
		})
		synctest.Wait()
		done := make(chan error, 1)
		go func() {
			done <- s.Do(t.Context(), "ask", func(ctx context.Context, conn transport.Conn) error {
				_, err := conn.Write(make([]byte, 1)) // nobody ever takes it
				return err
			})
		}()
		synctest.Wait()
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		codeIs(t, <-done, device.CodeOffline, "Do")
	})
}

func TestEveryAsksUntilItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession()
		open, _ := piped()
		began, asked := time.Now(), 0
		ended := make(chan time.Duration, 1)
		stop := start(s, open, func(ctx context.Context, _ transport.Conn) error {
			err := s.Every(ctx, time.Second, "poll", func(context.Context, transport.Conn) error {
				if asked++; asked == 4 {
					return os.ErrDeadlineExceeded
				}
				return nil
			})
			select {
			case ended <- time.Since(began):
			default:
			}
			return err
		})
		if d := <-ended; d != 3*time.Second || asked != 4 {
			t.Errorf("asked %d times in %v", asked, d)
		}
		synctest.Wait()
		if h := s.Health(); h.Code != device.CodeTimeout {
			t.Errorf("health %+v, want timeout", h)
		}
		_ = stop()
	})
}

// Devices that are asked equally often are asked in the same moments, whenever each of them came: between those the processor sleeps.
func TestEveryKeepsStepWithTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(map[time.Time]int)
		var mu sync.Mutex
		look := func(takes time.Duration) Serve {
			return func(context.Context, transport.Conn) error {
				mu.Lock()
				asked[time.Now()]++
				mu.Unlock()
				time.Sleep(takes)
				return nil
			}
		}
		run := func(d, takes time.Duration) func() error {
			s := newSession()
			open, _ := piped()
			return start(s, open, func(ctx context.Context, _ transport.Conn) error { return s.Every(ctx, d, "look", look(takes)) })
		}
		time.Sleep(7 * time.Millisecond)
		stop1 := run(50*time.Millisecond, time.Millisecond)
		time.Sleep(20 * time.Millisecond)
		stop2 := run(100*time.Millisecond, 2*time.Millisecond)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(asked) != 22 { // two beginnings, and the twenty moments of the first
			t.Errorf("asked at %d moments: %v", len(asked), asked)
		}
		_, _ = stop1(), stop2()
		clear(asked)
		stop := run(50*time.Millisecond, 60*time.Millisecond)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(asked) < 16 {
			t.Errorf("a slow device was asked %d times in a second", len(asked))
		}
		_ = stop()
	})
}
