package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/phc"
	"halledge/agent/kit/strictyaml"
	"halledge/drivers/device"
)

func (c *checker) plan(p *Plan) {
	if p.Revision < 0 {
		c.at("$.revision", strictyaml.NotAllowed, "value", fmt.Sprint(p.Revision), "allowed", "0, 1, 2 …")
	}
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "" || p.Zone == "Local" {
		c.at("$.zone", Zone, "value", p.Zone)
	}
	c.queues(p)
	c.windows(p)
	c.staff(p)
	c.kiosksAndScreens(p)
	c.between("$.rules.takes_per_s", p.Rules.TakesPerS, 1, 1000)
	c.between("$.rules.call_gap_s", p.Rules.CallGapS, 0, 60)
	c.oneOf("$.rules.arrival", p.Rules.Arrival, "assumed", "pressed")
	c.between("$.rules.end_after_min", p.Rules.EndAfterMin, 0, 24*60)
	if _, ok := ParseTime(p.Rules.EndFrom); !ok {
		c.at("$.rules.end_from", TimeOfDay, "value", p.Rules.EndFrom)
	}
	c.between("$.rules.pass_recall_s", p.Rules.PassRecallS, 0, 24*3600)
	c.between("$.rules.wait_min_count", p.Rules.WaitMinCount, 1, 100)
	c.order("$.rules.order", &p.Rules.Order)
	c.hallAdmission("$.rules.admission", p.Rules.Admission)
	c.between("$.rules.reprints", p.Rules.Reprints, 0, 100)
	c.between("$.rules.max_open", p.Rules.MaxOpen, 0, 100)
	c.calendar("$.rules.calendar", &p.Rules.Calendar)
	c.voice(&p.Rules.Voice, p)
	c.name("$.rules.panels.waiting", p.Rules.Panels.Waiting)
	c.name("$.rules.panels.paused", p.Rules.Panels.Paused)
	c.name("$.rules.panels.closed", p.Rules.Panels.Closed)
}

func (c *checker) queues(p *Plan) {
	if len(p.Queues) == 0 {
		c.at("$.queues", strictyaml.Missing, "key", "queues")
	}
	ids := set{}
	for i, q := range p.Queues {
		path := fmt.Sprintf("$.queues[%d]", i)
		c.form(path+".id", q.ID, queueID, QueueID)
		ids.add(c, path+".id", q.ID)
		if one, roll := strings.CutSuffix(q.ID, "R"); roll && slices.ContainsFunc(p.Queues, func(o Queue) bool { return o.ID == one }) { // R marks the numbers of a queue's paper roll
			c.at(path+".id", QueueRoll, "value", q.ID, "other", one)
		}
		c.name(path+".name", q.Name)
		c.short(path+".english", q.English, maxName)
		c.short(path+".dept", q.Dept, maxName)
		c.oneOf(path+".identity", q.Identity, "none", "optional", "required")
		c.between(path+".service_s", q.ServiceS, 0, 8*3600)
		c.order(path+".order", &p.Queues[i].Order)
		c.admission(path+".admission", &p.Queues[i].Admission)
		if queueID.MatchString(q.ID) && !slices.ContainsFunc(p.Windows, func(w Window) bool { return slices.Contains(w.Queues, q.ID) }) {
			c.doc.Warn(path+".id", QueueUnserved, map[string]string{"value": q.ID})
		}
	}
}

func (c *checker) windows(p *Plan) {
	if len(p.Windows) == 0 {
		c.at("$.windows", strictyaml.Missing, "key", "windows")
	}
	ids := set{}
	for i, w := range p.Windows {
		path := fmt.Sprintf("$.windows[%d]", i)
		c.form(path+".id", w.ID, placeID, PlaceID)
		ids.add(c, path+".id", w.ID)
		c.name(path+".name", w.Name)
		if len(w.Queues) == 0 {
			c.at(path+".queues", strictyaml.Missing, "key", "queues")
		}
		c.references(path+".queues", w.Queues, p.queueIDs(), UnknownQueue)
		for _, q := range slices.Sorted(maps.Keys(w.Weights)) {
			where := path + ".weights." + q
			c.known(where, q, w.Queues, UnknownQueue)
			c.between(where, w.Weights[q], 10, 1000)
		}
		if w.LockMin != nil {
			c.between(path+".lock_min", *w.LockMin, 0, maxLockMin)
		}
		if w.Reader != "" {
			c.known(path+".reader", w.Reader, p.kioskPlaces(), UnknownKiosk)
		}
	}
	c.between("$.rules.sign_in.lock_min", p.Rules.SignIn.LockMin, 0, maxLockMin)
}

// maxLockMin is the longest term after which a page locks, in minutes: later the session is over anyway.
const maxLockMin = 120

func (p *Plan) kioskPlaces() (out []string) {
	for _, k := range p.Kiosks {
		out = append(out, "kiosk-"+k.ID)
	}
	return out
}

func (c *checker) staff(p *Plan) {
	ids, cards := set{}, set{}
	for i, s := range p.Staff {
		path := fmt.Sprintf("$.staff[%d]", i)
		c.form(path+".id", s.ID, staffID, StaffID)
		ids.add(c, path+".id", s.ID)
		c.named(path+".name", s.Name, maxPerson)
		if _, err := phc.Parse(s.PIN); err != nil {
			c.at(path+".pin", PIN)
		}
		if s.Card != "" {
			c.card(path+".card", s.Card, cards)
		}
		c.references(path+".windows", s.Windows, p.windowIDs(), UnknownWindow)
		c.oneOf(path+".role", s.Role, "clerk", "manager")
	}
}

// card checks a digest. What stands in its place is not repeated: it may be the number of a card.
func (c *checker) card(path, digest string, others set) {
	if !cardDigest.MatchString(digest) {
		c.at(path, Card)
		return
	}
	others.add(c, path, digest)
}

func (c *checker) kiosksAndScreens(p *Plan) {
	ids := set{}
	for i, k := range p.Kiosks {
		path := fmt.Sprintf("$.kiosks[%d]", i)
		c.form(path+".id", k.ID, placeID, PlaceID)
		ids.add(c, path+".id", k.ID)
		c.name(path+".name", k.Name)
		c.references(path+".queues", k.Queues, p.queueIDs(), UnknownQueue)
		c.short(path+".desk", k.Desk, 20)
		c.oneOf(path+".camera", k.Camera, "none", "page")
	}
	ids = set{}
	for i, s := range p.Screens {
		path := fmt.Sprintf("$.screens[%d]", i)
		c.form(path+".id", s.ID, placeID, PlaceID)
		ids.add(c, path+".id", s.ID)
		c.name(path+".name", s.Name)
		c.references(path+".windows", s.Windows, p.windowIDs(), UnknownWindow)
		c.short(path+".notice", s.Notice, 200)
		if !bundle.ValidGroup(s.NoticeGroup()) {
			c.at(path+".group", ScreenGroup, "value", s.Group)
		}
	}
}

// hardware checks that the printers and speakers that the plan names are configured ones, and a spare printer another one.
func (c *checker) hardware(s *Site, p *Plan) {
	var printers, speakers []string
	for _, d := range s.Devices {
		switch {
		case d.Class() == device.ClassPrinter:
			printers = append(printers, d.Name)
		case strings.HasSuffix(d.Name, ".speaker"):
			speakers = append(speakers, d.Name)
		}
	}
	for i, z := range p.Rules.Voice.Zones {
		c.known(fmt.Sprintf("$.rules.voice.zones[%d].speaker", i), z.Speaker, speakers, UnknownSpeaker)
	}
	for i, k := range p.Kiosks {
		if k.Printer != "" {
			c.known(fmt.Sprintf("$.kiosks[%d].printer", i), k.Printer, printers, UnknownPrinter)
		}
		if k.Spare != "" {
			others := slices.DeleteFunc(slices.Clone(printers), func(name string) bool { return name == k.PrinterName() })
			c.known(fmt.Sprintf("$.kiosks[%d].spare", i), k.Spare, others, UnknownPrinter)
		}
	}
}

func (p *Plan) queueIDs() []string {
	return ids(p.Queues, func(q Queue) string { return q.ID })
}

func (p *Plan) windowIDs() []string {
	return ids(p.Windows, func(w Window) string { return w.ID })
}

func (p *Plan) kioskIDs() []string {
	return ids(p.Kiosks, func(k Kiosk) string { return k.ID })
}

func (p *Plan) screenIDs() []string {
	return ids(p.Screens, func(s Screen) string { return s.ID })
}

func ids[T any](list []T, id func(T) string) []string {
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = id(item)
	}
	return out
}
