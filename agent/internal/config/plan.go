package config

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
}

// Staff is a person who signs in at windows. PIN is an argon2id hash in PHC form, never a PIN.
type Staff struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	PIN     string   `yaml:"pin"`
	Windows []string `yaml:"windows"` // empty: every window
	Role    string   `yaml:"role"`    // clerk or manager
}

// Kiosk is a place where tickets are taken. Printer is the device that prints there; empty: kiosk-<id>.printer. Spare prints when that
// one cannot, at the kiosk itself or near it; empty: kiosk-<id>.spare, if there is such a device.
type Kiosk struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	Queues  []string `yaml:"queues"` // empty: all
	Printer string   `yaml:"printer"`
	Desk    string   `yaml:"desk"` // where the guide's desk is, seen from here
	Spare   string   `yaml:"spare"`
}

// Screen is a page that shows calls, of some windows or of all.
type Screen struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	Windows []string `yaml:"windows"`
	Notice  string   `yaml:"notice"` // the running line
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

	Calendar Calendar `yaml:"calendar"`
	Voice    Voice    `yaml:"voice"`
}
