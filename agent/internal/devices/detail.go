package devices

import (
	"cmp"
	"slices"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/registry"
)

// Detail is what somebody who looks after a device wants to know of it beside its status.
type Detail struct {
	Title    string // of its model; empty for a model that is not known
	Where    string // how it is connected, as configured
	Node     string // the node it has now; empty: it is not plugged in, or no device of this machine
	Port     string // the socket that it is or was in; empty: not known, or none of USB
	Text     string // what its driver says of what is wrong
	LastGood time.Time
	Counters device.Counters
	Cause    *Root // what is behind its trouble; nil: nothing else
	Records  bool  // its bytes are recorded
}

// Details gives what is to be known of every device, by name.
func (s *Set) Details() map[string]Detail {
	roots := s.Roots()
	all := make(map[string]Detail, len(s.slots))
	for _, sl := range s.slots {
		h, c := sl.Health(), sl.site.Connect
		d := Detail{
			Title: s.models[registry.Key{Class: sl.class, Name: sl.model}].Title, Where: cmp.Or(c.Serial, c.TCP, c.File, "usb:"+c.USB), Node: s.nodeOf(sl), Port: sl.socket(),
			Text: h.Detail, LastGood: h.LastGood, Counters: h.Counters, Records: sl.tape.On(),
		}
		if sl.page != "" {
			d.Title, d.Where = sl.page, "/screen/"+sl.place.ID
		}
		if i := slices.IndexFunc(roots, func(r Root) bool { return slices.Contains(r.Devices, sl.name) }); i >= 0 {
			d.Cause = &roots[i]
		}
		all[sl.name] = d
	}
	return all
}
