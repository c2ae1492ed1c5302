package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"halledge/test/demo"
)

// caller sends requests over connections that stay open, as kiosks and window pages do.
type caller struct {
	demo *demo.Demo
	http http.Client
}

// newCaller keeps up to n connections.
func newCaller(d *demo.Demo, n int) *caller {
	return &caller{demo: d, http: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: n}}}
}

func (c *caller) close() { c.http.CloseIdleConnections() }

// post sends one command with a fresh key and wants a status.
func (c *caller) post(ctx context.Context, role, path, body string, want int) (took time.Duration, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.demo.Agent.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.demo.Agent.Tokens[role])
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", demo.Key())
	began := time.Now()
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	took = time.Since(began)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("POST %s: %d %s", path, res.StatusCode, answer)
	}
	return took, answer, err
}

// online is a take without paper: drawing slips would measure the simulated printer.
const online = `{"queue":"A","channel":"online"}`

// called brings window 1 to a called ticket.
func (b *bench) called(ctx context.Context, c *caller) error {
	for _, p := range []struct {
		role, path, body string
		want             int
	}{
		{"staff", "/api/v1/tickets", online, http.StatusCreated},
		{"staff", "/api/v1/windows/1/open", "{}", http.StatusOK},
		{"staff", "/api/v1/windows/1/call-next", "{}", http.StatusOK},
	} {
		if _, _, err := c.post(ctx, p.role, p.path, p.body, p.want); err != nil {
			return err
		}
	}
	return nil
}

// commands measures durable commands: each is a fact and a remembered answer, on disk before it is answered. The command is
// recall, whose cost does not grow with the day.
func (b *bench) commands(ctx context.Context) error {
	c := newCaller(b.demo, 64)
	defer c.close()
	if err := b.called(ctx, c); err != nil {
		return err
	}
	for _, n := range []int{1, 8, 64} {
		before, err := probe(b.demo.Dir, b.effort.disk/2)
		if err != nil {
			return err
		}
		took, all, err := b.spam(ctx, c, n)
		if err != nil {
			return err
		}
		after, err := probe(b.demo.Dir, b.effort.disk/2)
		if err != nil {
			return err
		}
		b.addCommands("durable commands, "+count(n)+", as fast as they go", took, all, before.join(after), n)
	}
	return b.steady(ctx, c)
}

// steadyRate is commands a second that arrive by themselves: a hundred times what a city hall has at its worst.
const steadyRate = 100

// steady measures commands that come at random moments at a steady rate, as people do, whether the ones before are answered or
// not. Each is timed from the moment it goes out; how late that is after its random moment is this program's fault and noted.
func (b *bench) steady(ctx context.Context, c *caller) error {
	before, err := probe(b.demo.Dir, b.effort.disk/2)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var took, late spread
	var refused error
	began := time.Now()
	for due := began; due.Sub(began) < b.effort.load; due = due.Add(time.Duration(rand.ExpFloat64() * float64(time.Second) / steadyRate)) {
		if err = pause(ctx, time.Until(due)); err != nil {
			break
		}
		wg.Go(func() {
			sent := time.Since(due)
			t, _, failed := c.post(ctx, "staff", "/api/v1/windows/1/recall", "{}", http.StatusOK)
			mu.Lock()
			defer mu.Unlock()
			refused = errors.Join(refused, failed)
			took, late = append(took, t), append(late, sent)
		})
	}
	wg.Wait()
	all := time.Since(began)
	if err = errors.Join(err, refused); err != nil {
		return err
	}
	after, err := probe(b.demo.Dir, b.effort.disk/2)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("durable commands, %d a second at random moments (sent late by p99 %s)", steadyRate, ms(late.at(99)))
	b.addCommands(what, took, all, before.join(after), patient)
	return nil
}

// patient is a number of clients that do not fill the hall: what each waits for is its own command alone.
const patient = 1

// addCommands adds what n clients saw. The target is for people, who wait for their own command alone; clients that never pause wait
// for one another, n ÷ rate of them on average, and show what the hall can do.
func (b *bench) addCommands(what string, took spread, all time.Duration, disk syncs, n int) {
	limit := 4*disk.took.at(99) + 3*time.Millisecond
	rate := float64(len(took)) / all.Seconds()
	target := met(fmt.Sprintf("p99 ≤ 4 × fdatasync p99 + 3 ms = %s", ms(limit)), took.at(99) <= limit)
	if n > patient {
		target = fmt.Sprintf("– (%d clients ÷ rate = %s; a command alone: %s)", n, ms(time.Duration(float64(n)/rate*float64(time.Second))), ms(limit))
	}
	b.report.add(row{
		what:   what,
		figure: fmt.Sprintf("%.0f/s, %s", rate, took),
		limit:  disk.String(),
		ratio:  fmt.Sprintf("rate %.2f×, p99 %s", rate/disk.perSecond(), times(took.at(99), disk.took.at(99))),
		target: target,
	})
}

// spam lets n clients recall the called ticket, one command after the other each.
func (b *bench) spam(ctx context.Context, c *caller, n int) (took spread, all time.Duration, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for range n {
		wg.Go(func() {
			var mine spread
			var failed error
			for time.Since(began) < b.effort.load && failed == nil {
				var t time.Duration
				if t, _, failed = c.post(ctx, "staff", "/api/v1/windows/1/recall", "{}", http.StatusOK); failed == nil {
					mine = append(mine, t)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if failed != nil {
				err = failed
			}
		})
	}
	wg.Wait()
	return took, time.Since(began), err
}

// crowd is how many people take a number at the same moment.
const crowd = 500

// takes measures a crowd.
func (b *bench) takes(ctx context.Context) error {
	disk, err := probe(b.demo.Dir, b.effort.disk)
	if err != nil {
		return err
	}
	var worst time.Duration
	var took spread
	for range b.effort.bursts {
		// The demo allows this many takes a second: let the allowance fill up.
		if err := pause(ctx, 1500*time.Millisecond); err != nil {
			return err
		}
		all, each, err := b.burst(ctx)
		if err != nil {
			return err
		}
		worst = max(worst, all)
		took = append(took, each...)
	}
	alone := 2 * disk.took.at(50) * crowd
	b.report.add(row{
		what:   fmt.Sprintf("%d takes at once, worst of %d", crowd, b.effort.bursts),
		figure: fmt.Sprintf("all answered in %s, %s", ms(worst), took),
		limit:  fmt.Sprintf("one after the other, 2 syncs each: %s", ms(alone)),
		ratio:  times(worst, alone),
		target: met("all ≤ 1 s", worst <= time.Second),
	})
	return nil
}

// burst lets the crowd take numbers, each over a connection of its own, and wants a different one for everybody.
func (b *bench) burst(ctx context.Context) (all time.Duration, took spread, err error) {
	c := newCaller(b.demo, crowd)
	defer c.close()
	var mu sync.Mutex
	var wg sync.WaitGroup
	numbers := map[string]bool{}
	start := make(chan struct{})
	for range crowd {
		wg.Go(func() {
			<-start
			t, answer, failed := c.post(ctx, "staff", "/api/v1/tickets", online, http.StatusCreated)
			var a struct{ Ticket demo.Ticket }
			if failed == nil {
				failed = json.Unmarshal(answer, &a)
			}
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = failed
				return
			}
			took = append(took, t)
			numbers[a.Ticket.Number] = true
		})
	}
	began := time.Now()
	close(start)
	wg.Wait()
	all = time.Since(began)
	if err == nil && len(numbers) != crowd {
		err = fmt.Errorf("%d takes gave %d numbers", crowd, len(numbers))
	}
	return all, took, err
}

func count(clients int) string {
	if clients == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", clients)
}
