package agent

import (
	"strconv"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/slips"
	"halledge/drivers/device"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/hallsync"
)

// report is what the cloud sees of the hall beside its facts.
func (a *Agent) report() hallsync.Report {
	r := hallsync.Report{
		Name: a.cfg.Site.Hall.Name, Profile: a.cfg.Site.Hall.Profile,
		Health: a.watcher.Conditions(), Devices: a.devices.Statuses(),
	}
	if a.relay != nil {
		r.Cameras = a.relay.Status()
	}
	r.Notices = a.noticeStatus()
	a.hall.Read(func(s *queue.State, _ hallsync.Seq) {
		for _, q := range s.Plan().Queues {
			r.Queues = append(r.Queues, hallsync.QueueStatus{ID: q.ID, Name: q.Name, Waiting: s.Waiting(q.ID)})
		}
		for _, w := range s.Plan().Windows {
			r.Windows = append(r.Windows, hallsync.WindowStatus{ID: w.ID, Name: w.Name})
		}
	})
	return r
}

// renderSlip fills the slip of one ticket for the paper of a printer.
func (a *Agent) renderSlip(m queue.Moment, t queue.Ticket, printer string) (device.PrintJob, error) {
	d := slips.Data{
		Hall: a.cfg.Site.Hall.Name, Number: t.Number, Class: t.Class, Ahead: m.Ahead(t.ID), TakenAt: t.TakenAt.In(m.State.Plan().Location),
		Serial: t.FlowNo, Link: a.signer.TicketURL(t.ID), Copy: t.Reprints, Logo: a.logo,
	}
	d.Wait = m.Waits().Tickets[t.ID]
	for _, q := range a.plan.Load().Queues {
		if q.ID == string(t.Queue) {
			d.Queue, d.Dept = q.Name, q.Dept
		}
	}
	for _, next := range t.Then {
		for _, q := range m.State.Plan().Queues {
			if q.ID == next {
				d.Then = append(d.Then, q.Name)
			}
		}
	}
	for _, b := range m.State.Bookings() {
		if t.Booking != "" && b.Booking == t.Booking {
			d.BookedFrom, d.BookedTo = b.Start.In(m.State.Plan().Location), b.End.In(m.State.Plan().Location)
		}
	}
	for _, w := range a.plan.Load().Windows {
		for _, q := range w.Queues {
			if q == string(t.Queue) {
				d.Windows = append(d.Windows, w.ID)
			}
		}
	}
	return a.slips.For(a.columns(printer)).Render(d)
}

// widePaper is how many columns a printer has that says nothing about it.
const widePaper = 48

// columns is the width of a printer's paper, as the site or the printer's model says.
func (a *Agent) columns(name string) int {
	for _, d := range a.cfg.Site.Devices {
		if d.Name != name {
			continue
		}
		text, said := d.Options["columns"]
		if !said {
			text = a.models[registry.Key{Class: device.ClassPrinter, Name: d.Model}].Options["columns"]
		}
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return widePaper
}
