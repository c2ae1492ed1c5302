// Package api gives the cloud's JSON API under /api/v1: what the console and other systems read. The same table of routes
// mounts the handlers and writes openapi.json, so that the description cannot drift from the program.
package api

import (
	"encoding/json"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Page is one page of a list. Total counts all items that match the filters, not only those on this page.
// Query parameters of every list: page (from 1) and size (1–200, default 50).
type Page[T any] struct {
	Items []T `json:"items"`
	Total int `json:"total"`
}

// SignIn is the body of POST /api/v1/session. The answer is a Session and the cookie hall_session.
// Requests that change something with the cookie must come from the console's own origin.
// Who has a second factor is refused with the code sign_in_code when Code is empty, and sends all three then; a recovery code does
// instead of one.
type SignIn struct {
	User     string `json:"user"`
	Password string `json:"password"`
	Code     string `json:"code,omitempty"`
}

// Session is who is signed in. By is password (the cookie) or token (Authorization: Bearer); a token does not expire. Scope lists
// what the codes of his halls begin with: "" is every hall. While Must is password or second_factor, nothing but the account's own
// requests is let through.
type Session struct {
	User         string     `json:"user"`
	Name         string     `json:"name"`
	Roles        []string   `json:"roles"` // viewer, clerk, manager, maintainer, auditor, video, admin
	Scope        []string   `json:"scope"`
	By           string     `json:"by"`
	Must         string     `json:"must"`
	SecondFactor bool       `json:"second_factor"`
	RecoveryLeft int        `json:"recovery_left"` // recovery codes not used yet
	ExpiresAt    *time.Time `json:"expires_at"`
}

// NewPassword is the body of PUT /api/v1/account/password. All sessions of the user end; the answer sets the cookie of a new one.
type NewPassword struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// FactorRequest is the body of POST /api/v1/account/second-factor. Code is one of the second factor there is.
type FactorRequest struct {
	Password string `json:"password"`
	Code     string `json:"code,omitempty"`
}

// Factor is what an authenticator needs. It counts when it is confirmed with PUT.
type Factor struct {
	Secret string `json:"secret"` // base32
	URI    string `json:"uri"`    // otpauth
	Image  string `json:"image"`  // the URI as a QR code: data:image/png;base64
}

// SignInWays says how people may sign in.
type SignInWays struct {
	Password bool `json:"password"`
	OIDC     bool `json:"oidc"` // through the unified identity platform
}

// Journey is where a browser goes to sign in at the unified identity platform. It comes back to the console's page /sign-in/oidc.
type Journey struct {
	URL string `json:"url"`
}

// Arrival is the body of POST /api/v1/session/oidc: what the platform has put into the address it sent the browser back to.
type Arrival struct {
	State string `json:"state"`
	Code  string `json:"code"`
	Error string `json:"error"` // instead of a code
}

// FactorCode is the body of PUT /api/v1/account/second-factor.
type FactorCode struct {
	Code string `json:"code"`
}

// RecoveryCodes are shown once. Each does once instead of a code.
type RecoveryCodes struct {
	Codes []string `json:"codes"`
}

// User is one line of GET /api/v1/users, in order of name; those who have halls beyond the reader's are not listed.
// Filter: q (part of name or full name).
type User struct {
	Name         string    `json:"name"`
	FullName     string    `json:"full_name"`
	Roles        []string  `json:"roles"`
	Scope        []string  `json:"scope"`
	Disabled     bool      `json:"disabled"`
	Origin       string    `json:"origin"`        // config: of cloud.yaml, which alone changes him; cli: added here or by command; platform: of the unified identity platform
	MustChange   bool      `json:"must_change"`   // has to choose a password of his own
	SecondFactor bool      `json:"second_factor"` // has codes of one
	Certificate  bool      `json:"certificate"`   // was issued one, and it is not revoked
	CreatedAt    time.Time `json:"created_at"`
}

// NewUser is the body of POST /api/v1/users.
type NewUser struct {
	Name     string   `json:"name"`
	FullName string   `json:"full_name"`
	Password string   `json:"password"` // for the first sign-in
	Roles    []string `json:"roles"`
	Scope    []string `json:"scope"`
}

// UserChange is the body of PUT /api/v1/users/{name}. What is missing or null stays.
type UserChange struct {
	FullName *string   `json:"full_name,omitempty"`
	Roles    *[]string `json:"roles,omitempty"`
	Scope    *[]string `json:"scope,omitempty"`
	Disabled *bool     `json:"disabled,omitempty"`
}

// UserPassword is the body of PUT /api/v1/users/{name}/password. The user has to choose another one at his next sign-in.
type UserPassword struct {
	Password string `json:"password"`
}

// HallState says whether a hall is heard.
type HallState string

// The states of a hall.
const (
	HallOnline  HallState = "online"  // connected and heard within the last 90 s
	HallStale   HallState = "stale"   // connected, but silent for longer
	HallOffline HallState = "offline" // not connected
	HallNever   HallState = "never"   // configured, and never heard
)

// Hall is one line of GET /api/v1/halls and the data of each change of the stream.
// Filters: q (part of code, name or region), state (a HallState), severity (info, warning, error).
type Hall struct {
	ID           hallsync.HallID `json:"id"`
	Name         string          `json:"name"`
	Region       string          `json:"region"`
	Profile      string          `json:"profile"` // full, town, village or empty while unknown
	State        HallState       `json:"state"`
	SeenAt       *time.Time      `json:"seen_at"` // last message of any kind
	Version      string          `json:"version"`
	Severity     string          `json:"severity"`     // worst health finding: empty, info, warning or error
	Finding      *Finding        `json:"finding"`      // that finding; null when there is none
	BusinessDay  string          `json:"business_day"` // 2006-01-02; empty while no day is open
	Waiting      int             `json:"waiting"`
	Serving      int             `json:"serving"`
	TakenToday   int             `json:"taken_today"`
	WindowsOpen  int             `json:"windows_open"`
	Windows      int             `json:"windows"`
	Devices      int             `json:"devices"`
	DevicesBad   int             `json:"devices_bad"` // not ok
	Cameras      int             `json:"cameras"`
	CamerasLive  int             `json:"cameras_live"`  // arriving at this node now
	FactsPending uint64          `json:"facts_pending"` // facts the hall holds and the cloud does not yet
}

// Finding is the gravest health finding of a hall in short; all of them are in its detail.
type Finding struct {
	Code    string `json:"code"`
	Subject string `json:"subject"` // device or camera; empty when it is about the hall
	Title   string `json:"title"`
}

// HallDetail is GET /api/v1/halls/{id}.
type HallDetail struct {
	Hall
	Queues     []Queue                 `json:"queues"`
	WindowList []Window                `json:"window_list"`
	Calls      []Call                  `json:"calls"` // the latest 20, newest first
	DeviceList []hallsync.DeviceStatus `json:"device_list"`
	CameraList []Camera                `json:"camera_list"`
	Health     []hallsync.Condition    `json:"health"`
	Log        Log                     `json:"log"`
}

// Queue is one queue of a hall today.
type Queue struct {
	ID      hallsync.QueueID `json:"id"`
	Name    string           `json:"name"` // empty until the hall has reported it
	Waiting int              `json:"waiting"`
	Taken   int              `json:"taken"`
	Done    int              `json:"done"`
}

// Window is one window of a hall as its facts say.
type Window struct {
	ID     hallsync.WindowID    `json:"id"`
	State  hallsync.WindowState `json:"state"`
	Reason string               `json:"reason"` // of a pause
	Staff  hallsync.StaffID     `json:"staff"`  // work id, empty when nobody; for managers
	Since  *time.Time           `json:"since"`  // null: nothing has happened there yet
	Ticket *WindowTicket        `json:"ticket"` // the ticket called to it or served at it
}

// WindowTicket is the ticket at a window.
type WindowTicket struct {
	ID     hallsync.TicketID    `json:"id"`
	Number string               `json:"number"`
	State  hallsync.TicketState `json:"state"`
}

// Call is one call or recall.
type Call struct {
	Seq     hallsync.Seq      `json:"seq"`
	At      time.Time         `json:"at"`
	Ticket  hallsync.TicketID `json:"ticket"`
	Number  string            `json:"number"`
	Queue   hallsync.QueueID  `json:"queue"`
	Window  hallsync.WindowID `json:"window"`
	How     string            `json:"how"` // next, designated, passed_recall, transfer_in or recall
	Times   int               `json:"times"`
	Rule    string            `json:"rule"` // the rule that chose the ticket; empty for a recall
	WaitedS int64             `json:"waited_s"`
}

// Log says how far a hall's log has come: what the hall wrote, what is stored here, and what is between.
type Log struct {
	Epoch        string       `json:"epoch"`         // the epoch in force
	Epochs       int          `json:"epochs"`        // all epochs ever seen of this hall
	HallLast     hallsync.Seq `json:"hall_last"`     // last fact the hall has, as it reported
	HallAcked    hallsync.Seq `json:"hall_acked"`    // last fact the hall knows to be here
	Stored       hallsync.Seq `json:"stored"`        // every fact up to here is stored and projected
	Highest      hallsync.Seq `json:"highest"`       // highest fact stored, above a gap if greater than stored
	Refused      int          `json:"refused"`       // facts refused by name
	Unread       int          `json:"unread"`        // sealed facts whose keys have not come
	ChainFaults  int          `json:"chain_faults"`  // what was found wrong with the chain of the log
	Gone         int          `json:"gone"`          // facts the hall no longer had when asked
	Stale        bool         `json:"stale"`         // the hall was told to open a new epoch and has not yet
	ReceivedAt   *time.Time   `json:"received_at"`   // arrival of the latest fact
	ClockSkewMS  *int64       `json:"clock_skew_ms"` // hall's clock minus ours at its last hello
	FileBytes    int64        `json:"file_bytes"`    // size of the hall's database
	FsyncP99Usec int64        `json:"fsync_p99_us"`
}

// Ticket is one line of GET /api/v1/tickets?hall=…, newest first.
// Filters: hall (required), day (2006-01-02), state, queue, window, number.
type Ticket struct {
	ID          hallsync.TicketID    `json:"id"`
	Hall        hallsync.HallID      `json:"hall"`
	Number      string               `json:"number"`
	FlowNo      string               `json:"flow_no"`
	BusinessDay string               `json:"business_day"`
	Queue       hallsync.QueueID     `json:"queue"`
	Class       hallsync.Class       `json:"class"`
	Channel     hallsync.Channel     `json:"channel"`
	Place       string               `json:"place"` // kiosk, desk or window where it was taken
	Proof       hallsync.Proof       `json:"proof"`
	State       hallsync.TicketState `json:"state"`
	Window      hallsync.WindowID    `json:"window"`
	TakenAt     time.Time            `json:"taken_at"`
	CalledAt    *time.Time           `json:"called_at"` // first call
	StartedAt   *time.Time           `json:"started_at"`
	EndedAt     *time.Time           `json:"ended_at"` // done, abandoned, withdrawn or closed
	Calls       int                  `json:"calls"`
	WaitedS     *int64               `json:"waited_s"` // from taking to the first call
	ServiceS    *int64               `json:"service_s"`
	Print       hallsync.PrintState  `json:"print"`
	Reprints    int                  `json:"reprints"`
	Grade       hallsync.Grade       `json:"grade"` // empty while not rated
}

// Fact is one line of GET /api/v1/facts?hall=…, in rising order of seq: what the hall wrote, and when it came.
// Filters: hall (required), epoch (default: the one in force), after (a seq, default 0), kind. Page by after, not by page:
// the next page starts after the last seq of this one. Payloads name people (person, staff) for managers only.
type Fact struct {
	Epoch      string          `json:"epoch"`
	Seq        hallsync.Seq    `json:"seq"`
	Kind       hallsync.Kind   `json:"kind"`
	V          int             `json:"v"`
	At         time.Time       `json:"at"`
	ReceivedAt time.Time       `json:"received_at"`
	Refused    string          `json:"refused"` // code, empty for an accepted fact
	Hash       string          `json:"hash"`    // first 8 bytes of SHA-256 of the original bytes, in hex
	Sealed     string          `json:"sealed"`  // why nobody can read it: key_unknown, key_destroyed, unsealable; empty: it can be read
	Erased     string          `json:"erased"`  // the order by which its payload was erased; empty: it was not
	Payload    json.RawMessage `json:"payload"` // as far as the reader may see it
}

// Camera is one line of GET /api/v1/cameras. State, reason and codec are the hall's own report; live says that the pictures
// arrive at this node now. Filters: hall, state, live (true or false), q (part of code or name).
type Camera struct {
	Code    string          `json:"code"`
	Hall    hallsync.HallID `json:"hall"`
	Name    string          `json:"name"`
	Scene   int             `json:"scene"` // 1 entrance … 8 other
	State   string          `json:"state"` // idle, connecting, relaying, degraded, offline, auth_failed or empty while unknown
	Reason  string          `json:"reason"`
	Since   *time.Time      `json:"since"`
	Codec   string          `json:"codec"`
	BitsPS  int64           `json:"bits_ps"`
	Live    bool            `json:"live"`
	Viewers int             `json:"viewers"`
	Whep    string          `json:"whep"` // path of the WHEP endpoint: POST an SDP offer there, with the session; empty for who may not
}

// Notice is one line of GET /api/v1/notices: what was published last for a group of screens of a hall. State is how it is with it there, by
// what the hall reported last: showing, waiting (there, and its time has not come), pending (not there yet), refused, altered, no_screen,
// unknown, expired, withdrawing (the hall has not said yet that it is gone) or withdrawn.
// Filters: hall, group, state, q (part of code or name of the hall, or of the heading).
type Notice struct {
	Hall        hallsync.HallID `json:"hall"`
	HallName    string          `json:"hall_name"`
	HallState   HallState       `json:"hall_state"`
	Group       string          `json:"group"`
	Version     int64           `json:"version"`
	Heading     string          `json:"heading"` // first line of its first text; empty: pictures alone
	Items       int             `json:"items"`
	From        time.Time       `json:"from"`
	Until       time.Time       `json:"until"`
	PublishedAt time.Time       `json:"published_at"`
	Actor       string          `json:"actor"`
	WithdrawnAt *time.Time      `json:"withdrawn_at"`
	State       string          `json:"state"`
	Screens     *int            `json:"screens"` // of the group in the hall; null: the hall has not said
	Shows       *int64          `json:"shows"`   // version that its screens show, 0: none; null: the hall has not said
}

// NoticeDetail is what GET /api/v1/notices/{hall}/{group} answers.
type NoticeDetail struct {
	Notice
	Content []NoticeItem `json:"content"` // in the order in which it is shown; empty once it is withdrawn
}

// NoticeItem is a picture or a text of a notice.
type NoticeItem struct {
	Path string `json:"path"`
	Type string `json:"type"` // image/png, image/jpeg or text/plain
	Size int64  `json:"size"`
	SM3  string `json:"sm3"`
	Text string `json:"text"` // whose first line is the heading; empty: a picture, which stands at …/{version}/{path}
}

// NoticeGroup is a group of screens that halls have, or that a notice is for.
type NoticeGroup struct {
	Group   string            `json:"group"`
	Screens int               `json:"screens"`
	Halls   []hallsync.HallID `json:"halls"` // that have screens of it
}

// NoticeGroups is what GET /api/v1/notices/groups answers. Of a hall that is not in Said nobody knows which groups it has.
type NoticeGroups struct {
	Groups []NoticeGroup     `json:"groups"`
	Said   []hallsync.HallID `json:"said"`
}

// NewNotice is the body of POST /api/v1/notices. It takes the place of what the group of screens of these halls had before.
type NewNotice struct {
	Halls []hallsync.HallID `json:"halls"`
	Group string            `json:"group"`
	From  *time.Time        `json:"from"` // null: now
	Until time.Time         `json:"until"`
	Items []NewNoticeItem   `json:"items"` // 1–12, in the order in which they are shown
}

// NewNoticeItem is a text, which has a Title, or a picture with the Name of its file.
type NewNoticeItem struct {
	Title string `json:"title,omitempty"`
	Text  string `json:"text,omitempty"`
	Name  string `json:"name,omitempty"`
	Data  []byte `json:"data,omitempty"` // PNG or JPEG, in base64
}

// NoticePublished is the answer to a NewNotice.
type NoticePublished struct {
	Halls    int               `json:"halls"`
	NoScreen []hallsync.HallID `json:"no_screen"` // have no screen of the group: nobody sees it there
}

// NoticeWithdrawal is the body of POST /api/v1/notices/withdrawals.
type NoticeWithdrawal struct {
	Halls []hallsync.HallID `json:"halls"`
	Group string            `json:"group"`
}

// NoticeWithdrawn is the answer to a NoticeWithdrawal.
type NoticeWithdrawn struct {
	Halls []hallsync.HallID `json:"halls"` // where there was something
}

// AuditLine is one line of GET /api/v1/audit, newest first, for auditors; one of a part of the halls has the
// lines about those halls, and by and about the users of those. By says what User is: the account of a person
// (password), the name of a token (token), or an account of the machine that ran hall-cloud (command); it is empty in lines of
// older versions. What was typed as a user's name and is none is not kept, because it may be a password: User is then a question
// mark with eight hex digits, the same for the same text until the program ends.
// Filters: user, action, from (inclusive), to (exclusive; a date means its end).
type AuditLine struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	User    string    `json:"user"`
	Name    string    `json:"name"` // full name of the user, as it is now
	By      string    `json:"by"`
	Action  string    `json:"action"`  // sign_in, sign_out, watch, password, second_factor, user_add …
	Subject string    `json:"subject"` // a camera, or a user; of sign_in what was shown beside the password: totp, recovery_code or certificate
	Result  string    `json:"result"`  // ok, a code, or the HTTP status of a refused viewing
	Remote  string    `json:"remote"`  // address of the client
}

// The stream GET /api/v1/stream is text/event-stream. Each connection begins with the event `ready` (data: Ready): fetch
// now what you show. Then come `change` events (data: Change), at most about four a second for one hall, the newest state
// winning: a reader that falls behind gets fewer changes, never old ones. When the reader's session ends, by sign-out, expiry or
// its user's being disabled, the stream ends with the event `ended` (data: Ended).

// Ready is the data of the event `ready`.
type Ready struct {
	At time.Time `json:"at"`
}

// Ended is the data of the event `ended`: why the reader is no longer signed in.
type Ended struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Change is the data of the event `change`. Parts names what changed of the hall, of PartStatus, PartQueues and so on.
type Change struct {
	Hall  Hall     `json:"hall"`
	Parts []string `json:"parts"`
}

// The parts of a hall in a Change.
const (
	PartStatus  = "status"  // presence, version, health, devices, log position: from the hall's report
	PartQueues  = "queues"  // tickets and queue lengths
	PartWindows = "windows" // windows and calls
	PartCameras = "cameras" // a camera began or stopped arriving, or was reported differently
)
