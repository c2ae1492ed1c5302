package session

import (
	"sync"
	"time"

	"halledge/drivers/device"
)

// health is a device.Health that many goroutines read while one writes.
type health struct {
	mu  sync.Mutex
	now device.Health
}

func (h *health) start() { h.now = device.Health{State: device.Starting, Since: time.Now()} }

func (h *health) get() device.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// set reports whether state or code changed.
func (h *health) set(state device.State, code device.Code, detail string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Detail = detail
	if h.now.State == state && h.now.Code == code {
		return false
	}
	h.now.State, h.now.Code, h.now.Since = state, code, time.Now()
	return true
}

// good reports whether the device was anything but OK before.
func (h *health) good() bool {
	changed := h.set(device.OK, "", "")
	h.answered()
	return changed
}

func (h *health) answered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.LastGood = time.Now()
}

func (h *health) identify(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.Identity = id
}

func (h *health) opened() { h.count(device.Counters{Opens: 1}) }

func (h *health) count(c device.Counters) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := &h.now.Counters
	n.Opens += c.Opens
	n.Failures += c.Failures
	n.Jobs += c.Jobs
	n.Garbage += c.Garbage
}
