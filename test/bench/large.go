package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"halledge/test/demo"
)

// The large hall is larger than any there is: so many windows, and so many people who wait for them.
const (
	largeWindows = 100
	largeScreens = 50
	largeCrowd   = 10000
	largeQueues  = "ABCDEFGHJK"
)

// large measures an agent of its own with a crowd, many windows and many pages.
func (b *bench) large(ctx context.Context) error {
	path, err := b.largeConfig()
	if err != nil {
		return err
	}
	return b.another(ctx, path, func(base string, pid int) error {
		d := *b.demo
		d.Agent.URL, d.Agent.PID = base, pid
		h := &largeHall{bench: b, demo: &d, caller: newCaller(&d, largeWindows)}
		defer h.caller.close()
		if err := h.open(ctx); err != nil {
			return err
		}
		return errors.Join(h.callNext(ctx), h.together(ctx), h.pages(ctx))
	})
}

// largeConfig writes the demo's two files again with many windows in them and nothing that waits for a device.
func (b *bench) largeConfig() (path string, err error) {
	dir := filepath.Dir(b.demo.Agent.Config)
	site, plan, err := b.demoConfig()
	if err != nil {
		return "", err
	}
	for _, key := range []string{"devices", "cameras", "relay", "cloud"} {
		delete(site, key)
	}
	site["data"], site["plan"] = filepath.Join(dir, "large"), "large-hall.yaml"
	if web, ok := site["web"].(map[string]any); ok {
		web["listen"] = "127.0.0.1:0"
	}
	var queues, windows []any
	for _, id := range largeQueues {
		queues = append(queues, map[string]any{"id": string(id), "name": "业务" + string(id)})
	}
	for w := range largeWindows {
		serves := []any{}
		for i := range 4 { // each queue at forty windows
			serves = append(serves, string(largeQueues[(w+3*i)%len(largeQueues)]))
		}
		windows = append(windows, map[string]any{"id": strconv.Itoa(w + 1), "queues": serves})
	}
	hall := map[string]any{
		"schema": plan["schema"], "revision": plan["revision"], "zone": plan["zone"], "queues": queues, "windows": windows,
		"screens": []any{map[string]any{"id": "1", "name": "等候区大屏"}}, "kiosks": []any{map[string]any{"id": "1"}},
		"rules": map[string]any{"takes_per_s": 1000, "call_gap_s": 0},
	}
	path = filepath.Join(dir, "large.yaml")
	return path, errors.Join(writeYAML(path, site), writeYAML(filepath.Join(dir, "large-hall.yaml"), hall))
}

type largeHall struct {
	bench  *bench
	demo   *demo.Demo
	caller *caller
}

// open opens all windows and lets the crowd come, a quarter of them with privilege.
func (h *largeHall) open(ctx context.Context) error {
	crowd := largeCrowd
	if h.bench.effort.bursts == 1 { // a sign of life
		crowd = 500
	}
	return errors.Join(
		h.all(largeWindows, func(w int) error { return h.verb(ctx, w+1, "open") }),
		h.all(largeWindows, func(lane int) error {
			for n := lane; n < crowd; n += largeWindows {
				class := "normal"
				if n%4 == 0 {
					class = "elder"
				}
				body := fmt.Sprintf(`{"queue":%q,"channel":"desk","class":%q,"override":"bench"}`, string(largeQueues[n%len(largeQueues)]), class)
				if _, _, err := h.caller.post(ctx, "staff", "/api/v1/tickets", body, http.StatusCreated); err != nil {
					if strings.Contains(err.Error(), "take_limited") { // the hall's rate holds for benches too
						n -= largeWindows
						if err := pause(ctx, 50*time.Millisecond); err != nil {
							return err
						}
						continue
					}
					return err
				}
			}
			return nil
		}))
}

// all does something n times at once.
func (h *largeHall) all(n int, do func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (h *largeHall) verb(ctx context.Context, window int, verb string) error {
	_, _, err := h.caller.post(ctx, "staff", fmt.Sprintf("/api/v1/windows/%d/%s", window, verb), "{}", http.StatusOK)
	return err
}

// callNext measures the processor's time of a call while all wait, beside a command that looks at nobody's place.
func (h *largeHall) callNext(ctx context.Context) error {
	cost := func(verb string) (time.Duration, error) {
		before, err := cpuOf(h.demo.Agent.PID)
		if err != nil {
			return 0, err
		}
		for w := range largeWindows {
			if err := h.verb(ctx, w+1, verb); err != nil {
				return 0, err
			}
		}
		after, err := cpuOf(h.demo.Agent.PID)
		return (after - before) / largeWindows, err
	}
	call, err := cost("call-next")
	if err != nil {
		return err
	}
	plain, err := cost("start")
	if err != nil {
		return err
	}
	h.bench.report.add(row{
		what:   fmt.Sprintf("call-next, %d waiting, %d windows, HTTP and disk included", largeCrowd, largeWindows),
		figure: ms(call) + " CPU a call", limit: "开始办理, which looks at nobody's place: " + ms(plain) + " CPU",
		ratio: times(call, plain), target: met("CPU < 2 ms", call < 2*time.Millisecond),
	})
	return nil
}

// together lets every window press 办结并叫下一个 at the same moment.
func (h *largeHall) together(ctx context.Context) error {
	disk, err := probe(h.demo.Dir, h.bench.effort.disk)
	if err != nil {
		return err
	}
	var worst time.Duration
	var took spread
	for range h.bench.effort.bursts {
		var mu sync.Mutex
		numbers := map[string]bool{}
		start := make(chan struct{})
		began := time.Now()
		time.AfterFunc(50*time.Millisecond, func() { began = time.Now(); close(start) })
		err := h.all(largeWindows, func(w int) error {
			<-start
			t, raw, err := h.caller.post(ctx, "staff", fmt.Sprintf("/api/v1/windows/%d/call-next", w+1), "{}", http.StatusOK)
			var a demo.WindowAnswer
			if err == nil {
				err = json.Unmarshal(raw, &a)
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, t)
			if a.Ticket != nil {
				numbers[a.Ticket.Number] = true
			}
			return nil
		})
		worst = max(worst, time.Since(began))
		if err != nil {
			return err
		}
		if len(numbers) != largeWindows {
			return fmt.Errorf("%d windows called %d numbers", largeWindows, len(numbers))
		}
	}
	alone := 2 * disk.took.at(50) * largeWindows
	h.bench.report.add(row{
		what:   fmt.Sprintf("%d windows call at once, worst of %d, all different", largeWindows, h.bench.effort.bursts),
		figure: fmt.Sprintf("all answered in %s, %s", ms(worst), took), limit: fmt.Sprintf("one after the other, 2 syncs each: %s", ms(alone)),
		ratio: times(worst, alone), target: met("all ≤ 200 ms", worst <= 200*time.Millisecond),
	})
	return nil
}

// pages measures from a press until the last of all screens has heard of it, while the windows' pages listen too, beside the same
// with one screen.
func (h *largeHall) pages(ctx context.Context) error {
	one, err := h.fanOut(ctx, 1, 0)
	if err != nil {
		return err
	}
	many, err := h.fanOut(ctx, largeScreens, largeWindows)
	if err != nil {
		return err
	}
	h.bench.report.add(row{
		what:   fmt.Sprintf("press → the last of %d screens, %d window pages listen too (%d presses)", largeScreens, largeWindows, len(many)),
		figure: many.String(), limit: "one screen and no other page: " + one.String(),
		ratio:  fmt.Sprintf("p50 %s, p99 %s", times(many.at(50), one.at(50)), times(many.at(99), one.at(99))),
		target: met("p99 < 150 ms", many.at(99) < 150*time.Millisecond),
	})
	return nil
}

func (h *largeHall) fanOut(ctx context.Context, screens, windows int) (took spread, err error) {
	var stops []func()
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	calls := make([]chan time.Time, screens)
	for i := range screens + windows {
		role := "screen"
		if i >= screens {
			role = "staff"
		}
		events, stop, err := h.demo.Follow(role)
		if err != nil {
			return nil, err
		}
		stops = append(stops, stop)
		if i < screens {
			calls[i] = make(chan time.Time, 1)
			go noteCalls(events, calls[i])
			continue
		}
		go func() {
			for range events { // as a window reads it
			}
		}()
	}
	for n := range min(h.bench.effort.presses, largeWindows) {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := h.verb(ctx, n+1, "call-next"); err != nil {
			return nil, err
		}
		last := began
		for _, seen := range calls {
			select {
			case at, open := <-seen:
				if !open {
					return nil, errors.New("an event stream ended")
				}
				if at.After(last) {
					last = at
				}
			case <-time.After(demo.Patience):
				return nil, errors.New("the call did not reach every screen")
			}
		}
		took = append(took, last.Sub(began))
	}
	return took, nil
}

// cpuOf gives the processor's time a program has used, proc(5) fields 14 and 15 in hundredths of a second.
func cpuOf(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is %q", pid, raw)
	}
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}
