package devices

import (
	"slices"

	"halledge/agent/internal/config"
	"halledge/agent/internal/config/stanza"
	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/registry"
)

// Proposal is a device as it would be configured: everything an installer has to write.
type Proposal struct {
	Offer
	Name   string `json:"name"`   // the first of its kind that the hall has not yet
	Stanza string `json:"stanza"` // its entry in agent.yaml
}

// Spare is something plugged in that no configured device is, and what it may be.
type Spare struct {
	attached.Node
	Ref       string     `json:"ref,omitempty"` // that leads to it; empty for what is on the mainboard
	Proposals []Proposal `json:"proposals"`     // the likeliest first; none where nothing can be told
}

// Spares gives of what was found that which is not configured.
func Spares(found []Found, site []config.Device, plan *config.Plan) []Spare {
	list := []Spare{}
	for _, f := range found {
		if f.Device != "" {
			continue
		}
		s := Spare{Node: f.Node, Ref: f.Ref, Proposals: []Proposal{}}
		for _, o := range f.Offers {
			d := o.Configured(FreeName(o.Class, site, plan))
			s.Proposals = append(s.Proposals, Proposal{o, d.Name, stanza.Of(d)})
		}
		list = append(list, s)
	}
	return list
}

// Configured gives the entry of an offer under a name.
func (o Offer) Configured(name string) config.Device {
	c := o.Connect
	return config.Device{
		Name: name, Model: o.Model,
		Connect: config.Connect{Serial: c.Serial, TCP: c.TCP, File: c.File, USB: c.USB},
	}
}

// OfferOf gives how a model is connected at a node; ok is false when its driver does not drive such nodes.
func OfferOf(m registry.Model, n attached.Node, ref string, reg *registry.Registry) (o Offer, ok bool) {
	connect, ok := reg.At(m, n, ref)
	return Offer{Class: m.Class, Model: m.Name, Title: m.Title, Sure: m.Comes(n) == 2, Connect: connect}, ok
}

// FreeName is the first name for a device of a class that the hall has not yet: where people take tickets for what they use there, at the
// windows for what the staff use. Where every place has one it is that of the first place, for somebody to change.
func FreeName(class device.Class, site []config.Device, plan *config.Plan) string {
	role := config.RoleOf(class)
	var places []string
	switch class {
	case device.ClassPrinter, device.ClassScanner, device.ClassIDCard:
		for _, k := range plan.Kiosks {
			places = append(places, config.Place{Kind: "kiosk", ID: k.ID}.String())
		}
		places = append(places, "desk-1")
	case device.ClassCallPad, device.ClassRatingPad:
		for _, w := range plan.Windows {
			places = append(places, config.Place{Kind: "window", ID: w.ID}.String())
		}
	default:
		places = []string{"hall"}
		for _, w := range plan.Windows {
			places = append(places, config.Place{Kind: "window", ID: w.ID}.String())
		}
	}
	if len(places) == 0 {
		return "hall." + role
	}
	free := slices.IndexFunc(places, func(place string) bool {
		return !slices.ContainsFunc(site, func(d config.Device) bool { return d.Name == place+"."+role })
	})
	return places[max(free, 0)] + "." + role
}
