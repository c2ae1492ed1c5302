// Package devices gives the hall its hardware by name and role: it builds what agent.yaml lists, keeps it running, merges what
// scanners and card readers deliver, and tells how each device is. A device that is absent, wrongly configured or whose driver
// fails stops neither the start nor its neighbours.
package devices

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/supervise"
	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/registry"
)

const (
	stopWithin   = 5 * time.Second
	testWithin   = 30 * time.Second
	tryWithin    = 20 * time.Second       // for somebody to scan a code or press a key
	lookEvery    = 250 * time.Millisecond // how soon a change of health is seen; looking is a lock and a compare
	watchBacklog = 1                      // a change not yet taken stands for all later ones
)

// ErrUnknown means that no device has the name.
var ErrUnknown = errors.New("no such device")

// ErrNothingCame means that a test waited for a code, a key or an answer in vain.
var ErrNothingCame = errors.New("nothing was scanned or pressed")

// Options are what New builds from.
type Options struct {
	Site     []config.Device
	Models   registry.Models
	Registry *registry.Registry
	Texts    *problem.Catalog // has device_<code> for every device.Code
	Log      *slog.Logger
	Root     string // of the sysfs in which devices are looked for; empty: /
}

// Set is the hardware of one hall. Its methods may be called from any goroutine, also while it does not run.
type Set struct {
	site     []config.Device
	models   registry.Models
	registry *registry.Registry
	texts    *problem.Catalog
	log      *slog.Logger
	root     string
	slots    []*slot
	scans    chan Scan
	cards    chan Card
	unread   chan Unread

	mu       sync.Mutex
	plugged  plugged
	watchers map[chan struct{}]struct{}
}

// Scan is a code and the device that read it.
type Scan struct {
	Device string
	Place  config.Place
	device.Scan
}

// Card is an identity card and the device that read it.
type Card struct {
	Device string
	Place  config.Place
	device.IDCard
}

// Unread is something that a scanner or card reader could not read, and which one.
type Unread struct {
	Device string
	Place  config.Place
	device.Unread
}

// New builds the devices. One that cannot be built is there nevertheless, unusable, with the reason in its status.
func New(o Options) *Set {
	s := &Set{
		site: o.Site, models: o.Models, registry: o.Registry, texts: o.Texts, log: o.Log, root: cmp.Or(o.Root, "/"),
		scans: make(chan Scan), cards: make(chan Card), unread: make(chan Unread),
		watchers: make(map[chan struct{}]struct{}),
	}
	var lines registry.Lines
	for _, d := range o.Site {
		s.slots = append(s.slots, s.slot(o, d, &lines))
	}
	return s
}

// slot makes the place of one device and tries to build what stands there.
func (s *Set) slot(o Options, d config.Device, lines *registry.Lines) *slot {
	place, _, _ := d.Split()
	sl := &slot{
		site: d, name: d.Name, model: d.Model, place: place, class: d.Class(), log: o.Log.With("device", d.Name),
		scans: s.scans, cards: s.cards, unread: s.unread, keys: make(chan device.Key), renewed: make(chan struct{}, 1),
		tape: registry.NewTape(d.Class()), trial: make(chan chan struct{}, 1),
	}
	model, ok := o.Models[registry.Key{Class: sl.class, Name: d.Model}]
	site := registry.Site{Name: d.Name, Connect: d.Connect.Driven(), Options: d.Options, Tape: sl.tape}
	sl.build = func() (device.Device, error) { return o.Registry.Build(model, site, o.Log) }
	if !ok {
		sl.refuse(fmt.Errorf("no model %q of class %q", d.Model, sl.class))
		return sl
	}
	if clash := lines.Add(o.Registry, model, site); clash != nil {
		sl.refuse(clash)
		return sl
	}
	sl.line, sl.shared = model.At(site.Connect).String(), o.Registry.Shares(model)
	sl.leads = func() string { return o.Registry.Node(model, site.Connect, s.root) }
	if r, err := attached.ParseRef(strings.TrimPrefix(sl.line, "usb:")); err == nil {
		sl.port = r.Port
	}
	sl.make()
	return sl
}

// Run keeps all devices running until ctx ends.
func (s *Set) Run(ctx context.Context) error {
	parts := make([]supervise.Part, len(s.slots))
	for i, sl := range s.slots {
		parts[i] = supervise.Part{Name: sl.name, Run: sl.run, StopWithin: stopWithin}
	}
	var all sync.WaitGroup
	all.Go(func() { s.look(ctx) })
	all.Go(func() { s.follow(ctx) })
	defer all.Wait()
	if err := supervise.New(s.log, parts...).Run(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// Scans gives what all scanners read. It is never closed.
func (s *Set) Scans() <-chan Scan { return s.scans }

// Cards gives what all card readers read. It is never closed.
func (s *Set) Cards() <-chan Card { return s.cards }

// Unread gives what scanners and card readers could not read. It is never closed.
func (s *Set) Unread() <-chan Unread { return s.unread }

// Printer finds a printer by name.
func (s *Set) Printer(name string) (device.Printer, bool) {
	sl := s.find(name)
	if sl == nil || sl.class != device.ClassPrinter {
		return nil, false
	}
	return sl, true
}

// Named is a device, what it is called and where it stands. It stays the same when its driver is started anew, and its channel, if
// it has one, stays open. Renewed has a value after that: the new driver knows nothing of what the old one was told to show.
type Named[D device.Device] struct {
	Name    string
	Place   config.Place
	Device  D
	Renewed <-chan struct{}
}

// Screens lists the LED panels, in the order of the configuration, usable or not.
func (s *Set) Screens() []Named[device.Screen] {
	return named(s, device.ClassScreen, func(sl *slot) device.Screen { return sl })
}

// Pads lists the call pads.
func (s *Set) Pads() []Named[device.CallPad] {
	return named(s, device.ClassCallPad, func(sl *slot) device.CallPad { return sl })
}

// Speakers lists the voice devices.
func (s *Set) Speakers() []Named[device.Speaker] {
	return named(s, device.ClassSpeaker, func(sl *slot) device.Speaker { return sl })
}

// RatingPads lists the rating devices.
func (s *Set) RatingPads() []Named[device.RatingPad] {
	return named(s, device.ClassRatingPad, func(sl *slot) device.RatingPad { return sl })
}

func named[D device.Device](s *Set, class device.Class, as func(*slot) D) []Named[D] {
	var list []Named[D]
	for _, sl := range s.slots {
		if sl.class == class {
			list = append(list, Named[D]{Name: sl.name, Place: sl.place, Device: as(sl), Renewed: sl.renewed})
		}
	}
	return list
}

func (s *Set) find(name string) *slot {
	for _, sl := range s.slots {
		if sl.name == name {
			return sl
		}
	}
	return nil
}
