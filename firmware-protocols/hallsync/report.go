package hallsync

import "time"

// Report is the retained body of up/state: telemetry, not a fact. It has no sequence number and the newest one wins.
// The will of the MQTT session is a Report with Online false and the same Boot.
type Report struct {
	Hall    HallID         `json:"hall"`
	Boot    string         `json:"boot"`
	Online  bool           `json:"online"`
	At      time.Time      `json:"at"`
	Version string         `json:"version,omitempty"`
	Name    string         `json:"name,omitempty"`    // the hall's name as its configuration says
	Profile string         `json:"profile,omitempty"` // full, town or village
	Health  []Condition    `json:"health,omitempty"`
	Devices []DeviceStatus `json:"devices,omitempty"`
	Cameras []CameraStatus `json:"cameras,omitempty"`
	Queues  []QueueStatus  `json:"queues,omitempty"`
	Windows []WindowStatus `json:"windows,omitempty"`
	Notices []NoticeStatus `json:"notices,omitzero"` // nil: a box of before they were reported
	Log     LogStatus      `json:"log"`
}

// Condition is one health finding that is visible now. Texts come from messages/zh-CN.yaml by Code.
type Condition struct {
	Code     string    `json:"code"`
	Subject  string    `json:"subject,omitempty"` // device, camera or queue it speaks of
	Severity string    `json:"severity"`          // info, warning or error
	Title    string    `json:"title"`
	Advice   string    `json:"advice,omitempty"`
	Since    time.Time `json:"since"`
}

// DeviceStatus is one configured device.
type DeviceStatus struct {
	Name     string    `json:"name"`
	Class    string    `json:"class"`
	Model    string    `json:"model"`
	State    string    `json:"state"` // starting, ok, degraded, offline or unusable
	Code     string    `json:"code,omitempty"`
	Since    time.Time `json:"since"`
	Advice   string    `json:"advice,omitempty"`
	Blind    bool      `json:"blind,omitempty"`    // cannot tell how it is: ok means no more than that its line is open
	Identity string    `json:"identity,omitempty"` // which one of its kind it said it is, such as the number of a card reader's module
}

// CameraStatus is one configured camera and its relay.
type CameraStatus struct {
	Code    string    `json:"code"`
	Name    string    `json:"name"`
	Scene   int       `json:"scene"`
	State   string    `json:"state"` // idle, connecting, relaying, degraded, offline or auth_failed
	Reason  string    `json:"reason,omitempty"`
	Since   time.Time `json:"since"`
	Codec   string    `json:"codec,omitempty"`
	BitsPS  int64     `json:"bits_ps,omitempty"` // bits per second over the last report interval
	Packets uint64    `json:"packets,omitempty"`
}

// QueueStatus is the length of one queue.
type QueueStatus struct {
	ID      QueueID `json:"id"`
	Name    string  `json:"name"`
	Waiting int     `json:"waiting"`
}

// WindowStatus is one window the hall has. What happens at it are facts; this says that it exists before the first of them.
type WindowStatus struct {
	ID   WindowID `json:"id"`
	Name string   `json:"name"`
}

// NoticeStatus is what the screens of one group show of the centre's notices. There is one of each group that a screen has or a bundle is for.
type NoticeStatus struct {
	Group   string `json:"group"`
	Screens int    `json:"screens"`          // of the group in the hall's plan
	Shows   int64  `json:"shows,omitempty"`  // version in force; 0: none
	Latest  int64  `json:"latest,omitempty"` // the newest version that is there; its time may not have come
	Code    string `json:"code,omitempty"`   // what is wrong with them: notice_refused or notice_altered
}

// LogStatus says how far the hall's log and its delivery are, and how fast its disk is.
type LogStatus struct {
	Epoch        string `json:"epoch"`
	Last         Seq    `json:"last"`
	Acked        Seq    `json:"acked"`
	FileBytes    int64  `json:"file_bytes"`
	FsyncP99Usec int64  `json:"fsync_p99_us"`
}
