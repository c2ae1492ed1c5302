package ops

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/kit/problem"
	"halledge/configs"
	"halledge/drivers/attached"
	"halledge/drivers/builtin"
	"halledge/drivers/registry"
)

// Plugged is what is plugged into this box, seen without the agent: an installer asks before its first start.
type Plugged struct {
	Spares []devices.Spare // what is not configured

	cfg      *config.Config
	found    []devices.Found
	models   registry.Models
	registry *registry.Registry
}

// Look finds what is plugged in. root is that of attached.Scan.
func Look(root string, cfg *config.Config) (*Plugged, error) {
	models, err := registry.LoadModels(configs.FS())
	if err != nil {
		return nil, fmt.Errorf("device models: %w", err)
	}
	nodes, err := attached.Scan(root)
	if err != nil {
		return nil, err
	}
	p := &Plugged{cfg: cfg, models: models, registry: builtin.All()}
	p.found = devices.Find(nodes, cfg.Site.Devices, models, p.registry)
	p.Spares = devices.Spares(p.found, cfg.Site.Devices, &cfg.Plan)
	return p, nil
}

// Why nothing can be proposed.
const (
	addNothing problem.Code = "add_nothing"
	addWhich   problem.Code = "add_which"   // places
	addUnknown problem.Code = "add_unknown" // place
	addIsThere problem.Code = "add_taken"   // place, device
	addModel   problem.Code = "add_model"   // place
	addUnfit   problem.Code = "add_unfit"   // model, place
	addRole    problem.Code = "add_role"    // name, role
)

func refuse(code problem.Code, args map[string]string) error {
	return &Error{Code: code, Args: args, Err: errors.New("nothing to propose")}
}

// Propose gives the entry of something that is plugged in: which is its reference, node or socket, or empty where there is only one; model
// and name are empty for what is likeliest. It fails with an *Error.
func (p *Plugged) Propose(which, model, name string) (config.Device, error) {
	spare, err := p.spare(which)
	if err != nil {
		return config.Device{}, err
	}
	offer, err := p.offer(spare, model, name)
	if err != nil {
		return config.Device{}, err
	}
	if name == "" {
		name = devices.FreeName(offer.Class, p.cfg.Site.Devices, &p.cfg.Plan)
	}
	d := offer.Configured(name)
	if d.Class() != offer.Class {
		return config.Device{}, refuse(addRole, map[string]string{"name": name, "role": config.RoleOf(offer.Class)})
	}
	site := registry.Site{Name: d.Name, Connect: offer.Connect}
	if _, err := p.registry.Build(p.models[registry.Key{Class: offer.Class, Name: offer.Model}], site, slog.New(slog.DiscardHandler)); err != nil {
		return config.Device{}, &Error{Code: addUnfit, Args: map[string]string{"model": offer.Model, "place": placeOf(spare)}, Err: err}
	}
	return d, nil
}

// spare finds what somebody means.
func (p *Plugged) spare(which string) (devices.Spare, error) {
	which = strings.TrimPrefix(which, "usb:")
	ref, refErr := attached.ParseRef(which)
	means := func(n attached.Node, own string) bool {
		return which == own || which == n.Path || which == n.Port || refErr == nil && ref.Fits(n)
	}
	fits := slices.DeleteFunc(slices.Clone(p.Spares), func(s devices.Spare) bool {
		if which == "" {
			return len(s.Proposals) == 0
		}
		return !means(s.Node, s.Ref)
	})
	switch {
	case len(fits) == 1:
		return fits[0], nil
	case len(fits) > 1:
		var places []string
		for _, s := range fits {
			places = append(places, placeOf(s))
		}
		return devices.Spare{}, refuse(addWhich, map[string]string{"places": strings.Join(places, "、")})
	case which == "":
		return devices.Spare{}, refuse(addNothing, nil)
	}
	for _, f := range p.found {
		if f.Device != "" && means(f.Node, f.Ref) {
			return devices.Spare{}, refuse(addIsThere, map[string]string{"place": which, "device": f.Device})
		}
	}
	return devices.Spare{}, refuse(addUnknown, map[string]string{"place": which})
}

// placeOf is what somebody writes who means s.
func placeOf(s devices.Spare) string {
	if s.Ref != "" {
		return s.Ref
	}
	return s.Path
}

// offer gives the likeliest model, or the one that is asked for. Two classes may have models of one name: the role tells them apart.
func (p *Plugged) offer(s devices.Spare, model, name string) (devices.Offer, error) {
	if model == "" {
		class := config.Device{Name: name}.Class()
		for _, o := range s.Proposals {
			if class == "" || class == o.Class {
				return o.Offer, nil
			}
		}
		return devices.Offer{}, refuse(addModel, map[string]string{"place": placeOf(s)})
	}
	role := config.Device{Name: name}.Class()
	keys := slices.SortedFunc(maps.Keys(p.models), func(a, b registry.Key) int { return cmp.Compare(a.Class, b.Class) })
	for _, key := range keys {
		if key.Name != model || role != "" && role != key.Class {
			continue
		}
		if o, can := devices.OfferOf(p.models[key], s.Node, s.Ref, p.registry); can {
			return o, nil
		}
	}
	return devices.Offer{}, refuse(addUnfit, map[string]string{"model": model, "place": placeOf(s)})
}
