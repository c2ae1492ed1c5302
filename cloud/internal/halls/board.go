// Package halls gives the live picture of all halls: who is connected and was heard when, what each last reported, and the
// figures of the day, which come from the projections. Readers get the whole picture or follow its changes.
package halls

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"halledge/cloud/internal/said"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	silence    = 90 * time.Second // three keep-alives; a hall reports every 15 s
	refresh    = 250 * time.Millisecond
	saveEvery  = 2 * time.Minute // a crash loses what is newer; halls report again within seconds
	maxReport  = 128 << 10       // bytes of a report, far above what halls send
	maxReason  = 120             // bytes of a decoder's complaint
	bootMemory = 10 * time.Minute
)

// State says whether a hall is heard.
type State string

// The states.
const (
	Online  State = "online"  // connected and heard within silence
	Stale   State = "stale"   // connected, but silent
	Offline State = "offline" // not connected
	Never   State = "never"   // known, and never heard
)

// Parts is a set of what changed of a hall.
type Parts uint8

// The parts.
const (
	Presence Parts = 1 << iota // state, report, log position
	Tickets
	Windows
	Cameras
)

// Hall is what the configuration says of a hall.
type Hall struct {
	ID     hallsync.HallID
	Name   string
	Region string
}

// Status is the picture of one hall at one moment. Report must not be changed.
type Status struct {
	Hall
	State       State
	Seen        time.Time        // zero: never
	Report      *hallsync.Report // nil: none yet
	Shared      bool             // two boxes seem to use the hall's identity
	KeptOut     bool             // for that reason, until an operator releases it
	Day         store.Day
	Counts      []store.QueueCount // of Day.BusinessDay
	WindowsOpen int
	Windows     int
	Cursor      store.Cursor // of the epoch in force; zero: none yet
	Epochs      int
	Restless    bool  // it has begun as many epochs within a day as it may
	Refused     int64 // over all epochs
	Gone        int64
	Unread      int64 // facts whose keys have not come
	ChainFaults int64 // over all epochs
}

// Options are the parts of a Board.
type Options struct {
	Halls []Hall
	Store *store.Store
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger
}

// Board holds the picture. Its methods may be called by many goroutines; Run keeps it fresh.
type Board struct {
	store *store.Store
	now   func() time.Time
	log   *slog.Logger

	mu        sync.Mutex
	halls     map[hallsync.HallID]*entry
	order     []hallsync.HallID
	followers map[*Follower]struct{}
	work      chan struct{} // something is dirty
}

// entry is one hall on the board.
type entry struct {
	status    Status
	connected bool
	left      bool // its will came
	raw       []byte
	boots     []boot
	sharedAt  time.Time
	dirty     Parts
	unsaved   bool
}

type boot struct {
	id string
	at time.Time
}

// New reads what is known of the halls from the store.
func New(ctx context.Context, o Options) (*Board, error) {
	b := &Board{
		store: o.Store, now: o.Now, log: o.Log, halls: map[hallsync.HallID]*entry{}, followers: map[*Follower]struct{}{},
		work: make(chan struct{}, 1),
	}
	if b.now == nil {
		b.now = time.Now
	}
	for _, h := range o.Halls {
		b.halls[h.ID] = &entry{status: Status{Hall: h, State: Never}}
		b.order = append(b.order, h.ID)
	}
	slices.Sort(b.order)
	presences, err := o.Store.Presences(ctx)
	if err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	for _, p := range presences {
		e := b.halls[p.Hall]
		if e == nil {
			continue
		}
		e.status.Seen, e.status.State = p.Seen, Offline
		var r hallsync.Report
		if json.Unmarshal(p.Report, &r) == nil {
			e.status.Report, e.raw = &r, p.Report
		}
	}
	for _, id := range b.order {
		if err := b.reload(ctx, id, Tickets|Windows|Presence); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Connected notes that a hall has signed in.
func (b *Board) Connected(id hallsync.HallID) {
	b.change(id, func(e *entry) Parts {
		e.connected, e.left = true, false
		return b.heard(e)
	})
}

// Disconnected notes that a hall's connection has ended.
func (b *Board) Disconnected(id hallsync.HallID) {
	b.change(id, func(e *entry) Parts {
		e.connected = false
		return b.restate(e)
	})
}

// Heard notes a message of a hall.
func (b *Board) Heard(id hallsync.HallID) { b.change(id, b.heard) }

// Touch notes that facts of a hall were stored, and which projections they changed.
func (b *Board) Touch(id hallsync.HallID, parts Parts) {
	b.change(id, func(*entry) Parts { return parts | Presence })
}

// Boot notes the start of an agent that a hello or report names. Two starts that take turns are two boxes with one identity.
func (b *Board) Boot(id hallsync.HallID, name string) {
	b.change(id, func(e *entry) Parts { return b.boot(e, name) })
}

// Report takes the body of up/state. A will (online false) counts only if it is that of the last boot heard of: the will of an
// old connection may come after the new one.
func (b *Board) Report(id hallsync.HallID, payload []byte) error {
	if len(payload) > maxReport {
		return fmt.Errorf("report of hall %s has %d bytes, more than %d", id, len(payload), maxReport)
	}
	var r hallsync.Report
	if err := json.Unmarshal(payload, &r); err != nil { // the error may quote what it read
		text := err.Error()
		return fmt.Errorf("report of hall %s: %s", id, strings.ToValidUTF8(text[:min(len(text), maxReason)], ""))
	}
	if r.Hall != id {
		return fmt.Errorf("report of hall %s names another hall", id)
	}
	r = said.Bounded(r)
	kept, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("report of hall %s: %w", id, err)
	}
	b.change(id, func(e *entry) Parts {
		if !r.Online {
			if n := len(e.boots); n > 0 && e.boots[n-1].id != r.Boot {
				return 0
			}
			e.left = true
			return b.restate(e)
		}
		e.left, e.status.Report, e.raw, e.unsaved = false, &r, kept, true
		return b.boot(e, r.Boot) | b.heard(e) | Presence | Cameras
	})
	return nil
}

// KeptOut notes which halls are in quarantine.
func (b *Board) KeptOut(kept []hallsync.HallID) {
	for _, id := range b.order {
		b.change(id, func(e *entry) Parts {
			out := slices.Contains(kept, id)
			if out == e.status.KeptOut {
				return 0
			}
			e.status.KeptOut = out
			return Presence
		})
	}
}

// CameraChanged notes that a hall's camera began or ceased to arrive at the video node.
func (b *Board) CameraChanged(id hallsync.HallID) {
	b.change(id, func(*entry) Parts { return Cameras })
}

// change applies do to a hall and notes what it says has changed. Halls that are not configured are ignored.
func (b *Board) change(id hallsync.HallID, do func(*entry) Parts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.halls[id]
	if e == nil {
		return
	}
	e.dirty |= do(e)
	if e.dirty != 0 {
		select {
		case b.work <- struct{}{}:
		default:
		}
	}
}

func (b *Board) heard(e *entry) Parts {
	e.status.Seen, e.unsaved = b.now(), true
	return b.restate(e)
}

// restate works out the state of a hall, and says Presence when it is another one than before.
func (b *Board) restate(e *entry) Parts {
	state := Offline
	switch {
	case e.status.Seen.IsZero():
		state = Never
	case e.connected && !e.left && b.now().Sub(e.status.Seen) <= silence:
		state = Online
	case e.connected && !e.left:
		state = Stale
	}
	shared := !e.sharedAt.IsZero() && b.now().Sub(e.sharedAt) <= bootMemory
	if state == e.status.State && shared == e.status.Shared {
		return 0
	}
	e.status.State, e.status.Shared = state, shared
	return Presence
}

func (b *Board) boot(e *entry, name string) Parts {
	now := b.now()
	n := len(e.boots)
	if n > 0 && e.boots[n-1].id == name {
		e.boots[n-1].at = now
		return 0
	}
	e.boots = slices.DeleteFunc(e.boots, func(o boot) bool {
		if o.id == name && now.Sub(o.at) <= bootMemory {
			b.log.Error("two boxes use one hall's identity", "hall", e.status.ID)
			e.sharedAt = now
		}
		return o.id == name || now.Sub(o.at) > bootMemory
	})
	e.boots = append(e.boots[max(0, len(e.boots)-7):], boot{id: name, at: now})
	return b.restate(e)
}

// All gives the pictures of all halls in order of code.
func (b *Board) All() []Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Status, 0, len(b.order))
	for _, id := range b.order {
		all = append(all, b.halls[id].status)
	}
	return all
}

// Get gives the picture of one hall.
func (b *Board) Get(id hallsync.HallID) (Status, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.halls[id]
	if e == nil {
		return Status{}, false
	}
	return e.status, true
}
