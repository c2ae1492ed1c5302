package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"halledge/test/demo"
)

// unreadable is what the kiosk hears of something that could not be read.
type unreadable struct{ Kind, Code, Detail, Identity string }

// hears lets something happen at the kiosk until the kiosk hears a code: what follows within a second is told once.
func hears(t *testing.T, events <-chan demo.Event, code string, happen func()) unreadable {
	t.Helper()
	deadline := time.After(demo.Patience)
	for {
		happen()
		again := time.After(3 * time.Second)
		for waiting := true; waiting; {
			select {
			case e, open := <-events:
				if !open {
					t.Fatal("the stream ended")
				}
				var in unreadable
				if e.Name == "input" && json.Unmarshal([]byte(e.Data), &in) == nil && in.Code == code {
					return in
				}
			case <-again:
				waiting = false
			case <-deadline:
				t.Fatalf("the kiosk never heard %s", code)
			}
		}
	}
}

// devices gives the devices by name as the agent lists them.
func devices(t *testing.T, d *demo.Demo) map[string]struct{ Name, State, Code, Advice string } {
	t.Helper()
	var a struct {
		Devices []struct{ Name, State, Code, Advice string }
	}
	d.Get(t, "staff", "/api/v1/devices").Into(t, &a)
	all := map[string]struct{ Name, State, Code, Advice string }{}
	for _, dev := range a.Devices {
		all[dev.Name] = dev
	}
	return all
}

// are waits until devices have a state and a code; whoever is not well has advice.
func are(t *testing.T, d *demo.Demo, state, code string, names ...string) {
	t.Helper()
	demo.Until(t, demo.Patience, fmt.Sprintf("%v: %s %s", names, state, code), func() error {
		all := devices(t, d)
		for _, name := range names {
			dev := all[name]
			if dev.State != state && state != "" || dev.Code != code {
				return fmt.Errorf("%+v", dev)
			}
			if code != "" && !chinese(dev.Advice) {
				t.Fatalf("no advice in Chinese: %+v", dev)
			}
		}
		return nil
	})
}

// toldSince gives the kinds of the facts behind a place of the log. Those of devices, cameras and the log itself come when they come.
func toldSince(t *testing.T, d *demo.Demo, seq uint64) (kinds []string) {
	t.Helper()
	for _, f := range inCloud(t, d)[seq:] {
		switch about, _, _ := strings.Cut(f.Kind, "."); about {
		case "device", "camera", "key", "log", "segment":
		default:
			kinds = append(kinds, f.Kind)
		}
	}
	return kinds
}

func TestWhatCannotBeReadIsToldAndChangesNothing(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	before := d.Hall(t).Seq
	events := d.Stream(t, "kiosk")
	d.Sim(t, "tap-card")
	identity := shown(t, events, "idcard")
	t.Run("at the kiosk", func(t *testing.T) {
		for _, c := range []struct{ sim, code, says string }{
			{"scan --garbage", "scan_unreadable", "没有读到码"},
			{"scan --too-long", "scan_too_long", "这个码太长"},
			{"tap-card --damaged", "card_unreadable", "请把身份证平放在读卡区，停留 2 秒"},
			{"tap-card --removed", "card_removed", "没有读完"},
			{"tap-card --wrong", "card_unknown", "不是身份证"},
		} {
			in := hears(t, events, c.code, func() { d.Sim(t, strings.Fields(c.sim)...) })
			if in.Kind != "unreadable" || in.Identity != "" || !strings.Contains(in.Detail, c.says) || !strings.Contains(in.Detail, "请") {
				t.Errorf("%s: the kiosk heard %+v", c.sim, in)
			}
		}
	})
	t.Run("on a line that goes on with it", func(t *testing.T) { noiseUntilRead(t, d, events) })
	if told := toldSince(t, d, before); len(told) > 0 {
		t.Errorf("the log tells of %v", told)
	}
	t.Run("from any other device", func(t *testing.T) { nonsense(t, d) })
	if t.Failed() {
		return
	}
	citizen(t, d, identity, "A", "A001") // whoever was recognised before all this still is
	nothingPersonal(t, d)
}

// noiseUntilRead sends garbage until it is the scanner's condition, and a code that ends it.
func noiseUntilRead(t *testing.T, d *demo.Demo, events <-chan demo.Event) {
	const scanner = "kiosk-1.scanner"
	d.Sim(t, "noise", scanner)
	demo.Until(t, demo.Patience, "the noise on "+scanner, func() error {
		d.Sim(t, "scan")
		if dev := devices(t, d)[scanner]; dev.Code != "noise" {
			return fmt.Errorf("%+v", dev)
		}
		return nil
	})
	are(t, d, "degraded", "noise", scanner)
	if advice := devices(t, d)[scanner].Advice; !strings.Contains(advice, "波特率") {
		t.Errorf("the installer is told %q", advice)
	}
	out, err := d.Run("hall-agent", "doctor", "--config", d.Agent.Config)
	if code := exitCode(err); code != 0 || !strings.Contains(out, "! 设备 "+scanner) || !strings.Contains(out, "[device_noise]") {
		t.Errorf("doctor ends with %d\n%s", code, out)
	}
	demo.Until(t, demo.Patience, "the condition on the operators' page", func() error {
		var hall demo.Hall
		d.Get(t, "staff", "/api/v1/hall").Into(t, &hall)
		for _, c := range hall.Health {
			if c.Code == "device_noise" && chinese(c.Title) && chinese(c.Advice) {
				return nil
			}
		}
		return fmt.Errorf("%+v", hall.Health)
	})
	d.Sim(t, "noise", scanner, "off")
	d.Sim(t, "scan", "YSS-SIM-0007")
	are(t, d, "ok", "", scanner)
	shownLater(t, events, "yss_code")
}

// shownLater is shown, after what else the kiosk hears.
func shownLater(t *testing.T, events <-chan demo.Event, kind string) {
	t.Helper()
	deadline := time.After(demo.Patience)
	for {
		select {
		case e, open := <-events:
			if !open {
				t.Fatal("the stream ended")
			}
			var in unreadable
			if e.Name == "input" && json.Unmarshal([]byte(e.Data), &in) == nil && in.Kind == kind {
				return
			}
		case <-deadline:
			t.Fatalf("the kiosk heard of no %s", kind)
		}
	}
}

// nonsense lets devices that are asked answer with noise: they are named, and the hall is as before. That a device was out of order
// for long is a fact.
func nonsense(t *testing.T, d *demo.Demo) {
	asked := []string{"kiosk-1.printer", "kiosk-1.idcard", "hall.led", "window-1.pad", "hall.speaker"}
	before := d.Hall(t)
	for _, name := range asked {
		d.Sim(t, "noise", name)
	}
	for _, name := range asked {
		are(t, d, "", "bad_reply", name)
		d.Sim(t, "noise", name, "off")
	}
	are(t, d, "ok", "", asked...)
	after := d.Hall(t)
	if fmt.Sprint(before.Windows, before.Queues, before.Calls) != fmt.Sprint(after.Windows, after.Queues, after.Calls) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if a, err := d.Do(d.Agent.URL, "", http.MethodGet, "/readyz", nil, nil); err != nil || a.Status != http.StatusOK {
		t.Errorf("readyz: %d, %v", a.Status, err)
	}
}
