package devices

import (
	"context"
	"fmt"
	"slices"
	"time"

	"halledge/agent/kit/problem"
	"halledge/drivers/device"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/hallsync"
)

// Statuses tells how every device is, in the order of the configuration, with what to do about those that are not well. A page that was
// never open is left out: perhaps there is no machine for it.
func (s *Set) Statuses() []hallsync.DeviceStatus {
	roots := s.Roots()
	list := make([]hallsync.DeviceStatus, 0, len(s.slots))
	for _, sl := range s.slots {
		h := sl.Health()
		if sl.page != "" && h.State == device.Starting {
			continue
		}
		list = append(list, hallsync.DeviceStatus{
			Name:     sl.name,
			Class:    string(sl.class),
			Model:    sl.model,
			State:    string(h.State),
			Code:     string(h.Code),
			Since:    h.Since,
			Advice:   s.advice(sl.name, h, roots),
			Blind:    h.Blind,
			Identity: h.Identity,
		})
	}
	return list
}

// behindCause tells to mend first what is behind a device's trouble.
const behindCause problem.Code = "behind_cause"

// advice says what to do about a device, or what to see to first.
func (s *Set) advice(name string, h device.Health, roots []Root) string {
	if h.Code == "" {
		return ""
	}
	for _, r := range roots {
		if slices.Contains(r.Devices, name) {
			cause, _ := s.texts.Text(string(r.Code), map[string]string{"subject": r.Subject})
			return s.texts.Say(string(behindCause), map[string]string{"cause": cause.Title, "subject": r.Subject})
		}
	}
	text, _ := s.texts.Text("device_"+string(h.Code), map[string]string{"subject": name})
	return text.Advice
}

// Health gives the whole health of one device. It fails with ErrUnknown.
func (s *Set) Health(name string) (device.Health, error) {
	sl := s.find(name)
	if sl == nil {
		return device.Health{}, fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	return sl.Health(), nil
}

// SelfTest lets a device show that it works: a test print, a test text, a question to the card reader. It fails with ErrUnknown or
// with a *device.Error; CodeUnsupported means that there is nothing it could show.
func (s *Set) SelfTest(ctx context.Context, name string) error {
	sl := s.find(name)
	if sl == nil {
		return fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(ctx, testWithin)
	defer cancel()
	return sl.SelfTest(ctx)
}

// StartRecord records the bytes between a device and this machine from now on, for d at most; 0 ends that. It fails with ErrUnknown.
func (s *Set) StartRecord(name string, d time.Duration) error {
	sl := s.find(name)
	if sl == nil {
		return fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	if d <= 0 {
		sl.tape.Stop()
		s.log.Info("recording of device bytes ends", "device", name)
		return nil
	}
	sl.tape.Start(d)
	s.log.Info("recording of device bytes begins", "device", name, "seconds", int(d.Seconds()))
	return nil
}

// Record gives what was recorded after an entry. It fails with ErrUnknown.
func (s *Set) Record(name string, after uint64) (registry.Record, error) {
	sl := s.find(name)
	if sl == nil {
		return registry.Record{}, fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	return sl.tape.Record(after), nil
}

// Watch gives a channel that has a value after the state, code or blindness of any device changed. cancel ends it.
func (s *Set) Watch() (changed <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, watchBacklog)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, ch)
	}
}

// look compares the health of all devices with what it was, again and again, and tells the watchers.
func (s *Set) look(ctx context.Context) {
	type condition struct {
		state device.State
		code  device.Code
		blind bool
	}
	before := make([]condition, len(s.slots))
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		changed := false
		for i, sl := range s.slots {
			h := sl.Health()
			if now := (condition{h.State, h.Code, h.Blind}); now != before[i] {
				before[i], changed = now, true
			}
		}
		if changed {
			s.tell()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Set) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.watchers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
