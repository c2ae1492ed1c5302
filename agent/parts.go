package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/present"
	"halledge/agent/internal/printing"
	"halledge/agent/internal/queue"
	"halledge/agent/kit/supervise"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Parts without which nothing goes.
const (
	partStore = "store"
	partWeb   = "web"
)

// parts lists what runs, in the order of starting. They stop the other way round.
func (a *Agent) parts() []supervise.Part {
	printers := printing.New(printing.Options{
		Hall: a.hall, Printer: a.printerAt, Render: a.renderSlip, Log: a.log.With("part", "printing"),
	})
	out := []supervise.Part{
		{Name: partStore, Run: a.store.Run},
		{Name: "checkpoints", Run: a.store.Checkpoints},
		{Name: "hall", Run: a.hall.Run},
		{Name: "devices", Run: a.devices.Run},
		{Name: "identity", Run: a.identity.Run, StopWithin: 15 * time.Second},
		{Name: "numbers", Run: a.goOnPassing},
		{Name: "watchdog", Run: a.watchdog},
		{Name: "conditions", Run: a.watcher.Run},
		{Name: "disk", Run: a.watchDisk},
		{Name: "device-facts", Run: a.noteDevices},
		{Name: "code-rules", Run: a.rules.Run},
		{Name: "notices", Run: a.notices.Run},
		{Name: "uplink", Run: a.uplink.Run, StopWithin: 15 * time.Second},
	}
	if a.relay != nil {
		out = append(out, supervise.Part{Name: "relay", Run: a.relay.Run})
	}
	out = append(out,
		supervise.Part{Name: "printing", Run: printers.Run, StopWithin: 40 * time.Second},
		supervise.Part{Name: "panels", Run: present.New(a.hall, a.panels(), a.log.With("part", "panels")).Run},
		supervise.Part{Name: "voice", Run: a.voice.Run},
		supervise.Part{Name: "pads", Run: a.pads().Run},
		supervise.Part{Name: "raters", Run: a.raters().Run},
		supervise.Part{Name: "inputs", Run: a.inputs},
		supervise.Part{Name: partWeb, Run: a.web.Run},
		supervise.Part{Name: "plan", Run: a.followPlan},
		supervise.Part{Name: "ready", Run: a.ready},
	)
	return out
}

// passNumbers has the day go on behind the numbers of the boxes before this one, as far as the box has heard of any. Before that the hall gives
// none: what is done here is to keep that it was done.
func (a *Agent) passNumbers(ctx context.Context) error {
	thousands := a.identity.Before()
	if thousands == 0 {
		return nil
	}
	passed, err := a.hall.Pass(ctx, thousands)
	if err != nil {
		return fmt.Errorf("pass numbers of other boxes: %w", err)
	}
	if !passed {
		return nil
	}
	a.log.Info("numbers of the boxes before this one passed over", "thousands", thousands)
	return a.identity.NumbersPassed(thousands)
}

// passOthers does so for those that the centre knows of when the box's log is new to it.
func (a *Agent) passOthers(ctx context.Context, thousands int) error {
	_, err := a.hall.Pass(ctx, thousands) // without the time the hall remembers it
	return err
}

// goOnPassing does so whenever the box hears of others, for it may have worked alone, or in another hall's spare room, and whenever the hall may
// have learned what day it is.
func (a *Agent) goOnPassing(ctx context.Context) error {
	dirty, cancel := a.hall.Watch()
	defer cancel()
	for {
		changed := a.identity.Changed()
		if err := a.passNumbers(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-dirty:
		}
	}
}

// inputs passes what citizens show to the pages of the places where they show it.
func (a *Agent) inputs(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-a.devices.Cards():
			a.web.CardShown(c.Place.String(), c.IDCard)
		case s := <-a.devices.Scans():
			a.web.Scanned(ctx, s.Place.String(), s.Payload)
		case u := <-a.devices.Unread():
			a.web.Unreadable(u.Place.String(), u.Fault)
		}
	}
}

// ready tells the outside once that the hall can be used: its business day is open and its server answers.
func (a *Agent) ready(ctx context.Context) error {
	dirty, cancel := a.hall.Watch()
	defer cancel()
	for {
		open := false
		a.hall.Read(func(s *queue.State, _ hallsync.Seq) { open = s.Day() != "" })
		if open {
			a.opts.Ready(a.web.Addr().String())
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-dirty:
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// printerName is the printer of a place such as kiosk-1, or its second one.
func (a *Agent) printerName(place string, spare bool) string {
	if id, isKiosk := strings.CutPrefix(place, "kiosk-"); isKiosk {
		for _, k := range a.plan.Load().Kiosks {
			switch {
			case k.ID != id:
			case spare:
				return k.SpareName()
			default:
				return k.PrinterName()
			}
		}
	}
	if spare {
		return place + ".spare"
	}
	return place + ".printer"
}

func (a *Agent) printerAt(place string, spare bool) (string, device.Printer, bool) {
	name := a.printerName(place, spare)
	p, ok := a.devices.Printer(name)
	return name, p, ok
}

// windowOf is the window a device stands at, or empty for one of the whole hall.
func windowOf(p config.Place) hallsync.WindowID {
	if p.Kind == "window" {
		return hallsync.WindowID(p.ID)
	}
	return ""
}

func (a *Agent) panels() (out []present.Panel) {
	for _, d := range a.devices.Screens() {
		out = append(out, present.Panel{Name: d.Name, Screen: d.Device, View: a.viewOf(d.Name, d.Place), Renewed: d.Renewed})
	}
	return out
}

// viewOf is what a screen at a place shows: at a window that window, where the plan has a screen what that shows, else the whole hall.
// A page has the plan's notice at its foot all the time.
func (a *Agent) viewOf(name string, p config.Place) present.View {
	v := present.View{Window: windowOf(p), Texts: present.Texts(a.plan.Load().Rules.Panels)}
	if p.Kind != "screen" {
		return v
	}
	for _, s := range a.plan.Load().Screens {
		if s.ID == p.ID {
			if name != pageName(s.ID) {
				v.Notice = s.Notice
			}
			for _, w := range s.Windows {
				v.Windows = append(v.Windows, hallsync.WindowID(w))
			}
		}
	}
	return v
}

// settled is how long a device's state must last before it becomes a fact: a cable that is moved is no news.
const settled = 10 * time.Second

// noteDevices writes lasting changes of devices into the log. What the log says already is no change, also after a restart.
func (a *Agent) noteDevices(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for _, d := range a.devices.Statuses() {
			now, lasts := lasting(d, time.Now())
			if !lasts {
				continue
			}
			known := false
			a.hall.Read(func(s *queue.State, _ hallsync.Seq) { known = s.Device(d.Name) == now })
			if known {
				continue
			}
			if _, err := a.hall.Do(ctx, queue.Note{Fact: now}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// lasting gives what the log is to say of a device, once its condition has lasted. A scanner or card reader that is there is well:
// what somebody holds before it or puts on it writes nothing into the log, however often he does it, and whoever looks after the
// hall is told of it as a condition.
func lasting(d hallsync.DeviceStatus, now time.Time) (fact hallsync.DeviceChanged, lasts bool) {
	if d.State == string(device.Starting) || now.Sub(d.Since) < settled {
		return hallsync.DeviceChanged{}, false
	}
	fact = hallsync.DeviceChanged{Device: d.Name, Class: d.Class, State: d.State, Code: d.Code}
	switch device.Code(d.Code) {
	case device.CodeNoise, device.CodeCardsUnread, device.CodeUnclear:
		fact.State, fact.Code = string(device.OK), ""
	}
	return fact, true
}
