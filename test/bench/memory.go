package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"halledge/test/demo"
)

// memory is what the kernel says a process holds, in KiB: now and at most.
type memory struct{ now, most int }

func memoryOf(pid int) (m memory, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(line, ":")
		into := map[string]*int{"VmRSS": &m.now, "VmHWM": &m.most}[key]
		if into == nil {
			continue
		}
		if *into, err = strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB"))); err != nil {
			return m, err
		}
	}
	return m, nil
}

// addMemory reports a profile's memory. Its limit is the program itself: what it must map to run at all.
func (b *bench) addMemory(what string, m memory, program int64, targetMB int) {
	mb := func(kib int) string { return fmt.Sprintf("%.1f MB", float64(kib)*1024/1e6) }
	b.report.add(row{
		what:   what,
		figure: fmt.Sprintf("RSS %s, at most %s", mb(m.now), mb(m.most)),
		limit:  fmt.Sprintf("program file %.1f MB", float64(program)/1e6),
		ratio:  fmt.Sprintf("%.1f×", float64(m.now)*1024/float64(program)),
		target: met(fmt.Sprintf("at most %d MB", targetMB), m.most*1024 <= targetMB*1_000_000),
	})
}

func (b *bench) size() (int64, error) {
	fi, err := os.Stat(b.program)
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// fullMemory uses the demo's hall lightly: somebody takes a slip and is called and served every two seconds, a screen follows, a
// page asks for the hall.
func (b *bench) fullMemory(ctx context.Context) error {
	size, err := b.size()
	if err != nil {
		return err
	}
	c := newCaller(b.demo, 1)
	defer c.close()
	events, stop, err := b.demo.Follow("screen")
	if err != nil {
		return err
	}
	defer stop()
	go func() {
		for range events { // as a screen reads it
		}
	}()
	if _, _, err := c.post(ctx, "staff", "/api/v1/windows/2/open", "{}", http.StatusOK); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < b.effort.use; {
		for _, p := range []struct {
			role, path, body string
			want             int
		}{
			{"kiosk", "/api/v1/tickets", `{"queue":"C","channel":"kiosk"}`, http.StatusCreated},
			{"staff", "/api/v1/windows/2/call-next", "{}", http.StatusOK},
			{"staff", "/api/v1/windows/2/finish", "{}", http.StatusOK},
		} {
			if _, _, err := c.post(ctx, p.role, p.path, p.body, p.want); err != nil {
				return err
			}
		}
		if err := look(b.demo, b.demo.Agent.URL); err != nil {
			return err
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	m, err := memoryOf(b.demo.Agent.PID)
	if err != nil {
		return err
	}
	b.addMemory(fmt.Sprintf("memory, full hall, 2 cameras, after %s", b.effort.use), m, size, 128)
	return nil
}

// look reads the hall as a page does.
func look(d *demo.Demo, base string) error {
	a, err := d.Do(base, d.Agent.Tokens["staff"], http.MethodGet, "/api/v1/hall", nil, nil)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("GET /api/v1/hall: %d %s", a.Status, a.Body)
	}
	return err
}

// villageMemory stops the demo's agent and runs one of a village in its place: one camera, one queue, one window, no device.
func (b *bench) villageMemory(ctx context.Context) error {
	size, err := b.size()
	if err != nil {
		return err
	}
	if _, err := b.sim("stop", "agent"); err != nil {
		return err
	}
	path, err := b.villageConfig()
	if err != nil {
		return err
	}
	m, err := b.village(ctx, path)
	if err != nil {
		return err
	}
	b.addMemory(fmt.Sprintf("memory, village hall, 1 camera relayed, after %s", b.effort.use), m, size, 48)
	return nil
}

// village runs the agent for a while, from when its camera is relayed: then it has signed in with its certificates.
func (b *bench) village(ctx context.Context, config string) (m memory, err error) {
	err = b.another(ctx, config, func(base string, pid int) (err error) {
		if err := b.relayed(ctx, base); err != nil {
			return err
		}
		for began := time.Now(); time.Since(began) < b.effort.use; {
			if err := look(b.demo, base); err != nil {
				return err
			}
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
		}
		m, err = memoryOf(pid)
		return err
	})
	return m, err
}

// relayed waits until the only camera is relayed.
func (b *bench) relayed(ctx context.Context, base string) error {
	for began := time.Now(); ; {
		a, err := b.demo.Do(base, b.demo.Agent.Tokens["staff"], http.MethodGet, "/api/v1/cameras", nil, nil)
		switch {
		case err != nil:
			return err
		case strings.Contains(string(a.Body), `"relaying"`):
			return nil
		case time.Since(began) > demo.Patience:
			return fmt.Errorf("the village's camera is not relayed: %d %s", a.Status, a.Body)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// villageConfig writes the demo's two files again with a village in them. The demo's box becomes the village's: it has its keys and
// certificates, and speaks with the centre by them.
func (b *bench) villageConfig() (path string, err error) {
	dir := filepath.Dir(b.demo.Agent.Config)
	site, plan, err := b.demoConfig()
	if err != nil {
		return "", err
	}
	hall, ok := site["hall"].(map[string]any)
	cameras, ok2 := site["cameras"].([]any)
	data, ok3 := site["data"].(string)
	if !ok || !ok2 || !ok3 || len(cameras) == 0 {
		return "", errors.New("the demo's agent.yaml has no hall, no data or no camera")
	}
	own := filepath.Join(dir, "village")
	if err := os.Mkdir(own, 0o700); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(data, "identity"), filepath.Join(own, "identity")); err != nil {
		return "", err
	}
	hall["profile"] = "village"
	site["cameras"] = cameras[:1]
	site["data"], site["plan"] = own, "village-hall.yaml"
	site["web"] = map[string]any{"listen": "127.0.0.1:0", "tokens": []any{map[string]any{"role": "staff", "secret": "file:secrets/staff.token"}}}
	delete(site, "devices")
	village := map[string]any{
		"schema": plan["schema"], "revision": plan["revision"], "zone": plan["zone"],
		"queues":  []any{map[string]any{"id": "A", "name": "综合受理"}},
		"windows": []any{map[string]any{"id": "1", "queues": []any{"A"}}},
	}
	path = filepath.Join(dir, "village.yaml")
	return path, errors.Join(writeYAML(path, site), writeYAML(filepath.Join(dir, "village-hall.yaml"), village))
}
