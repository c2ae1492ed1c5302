package queue

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"halledge/firmware-protocols/hallsync"
)

// snapshot is a state on disk. Lines are not stored: they are the waiting tickets in order.
type snapshot struct {
	Day      string                       `json:"day"`
	After    int                          `json:"after,omitempty"`
	Flow     int                          `json:"flow"`
	Turns    uint64                       `json:"turns"`
	Ordinals map[hallsync.QueueID]int     `json:"ordinals"`
	Tickets  []*Ticket                    `json:"tickets"`
	Windows  []*Window                    `json:"windows"`
	Calls    []Call                       `json:"calls"`
	Services map[hallsync.QueueID][]int64 `json:"services"`

	Devices map[string]hallsync.DeviceChanged `json:"devices,omitempty"`
}

// MarshalJSON writes the state so that Restore gives an equal one. Equal states give equal bytes.
func (s *State) MarshalJSON() ([]byte, error) {
	snap := snapshot{Day: s.day, After: s.after, Flow: s.flow, Turns: s.turns, Ordinals: s.ordinals, Calls: s.calls, Services: s.services, Devices: s.devices}
	for _, t := range s.tickets {
		snap.Tickets = append(snap.Tickets, t)
	}
	slices.SortFunc(snap.Tickets, func(a, b *Ticket) int { return strings.Compare(a.FlowNo, b.FlowNo) })
	for _, w := range s.windows {
		snap.Windows = append(snap.Windows, w)
	}
	slices.SortFunc(snap.Windows, func(a, b *Window) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return json.Marshal(snap)
}

// Restore gives the state that MarshalJSON wrote, under a plan that may have changed since.
func Restore(plan *Plan, data []byte) (*State, error) {
	var snap snapshot
	if err := json.Unmarshal(data, &snap); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	s := New(plan)
	s.day, s.after, s.flow, s.turns, s.calls = snap.Day, snap.After, snap.Flow, snap.Turns, snap.Calls
	for q, n := range snap.Ordinals {
		s.ordinals[q] = n
	}
	for q, v := range snap.Services {
		s.services[q] = v
	}
	for name, d := range snap.Devices {
		s.devices[name] = d
	}
	for _, w := range snap.Windows {
		if w != nil {
			s.windows[w.ID] = w
		}
	}
	for _, t := range snap.Tickets {
		if t == nil {
			continue
		}
		s.tickets[t.ID] = t
		switch t.State {
		case hallsync.Waiting:
			s.enter(t)
		case hallsync.Passed:
			s.passed = append(s.passed, t)
		}
		s.setSlip(t, t.Print)
	}
	slices.SortStableFunc(s.passed, func(a, b *Ticket) int { return a.PassedAt.Compare(b.PassedAt) })
	return s, nil
}
