package devices

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"halledge/agent/internal/config"
	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/registry"
)

// Found is something plugged into this machine.
type Found struct {
	attached.Node
	Ref    string  `json:"ref,omitempty"` // leads to it and to no other alike; empty for what is on the mainboard
	Device string  `json:"device"`        // the configured device that it is; empty: none
	Offers []Offer `json:"offers"`        // the models that it may be, the likeliest first; none where nothing can be told
}

// Offer is a model that something plugged in may be, and how it is connected then.
type Offer struct {
	Class   device.Class     `json:"class"`
	Model   string           `json:"model"`
	Title   string           `json:"title"`
	Sure    bool             `json:"sure"` // its numbers are the model's own
	Connect registry.Connect `json:"-"`
}

// maxOffers is how many models somebody chooses from.
const maxOffers = 8

// Find tells what is plugged in: each device once, however many nodes it has, and which configured one it is. Mice and the like are
// left out.
func Find(nodes []attached.Node, site []config.Device, models registry.Models, reg *registry.Registry) []Found {
	refs := attached.Refs(nodes)
	places := make([]func(attached.Node) bool, len(site))
	for i, d := range site {
		places[i] = at(d)
	}
	spoken := make([]bool, len(site)) // of each configured device: it is one that was found already
	list := []Found{}
	for _, one := range byDevice(nodes) {
		f := Found{Offers: []Offer{}}
		best := 0
		for _, n := range one {
			offers, fit := offersFor(n, refs[n.Path], models, reg)
			if f.Path == "" || fit > best {
				f.Node, f.Offers, best = n, offers, fit
			}
		}
		f.Ref = refs[f.Path]
		for i, here := range places {
			if spoken[i] || !slices.ContainsFunc(one, here) {
				continue
			}
			spoken[i] = true // a twin that its reference fits too is another device
			f.Device = cmp.Or(f.Device, site[i].Name)
		}
		if f.Device == "" && points(one) {
			continue
		}
		list = append(list, f)
	}
	return list
}

// byDevice puts the nodes of each USB device together, what is most likely meant first. Nodes of the mainboard stand alone.
func byDevice(nodes []attached.Node) [][]attached.Node {
	order := []attached.Kind{attached.Serial, attached.Printer, attached.Video, attached.Input, attached.Sound, attached.HID, attached.USB}
	rank := func(n attached.Node) int {
		if n.Kind == attached.Input && !n.Keys {
			return len(order)
		}
		return slices.Index(order, n.Kind)
	}
	index := make(map[string]int)
	var all [][]attached.Node
	for _, n := range nodes {
		i, known := index[n.Port]
		if !known || n.Port == "" {
			i = len(all)
			all, index[n.Port] = append(all, nil), i
		}
		all[i] = append(all[i], n)
	}
	for _, one := range all {
		slices.SortStableFunc(one, func(a, b attached.Node) int { return cmp.Compare(rank(a), rank(b)) })
	}
	return all
}

// points reports whether a device is a mouse, a touch screen or the like: an input without letters, and nothing else.
func points(one []attached.Node) bool {
	inputs := 0
	for _, n := range one {
		switch {
		case n.Kind == attached.Input && !n.Keys:
			inputs++
		case n.Kind != attached.USB && n.Kind != attached.HID:
			return false
		}
	}
	return inputs > 0
}

// at gives what tells whether d is configured to stand at a node.
func at(d config.Device) func(attached.Node) bool {
	where := cmp.Or(d.Connect.Serial, d.Connect.File)
	ref, is := strings.CutPrefix(where, "usb:")
	if d.Connect.USB != "" {
		ref, is = d.Connect.USB, true
	}
	if is {
		r, err := attached.ParseRef(ref)
		return func(n attached.Node) bool { return err == nil && r.Fits(n) }
	}
	if real, err := filepath.EvalSymlinks(where); where != "" && err == nil {
		where = real
	}
	return func(n attached.Node) bool { return where == n.Path }
}

// offersFor gives the models that n may be, and how well the first of them fits.
func offersFor(n attached.Node, ref string, models registry.Models, reg *registry.Registry) (offers []Offer, best int) {
	type fitting struct {
		registry.Model
		fit int
	}
	var all []fitting
	for _, m := range models {
		if _, can := reg.At(m, n, ref); !can {
			continue
		}
		fit := m.Comes(n)
		if fit == 0 && (n.Kind == attached.Serial || n.Kind == attached.USB) {
			continue // what is behind an adapter, or without a driver, cannot be seen
		}
		all = append(all, fitting{m, fit})
		best = max(best, fit)
	}
	called := calls(n.Title)
	slices.SortFunc(all, func(a, b fitting) int {
		return cmp.Or(cmp.Compare(b.fit, a.fit), first(b.Class == called)-first(a.Class == called), cmp.Compare(len(a.USB), len(b.USB)), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Name, b.Name))
	})
	offers = []Offer{}
	for _, m := range all[:min(len(all), maxOffers)] {
		connect, _ := reg.At(m.Model, n, ref)
		offers = append(offers, Offer{Class: m.Class, Model: m.Name, Title: m.Title, Sure: m.fit == 2, Connect: connect})
	}
	return offers, best
}

func first(is bool) int {
	if is {
		return 1
	}
	return 0
}

// calls gives the class that a device's own title speaks of; empty if that cannot be told.
func calls(title string) device.Class {
	title = strings.ToLower(title)
	for _, hint := range []struct {
		word  string
		class device.Class
	}{{"scan", device.ClassScanner}, {"bar", device.ClassScanner}, {"keypad", device.ClassCallPad}, {"printer", device.ClassPrinter}} {
		if strings.Contains(title, hint.word) {
			return hint.class
		}
	}
	return ""
}
