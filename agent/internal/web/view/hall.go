package view

import (
	"math"
	"slices"

	"halledge/agent/internal/notices"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/inputs"
	"halledge/firmware-protocols/hallsync"
)

// Hall is the whole hall at one moment of its log: the body of GET /api/v1/hall and of the stream's snapshot.
type Hall struct {
	Seq         hallsync.Seq         `json:"seq"`
	Hall        hallsync.HallID      `json:"hall"`
	BusinessDay string               `json:"business_day"`
	Queues      []Queue              `json:"queues"`
	Windows     []Window             `json:"windows"`
	Calls       []Call               `json:"calls"`  // newest first
	Missed      []string             `json:"missed"` // newest first
	Health      []hallsync.Condition `json:"health"`
	Console     *Console             `json:"console,omitempty"`

	Gives map[hallsync.QueueID]Gives `json:"gives,omitempty"`
	Help  []inputs.HelpCall          `json:"help,omitempty"`  // calls for the guide: all for staff, a kiosk's own there
	Paper *Paper                     `json:"paper,omitempty"` // at a kiosk: its own
	Frame *Frame                     `json:"frame,omitempty"` // at a screen: its own
	Slips []Slipless                 `json:"slips,omitempty"` // for staff: who waits without a slip

	Program *notices.Program `json:"program,omitempty"` // at a screen: the notices of the centre

	Locked bool `json:"locked,omitempty"` // the page that reads this is locked
}

// Bounds of what is shown.
const (
	maxCalls  = 32
	maxMissed = 60
	maxPassed = 12
)

// Reader says who looks: what is left out depends on it.
type Reader struct {
	Staff   bool                // may know who works where
	Windows []hallsync.WindowID // only these windows and their calls; empty: all
	Console hallsync.WindowID   // the window whose console this is; empty: none
	Gives   bool                // wants to know which queues give numbers
	Paper   bool                // is a kiosk, and wants to know whether slips come out
	Frame   bool                // is a screen, and shows what it is told
	Locked  bool                // is a page that nobody is at
}

func (r Reader) sees(id hallsync.WindowID) bool {
	return len(r.Windows) == 0 || slices.Contains(r.Windows, id)
}

// HallOf shows a state to a reader. Health, Help and Paper are left empty: they are not part of the log.
func HallOf(m queue.Moment, hall hallsync.HallID, r Reader) Hall {
	s := m.State
	v := Hall{
		Seq: m.Seq, Hall: hall, BusinessDay: s.Day(), Locked: r.Locked,
		Queues: []Queue{}, Windows: []Window{}, Calls: []Call{}, Missed: []string{}, Health: []hallsync.Condition{},
	}
	for _, q := range s.Plan().Queues {
		if r.seesQueue(s.Plan(), q.ID) {
			v.Queues = append(v.Queues, QueueOf(m, q))
		}
	}
	for i := range s.Plan().Windows {
		id := s.Plan().Windows[i].ID
		if w, ok := WindowOf(m, id, r.Staff); ok && r.sees(id) {
			v.Windows = append(v.Windows, w)
		}
	}
	for _, c := range s.Calls(maxCalls) {
		if r.sees(c.Window) {
			v.Calls = append(v.Calls, Call{Number: c.Number, Window: c.Window, At: stamp(s, c.At), Times: c.Times})
		}
	}
	for _, t := range s.Missed(math.MaxInt) { // those of other screens' windows must not push out its own
		if len(v.Missed) < maxMissed && r.sees(t.Window) {
			v.Missed = append(v.Missed, t.Number)
		}
	}
	if r.Staff {
		v.Slips = sliplessOf(s)
	}
	if r.Gives {
		v.Gives = map[hallsync.QueueID]Gives{}
		for _, q := range v.Queues {
			v.Gives[q.ID] = givesOf(m, q.ID)
		}
	}
	if r.Console != "" {
		v.Console = ConsoleOf(m, r.Console)
	}
	return v
}

// seesQueue reports whether one of the reader's windows serves a queue.
func (r Reader) seesQueue(p *queue.Plan, id hallsync.QueueID) bool {
	if len(r.Windows) == 0 {
		return true
	}
	for i := range p.Windows {
		if r.sees(p.Windows[i].ID) && slices.Contains(p.Windows[i].Queues, id) {
			return true
		}
	}
	return false
}
