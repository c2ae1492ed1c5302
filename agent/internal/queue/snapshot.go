package queue

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"halledge/agent/internal/queue/admit"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// snapshot is a state on disk. Lines are not stored: they are the waiting tickets in order.
type snapshot struct {
	Day      string                               `json:"day"`
	After    int                                  `json:"after,omitempty"`
	Flow     int                                  `json:"flow"`
	Turns    uint64                               `json:"turns"`
	Clock    int64                                `json:"clock"`
	Skew     int64                                `json:"skew,omitempty"`
	Offset   int64                                `json:"offset,omitempty"`
	Dead     bool                                 `json:"dead,omitempty"`
	Latest   time.Time                            `json:"latest"`
	Leapt    time.Time                            `json:"leapt,omitzero"`
	Early    bool                                 `json:"early,omitempty"`
	Instead  string                               `json:"instead,omitempty"`
	Used     map[string]int                       `json:"used,omitempty"`
	Counts   map[hallsync.QueueID]line.Count      `json:"counts,omitempty"`
	Ordinals map[hallsync.QueueID]int             `json:"ordinals"`
	Tickets  []*Ticket                            `json:"tickets"`
	Windows  []*Window                            `json:"windows"`
	Calls    []Call                               `json:"calls"`
	Services map[hallsync.QueueID][]int64         `json:"services"`
	Past     map[hallsync.QueueID]map[int][]int64 `json:"past,omitempty"`
	Accuracy map[hallsync.QueueID]*accuracy       `json:"accuracy,omitempty"`

	Given    map[hallsync.QueueID]admit.Count `json:"given,omitempty"`
	Rolls    map[hallsync.QueueID]roll        `json:"rolls,omitempty"`
	Roll     map[hallsync.QueueID]int         `json:"roll,omitempty"` // of earlier programs, who knew the next number alone
	Bookings []Booking                        `json:"bookings,omitempty"`
	Blocks   map[string]Block                 `json:"blocks,omitempty"`

	Devices map[string]hallsync.DeviceChanged `json:"devices,omitempty"`
	Cameras map[string]hallsync.CameraPinned  `json:"cameras,omitempty"`
	Edited  hallsync.PlanEdited               `json:"edited,omitzero"`
}

// MarshalJSON writes the state so that Restore gives an equal one. Equal states give equal bytes.
func (s *State) MarshalJSON() ([]byte, error) {
	snap := snapshot{
		Day: s.day, After: s.after, Flow: s.flow, Turns: s.turns, Clock: s.clock, Skew: s.skew, Offset: s.offset, Dead: s.dead, Latest: s.latest, Leapt: s.leapt, Counts: s.lines.Counts(), Ordinals: s.ordinals,
		Early: s.early, Instead: s.instead, Used: s.used,
		Calls: s.calls, Services: s.services, Past: s.past, Accuracy: s.accuracy, Given: s.given, Rolls: s.rolls, Bookings: s.Bookings(), Blocks: s.blocks, Devices: s.devices, Cameras: s.cameras, Edited: s.edited,
	}
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
	s.day, s.after, s.flow, s.turns, s.clock, s.skew, s.calls =
		snap.Day, snap.After, snap.Flow, snap.Turns, snap.Clock, snap.Skew, snap.Calls
	s.edited = snap.Edited
	s.offset, s.dead, s.latest, s.leapt = snap.Offset, snap.Dead, snap.Latest, snap.Leapt
	s.early, s.instead = snap.Early, snap.Instead
	maps.Copy(s.used, snap.Used)
	s.lines.Restore(snap.Counts)
	maps.Copy(s.ordinals, snap.Ordinals)
	maps.Copy(s.services, snap.Services)
	maps.Copy(s.past, snap.Past)
	maps.Copy(s.accuracy, snap.Accuracy)
	maps.Copy(s.given, snap.Given)
	maps.Copy(s.rolls, snap.Rolls)
	for _, q := range slices.Sorted(maps.Keys(snap.Roll)) {
		s.turns++
		s.rolls[q] = roll{Next: snap.Roll[q], Since: s.clock, Turn: s.turns}
	}
	maps.Copy(s.blocks, snap.Blocks)
	for _, b := range snap.Bookings {
		s.bookings[b.Booking] = &b
	}
	maps.Copy(s.devices, snap.Devices)
	maps.Copy(s.cameras, snap.Cameras)
	for _, w := range snap.Windows {
		if w != nil {
			s.windows[w.ID] = w
			s.lines.Man(w.ID, w.State == hallsync.WindowOpen)
		}
	}
	for _, t := range snap.Tickets {
		if t == nil {
			continue
		}
		s.complete(t)
		s.tickets[t.ID] = t
		if t.Person != "" {
			s.persons[t.Person] = append(s.persons[t.Person], t)
		}
		switch t.State {
		case hallsync.Waiting:
			s.enter(t)
		case hallsync.Passed:
			s.passed = append(s.passed, t)
		}
		s.setSlip(t, t.Print)
	}
	s.sortPassed()
	return s, nil
}

func (s *State) sortPassed() {
	slices.SortStableFunc(s.passed, func(a, b *Ticket) int { return a.PassedAt.Compare(b.PassedAt) })
}

// complete gives a ticket what the snapshots of earlier programs do not have.
func (s *State) complete(t *Ticket) {
	if t.Home == "" {
		t.Home = t.Queue
	}
	if t.Came != 0 {
		return
	}
	for from, to := range map[*time.Time]*int64{
		&t.TakenAt: &t.Came, &t.CalledAt: &t.CalledMS, &t.StartedAt: &t.StartedMS, &t.PassedAt: &t.PassedMS,
	} {
		if !from.IsZero() {
			*to = from.UnixMilli() + s.skew
		}
	}
	t.Base = t.Came
}
