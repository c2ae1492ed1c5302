package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"halledge/test/demo"
)

// deviceState is one of GET /api/v1/devices.
type deviceState struct{ Name, State, Code string }

func (b *bench) deviceStates(base string) ([]deviceState, error) {
	a, err := b.demo.Do(base, b.demo.Agent.Tokens["ops"], http.MethodGet, "/api/v1/devices", nil, nil)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("GET /api/v1/devices: %d %s", a.Status, a.Body)
	}
	var all struct{ Devices []deviceState }
	if err == nil {
		err = json.Unmarshal(a.Body, &all)
	}
	return all.Devices, err
}

// waitDevices waits until so says of the devices.
func (b *bench) waitDevices(ctx context.Context, base, what string, so func([]deviceState) bool) error {
	const look = 5 * time.Millisecond
	for began := time.Now(); ; {
		all, err := b.deviceStates(base)
		if err != nil {
			return err
		}
		if so(all) {
			return nil
		}
		if time.Since(began) > demo.Patience {
			return fmt.Errorf("waited for %s: %+v", what, all)
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}

func well(all []deviceState) bool {
	for _, d := range all {
		if d.State != "ok" {
			return false
		}
	}
	return len(all) > 0
}

// replugs pulls each device out and puts it back: how long it takes until it works again.
func (b *bench) replugs(ctx context.Context) error {
	base := b.demo.Agent.URL
	if err := b.waitDevices(ctx, base, "all to be well", well); err != nil {
		return err
	}
	var all []string
	for _, d := range b.demo.Devices {
		if d.PTY != "" { // nothing tells when a device on the network is back
			all = append(all, d.Name)
		}
	}
	var took spread
	for range b.effort.replugs {
		for _, name := range all {
			is := func(state string) func([]deviceState) bool {
				return func(all []deviceState) bool {
					for _, now := range all {
						if now.Name == name {
							return now.State == state
						}
					}
					return false
				}
			}
			if _, err := b.sim("unplug", name); err != nil {
				return err
			}
			if err := b.waitDevices(ctx, base, name+" to be missed", is("offline")); err != nil {
				return err
			}
			if _, err := b.sim("plug", name); err != nil {
				return err
			}
			plugged := time.Now()
			if err := b.waitDevices(ctx, base, name+" to be back", is("ok")); err != nil {
				return err
			}
			took = append(took, time.Since(plugged))
		}
	}
	const target = 2 * time.Second
	b.report.add(row{what: fmt.Sprintf("plugged in again → works (%d devices, %d times)", len(all), len(took)), figure: took.String(), limit: "–", ratio: "–",
		target: met("p99 < 2 s", took.at(99) < target)})
	return nil
}

// idle measures what devices cost that nobody uses, in an agent in the place of the demo's that has nothing else, beside one without.
func (b *bench) idle(ctx context.Context) (err error) {
	if _, err := b.sim("stop", "agent"); err != nil {
		return err
	}
	defer func() {
		_, again := b.sim("start", "agent")
		err = errors.Join(err, again, b.reload(ctx))
	}()
	site, _, err := b.demoConfig()
	if err != nil {
		return err
	}
	devices, _ := site["devices"].([]any)
	for _, key := range []string{"cameras", "relay", "cloud", "codes"} {
		delete(site, key)
	}
	if web, ok := site["web"].(map[string]any); ok {
		web["listen"] = "127.0.0.1:0"
	}
	with, err := b.share(ctx, site, "idle")
	if err != nil {
		return err
	}
	delete(site, "devices")
	without, err := b.share(ctx, site, "bare")
	if err != nil {
		return err
	}
	pads, err := padsOf(devices)
	if err != nil {
		return err
	}
	polls, err := b.bareShare(ctx, pads)
	if err != nil {
		return err
	}
	const eight, most = 8, 1.0
	of8 := (with - without) * eight / float64(max(len(devices), 1))
	b.report.add(row{
		what: fmt.Sprintf("%d devices that nobody uses, over %s", len(devices), b.effort.quiet), figure: fmt.Sprintf("%.2f %% of a core", with),
		limit:  fmt.Sprintf("without devices %.2f %%; a bare loop that polls the call pad %.2f %%", without, polls),
		ratio:  fmt.Sprintf("8 devices: %.2f %%", of8),
		target: met("8 devices < 1 % of a core", of8 < most),
	})
	return nil
}

// padsOf gives where the call pads are that must be polled.
func padsOf(devices []any) (paths []string, err error) {
	for _, d := range devices {
		one, _ := d.(map[string]any)
		if one["model"] != "halledge-pad" {
			continue
		}
		at, _ := one["connect"].(map[string]any)
		path, ok := at["serial"].(string)
		if !ok {
			return nil, fmt.Errorf("%v is on no serial line", one["name"])
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// share gives the part of a core, in percent, that an agent takes whom nobody asks for anything.
func (b *bench) share(ctx context.Context, site map[string]any, name string) (share float64, err error) {
	dir := filepath.Dir(b.demo.Agent.Config)
	site["data"] = filepath.Join(dir, name)
	path := filepath.Join(dir, name+".yaml")
	if err := writeYAML(path, site); err != nil {
		return 0, err
	}
	err = b.another(ctx, path, func(base string, pid int) error {
		if site["devices"] != nil {
			if err := b.waitDevices(ctx, base, "all to be well", well); err != nil {
				return err
			}
		}
		share, err = b.shareOf(ctx, pid)
		return err
	})
	return share, err
}

// shareOf gives the part of a core, in percent, that a program takes from now on.
func (b *bench) shareOf(ctx context.Context, pid int) (share float64, err error) {
	if err := pause(ctx, b.effort.disk); err != nil { // what begins is over
		return 0, err
	}
	before, err := cpuOf(pid)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := pause(ctx, b.effort.quiet); err != nil {
		return 0, err
	}
	after, err := cpuOf(pid)
	return 100 * (after - before).Seconds() / time.Since(began).Seconds(), err
}

// reload waits until the demo's agent is up again and finds it.
func (b *bench) reload(ctx context.Context) error {
	for began := time.Now(); ; {
		err := b.demo.Reload()
		if err == nil {
			err = b.demo.Ready(b.demo.Agent.URL)
		}
		if err == nil || time.Since(began) > demo.Patience {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
