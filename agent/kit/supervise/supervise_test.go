package supervise_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/kit/supervise"
)

var errBroken = errors.New("broken")

func until(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// run starts a group and gives the function that ends it and returns Run's error.
func run(parts ...supervise.Part) (*supervise.Group, func() error) {
	g := supervise.New(slog.New(slog.DiscardHandler), parts...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	return g, func() error {
		cancel()
		return <-ended
	}
}

func TestFailingPartIsStartedAgainWithGrowingPauses(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":  func() error { return errBroken },
		"nil":    func() error { return nil },
		"panic":  func() error { panic("a device sent nonsense") },
		"custom": func() error { panic(errBroken) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				g, stop := run(supervise.Part{Name: "flaky", Run: func(context.Context) error {
					at = append(at, time.Now())
					return fail()
				}}, supervise.Part{Name: "steady", Run: until})
				time.Sleep(5 * time.Minute)
				states := g.States()
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				want := 500 * time.Millisecond
				for i := range 9 {
					if got := at[i+1].Sub(at[i]); got < want*4/5 || got > want*6/5 {
						t.Errorf("pause %d: %v, want %v ± 20 %%", i, got, want)
					}
					want = min(2*want, 30*time.Second)
				}
				flaky, steady := states[0], states[1]
				if flaky.Phase != supervise.Pausing || flaky.Err == nil || flaky.Failures != uint64(len(at)) {
					t.Errorf("the failing part: %+v after %d starts", flaky, len(at))
				}
				if steady.Phase != supervise.Running || steady.Failures != 0 {
					t.Errorf("its neighbour: %+v", steady)
				}
			})
		})
	}
}

func TestPausesStartAgainAfterAGoodLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const good = 8
		var at []time.Time
		var ended time.Time
		_, stop := run(supervise.Part{Name: "p", Run: func(context.Context) error {
			at = append(at, time.Now())
			if len(at) == good {
				time.Sleep(time.Minute)
				ended = time.Now()
			}
			return errBroken
		}})
		time.Sleep(10 * time.Minute)
		_ = stop()
		if got := at[good].Sub(ended); got > 600*time.Millisecond {
			t.Errorf("after a good minute the pause is %v", got)
		}
	})
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		g := supervise.New(slog.New(slog.NewTextHandler(&log, nil)), supervise.Part{Name: "printer", Run: func(context.Context) error {
			panic("nonsense")
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"part failed", "part=printer", "panic: nonsense", "supervise_test.go"} {
			if !strings.Contains(log.String(), part) {
				t.Errorf("the log does not speak of %q:\n%s", part, &log)
			}
		}
		var panicked *supervise.PanicError
		if err := g.States()[0].Err; !errors.As(err, &panicked) || panicked.Value != "nonsense" {
			t.Errorf("the state has the error %v", err)
		}
	})
}

func TestPartsStartInOrderAndStopInTheOpposite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var stopped []string
		part := func(name string) supervise.Part {
			return supervise.Part{Name: name, Run: func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // the others must wait for it
				mu.Lock()
				defer mu.Unlock()
				stopped = append(stopped, name)
				return ctx.Err()
			}}
		}
		g, stop := run(part("store"), part("hall"), part("web"))
		synctest.Wait()
		for _, s := range g.States() {
			if s.Phase != supervise.Running {
				t.Errorf("%s is %s", s.Name, s.Phase)
			}
		}
		began := time.Now()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if want := []string{"web", "hall", "store"}; !slices.Equal(stopped, want) || time.Since(began) != 3*time.Second {
			t.Errorf("stopped %v in %v, want %v one after the other", stopped, time.Since(began), want)
		}
		for _, s := range g.States() {
			if s.Phase != supervise.Stopped {
				t.Errorf("%s is %s at the end", s.Name, s.Phase)
			}
		}
	})
}

func TestStuckPartIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		neighbour := false
		_, stop := run(
			supervise.Part{Name: "store", Run: func(ctx context.Context) error {
				<-ctx.Done()
				neighbour = true
				return ctx.Err()
			}},
			supervise.Part{Name: "camera", StopWithin: 3 * time.Second, Run: func(context.Context) error {
				<-release
				return nil
			}},
		)
		synctest.Wait()
		began := time.Now()
		err := stop()
		if err == nil || !strings.Contains(err.Error(), "camera") || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %v, want an error that names camera after 3 s", err, time.Since(began))
		}
		if !neighbour {
			t.Error("the part before it was not stopped")
		}
		close(release)
	})
}

func TestPauseEndsWithTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, stop := run(supervise.Part{Name: "p", Run: func(context.Context) error { return errBroken }})
		time.Sleep(3 * time.Minute) // pauses are long by now
		began := time.Now()
		if err := stop(); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
