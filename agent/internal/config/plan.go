package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-yaml"

	"halledge/agent/kit/strictyaml"
)

// Plan is hall.yaml: what the hall does. It belongs to the cloud and is cached here.
type Plan struct {
	Schema   int      `yaml:"schema"`
	Revision int64    `yaml:"revision"`
	Zone     string   `yaml:"zone"` // IANA time zone of the business day, default Asia/Shanghai
	Queues   []Queue  `yaml:"queues"`
	Windows  []Window `yaml:"windows"`
	Staff    []Staff  `yaml:"staff"`
	Kiosks   []Kiosk  `yaml:"kiosks"`
	Screens  []Screen `yaml:"screens"`
	Rules    Rules    `yaml:"rules"`
}

// Queue is a line of citizens. ID is its letter and the prefix of its numbers.
type Queue struct {
	ID       string `yaml:"id"`
	Name     string `yaml:"name"`
	English  string `yaml:"english"` // its name for those who read no Chinese
	Dept     string `yaml:"dept"`
	Identity string `yaml:"identity"`  // none, optional or required
	ServiceS int    `yaml:"service_s"` // what a service usually takes; 0: unknown
	Order    Order  `yaml:"order"`     // where it differs from the hall's
	Carry    bool   `yaml:"carry"`     // who still waits at the end of the day waits on the next

	Admission Admission `yaml:"admission"`
}

// Window is a 窗口 and the queues it serves.
type Window struct {
	ID     string   `yaml:"id"`
	Name   string   `yaml:"name"`
	Queues []string `yaml:"queues"`

	Weights map[string]int `yaml:"weights"` // percent by queue, default 100

	LockMin *int   `yaml:"lock_min"` // where it differs from the hall's, see SignIn; 0: its page never locks
	Reader  string `yaml:"reader"`   // a kiosk, such as kiosk-1, at whose card reader the window's staff sign in too
}

// Staff is a person who signs in at windows. PIN is an argon2id hash in PHC form, never a PIN; Card is a keyed digest of the hall's, as
// the agent writes it when a card is enrolled, never a number.
type Staff struct {
	ID        string   `yaml:"id"`
	Name      string   `yaml:"name"`
	PIN       string   `yaml:"pin"`
	ChangePIN bool     `yaml:"change_pin"` // somebody else has chosen the PIN: a new one is asked for at the next sign-in
	Card      string   `yaml:"card"`       // empty: none
	Windows   []string `yaml:"windows"`    // empty: every window
	Role      string   `yaml:"role"`       // clerk or manager
}

// SignIn is how the hall's people sign in.
type SignIn struct {
	LockMin    int  `yaml:"lock_min"`     // the page of somebody who does nothing for so long locks; default 10, 0: never
	CardAndPIN bool `yaml:"card_and_pin"` // who has a card needs it and the PIN, not either of them
	OwnPIN     bool `yaml:"own_pin"`      // a PIN that the manager chose holds for one sign-in, at which another one is chosen
}

// Kiosk is a place where tickets are taken. Printer is the device that prints there; empty: kiosk-<id>.printer. Spare prints when that
// one cannot, at the kiosk itself or near it; empty: kiosk-<id>.spare, if there is such a device. Camera is page where the browser's own
// camera reads codes, as on a tablet, else none.
type Kiosk struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	Queues  []string `yaml:"queues"` // empty: all
	Printer string   `yaml:"printer"`
	Desk    string   `yaml:"desk"` // where the guide's desk is, seen from here
	Spare   string   `yaml:"spare"`
	Camera  string   `yaml:"camera"`
}

// Screen is a page that shows calls, of some windows or of all.
type Screen struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	Windows []string `yaml:"windows"`
	Notice  string   `yaml:"notice"` // the running line
	Group   string   `yaml:"group"`  // whose notices of the centre it shows; empty: hall
}

// NoticeGroup is whose notices of the centre the screen shows.
func (s Screen) NoticeGroup() string { return cmp.Or(s.Group, "hall") }

// Panels is what LED panels say when they have no number to show. The smallest have room for four characters.
type Panels struct {
	Waiting string `yaml:"waiting"` // default 欢迎光临
	Paused  string `yaml:"paused"`  // default 暂停服务
	Closed  string `yaml:"closed"`  // default 暂未开放
}

// Rules are the numbers of the hall's order of service.
type Rules struct {
	TakesPerS    int    `yaml:"takes_per_s"`    // rate limit of taking, per kiosk token; default 5
	CallGapS     int    `yaml:"call_gap_s"`     // a called ticket cannot be finished by call-next within this; default 5
	Arrival      string `yaml:"arrival"`        // assumed or pressed
	PassRecallS  int    `yaml:"pass_recall_s"`  // a passed ticket may be called again by its window within this; default 600
	WaitMinCount int    `yaml:"wait_min_count"` // samples before a wait is shown; default 5
	Order        Order  `yaml:"order"`
	Reprints     int    `yaml:"reprints"`  // copies of one slip that kiosks make; default 2, 0: no limit
	MaxOpen      int    `yaml:"max_open"`  // open tickets of one person in the hall; default 3, 0: no limit
	HallPool     bool   `yaml:"hall_pool"` // a held ticket may be resumed at any window that serves its queue

	// EndAfterMin is how long after the hall went home (hours over, windows closed, nothing happening) open tickets are closed; default
	// 30, 0: at the end of the business day.
	EndAfterMin int `yaml:"end_after_min"`
	// EndFrom is the time of day, "17:00", before which a hall has not gone home however quiet it is, as at lunch; default 17:00.
	EndFrom string `yaml:"end_from"`

	Admission HallAdmission `yaml:"admission"` // of queues that do not say it themselves
	Calendar  Calendar      `yaml:"calendar"`
	Voice     Voice         `yaml:"voice"`
	Panels    Panels        `yaml:"panels"`
	SignIn    SignIn        `yaml:"sign_in"`
}

// Edit is what the hall's manager may change of a plan without the centre: queues, windows and staff, each list as it shall be, and
// the calendar, as on the day of a typhoon; nil leaves that as it is. Everything else stays, also of the entries that stay.
type Edit struct {
	Queues   []QueueEdit   `json:"queues"`
	Windows  []WindowEdit  `json:"windows"`
	Staff    []StaffEdit   `json:"staff"`
	Calendar *CalendarEdit `json:"calendar"`
}

// CalendarEdit is the calendar of an Edit; the fields are those of hall.yaml.
type CalendarEdit struct {
	Holidays []string          `json:"holidays"`
	Workdays map[string]string `json:"workdays"`
}

// QueueEdit is a queue of an Edit; the fields are those of hall.yaml.
type QueueEdit struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Dept     string   `json:"dept"`
	Identity string   `json:"identity"`
	ServiceS int      `json:"service_s"`
	Hours    []string `json:"hours"`
	Quota    int      `json:"quota"`
}

// WindowEdit is a window of an Edit.
type WindowEdit struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Queues []string `json:"queues"`
}

// StaffEdit is a member of staff of an Edit. PIN is the PHC form of a new PIN, empty to keep the old one, and OwnPIN says that the person
// has chosen it; Card is the digest of a new card, nil to keep the old one, empty for none. Neither is ever given out.
type StaffEdit struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Role    string   `json:"role"`
	Windows []string `json:"windows"`
	PIN     string   `json:"-"`
	OwnPIN  bool     `json:"-"`
	Card    *string  `json:"-"`
}

// Editable gives a plan as an Edit that changes nothing.
func (p *Plan) Editable() Edit {
	days := CalendarEdit{Holidays: append([]string{}, p.Rules.Calendar.Holidays...), Workdays: map[string]string{}}
	maps.Copy(days.Workdays, p.Rules.Calendar.Workdays)
	e := Edit{Queues: []QueueEdit{}, Windows: []WindowEdit{}, Staff: []StaffEdit{}, Calendar: &days}
	for _, q := range p.Queues {
		e.Queues = append(e.Queues, QueueEdit{
			ID: q.ID, Name: q.Name, Dept: q.Dept, Identity: q.Identity, ServiceS: q.ServiceS,
			Hours: append([]string{}, q.Admission.Hours...), Quota: q.Admission.Quota,
		})
	}
	for _, w := range p.Windows {
		e.Windows = append(e.Windows, WindowEdit{ID: w.ID, Name: w.Name, Queues: append([]string{}, w.Queues...)})
	}
	for _, s := range p.Staff {
		e.Staff = append(e.Staff, StaffEdit{ID: s.ID, Name: s.Name, Role: s.Role, Windows: append([]string{}, s.Windows...)})
	}
	return e
}

// editedBy begins a plan that was written by the agent.
const editedBy = "# 大厅主管在本厅修改，由 hall-agent 写成。\n"

// Edited gives the text of the plan after an edit, under the next revision, and what is wrong with it. It is checked like any hall.yaml,
// so the text always loads again when there is no problem.
func (c *Config) Edited(e Edit) (text []byte, problems strictyaml.Problems, err error) {
	p := c.Plan
	p.Revision++
	p.Queues, p.Windows, p.Staff = nil, nil, nil
	if e.Calendar != nil {
		p.Rules.Calendar = Calendar(*e.Calendar)
	}
	for _, q := range e.Queues {
		n := former(c.Plan.Queues, func(o Queue) bool { return o.ID == q.ID })
		n.ID, n.Name, n.Dept, n.Identity, n.ServiceS = q.ID, q.Name, q.Dept, q.Identity, q.ServiceS
		n.Admission.Hours, n.Admission.Quota = q.Hours, q.Quota
		p.Queues = append(p.Queues, n)
	}
	for _, w := range e.Windows {
		n := former(c.Plan.Windows, func(o Window) bool { return o.ID == w.ID })
		n.ID, n.Name, n.Queues = w.ID, w.Name, w.Queues
		p.Windows = append(p.Windows, n)
	}
	for _, s := range e.Staff {
		n := former(c.Plan.Staff, func(o Staff) bool { return o.ID == s.ID })
		n.ID, n.Name, n.Role, n.Windows = s.ID, s.Name, s.Role, s.Windows
		if s.PIN != "" {
			n.PIN, n.ChangePIN = s.PIN, p.Rules.SignIn.OwnPIN && !s.OwnPIN
		}
		if s.Card != nil {
			n.Card = *s.Card
		}
		p.Staff = append(p.Staff, n)
	}
	raw, err := yaml.Marshal(p)
	if err != nil {
		return nil, nil, fmt.Errorf("write plan: %w", err)
	}
	text = append([]byte(editedBy), raw...)
	_, problems = c.WithPlan("hall.yaml", text)
	return text, problems, nil
}

// former gives the entry of a list that is like the new one, or the zero value.
func former[T any](list []T, same func(T) bool) (entry T) {
	if i := slices.IndexFunc(list, same); i >= 0 {
		return list[i]
	}
	return entry
}
