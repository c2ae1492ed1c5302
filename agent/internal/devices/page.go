package devices

import (
	"halledge/agent/internal/config"
	"halledge/drivers/device"
	"halledge/drivers/registry"
)

// Page is a browser page that stands for a device: no driver, no line, but people look at it as they do at hardware.
type Page struct {
	Name, Title string
	Place       config.Place
	Screen      device.Screen
}

// pageModel is the model of pages. There is no file of it: nobody configures them here.
const pageModel = "browser"

// Add puts a page beside the hardware. Call it before Run.
func (s *Set) Add(p Page) {
	sl := &slot{
		site: config.Device{Name: p.Name, Model: pageModel}, page: p.Title, name: p.Name, model: pageModel, place: p.Place,
		class: device.ClassScreen, log: s.log.With("device", p.Name), renewed: make(chan struct{}, 1),
		tape: registry.NewTape(device.ClassScreen), trial: make(chan chan struct{}, 1),
		build: func() (device.Device, error) { return p.Screen, nil },
	}
	sl.make()
	s.slots = append(s.slots, sl)
}
