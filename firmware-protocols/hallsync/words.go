package hallsync

// TicketID is a ULID: 26 characters, unique without coordination, never shown to citizens.
type TicketID string

// QueueID names a queue of the hall ("A"); it is also the prefix of its ticket numbers.
type QueueID string

// WindowID names a window of the hall ("1", "A12") as the people in the hall see it.
type WindowID string

// StaffID names a member of staff as hall.yaml does. It is a work id, not a personal name.
type StaffID string

// BookingID names an appointment, as its citizen was told.
type BookingID string

// BookingState is what became of an appointment.
type BookingState string

// The states of an appointment.
const (
	Booked         BookingState = "booked"
	BookingArrived BookingState = "arrived"
	BookingNoShow  BookingState = "missed"
	BookingGone    BookingState = "cancelled"
)

// TicketState is where a ticket stands. The transitions between states are the table in package queue.
type TicketState string

// The states of a ticket.
const (
	Waiting   TicketState = "waiting"   // 等候
	Called    TicketState = "called"    // 已叫号
	Serving   TicketState = "serving"   // 办理中
	Held      TicketState = "held"      // 挂起
	Passed    TicketState = "passed"    // 过号
	Done      TicketState = "done"      // 办结
	Abandoned TicketState = "abandoned" // 弃号
	Withdrawn TicketState = "withdrawn" // 退号
	Closed    TicketState = "closed"    // 日终清号
)

// Open reports whether the ticket still takes part in the day.
func (s TicketState) Open() bool {
	return s == Waiting || s == Called || s == Serving || s == Held || s == Passed
}

// Class is the ticket's priority class.
type Class string

// The classes, in rising order of precedence.
const (
	Normal      Class = "normal"      // 普通
	Appointment Class = "appointment" // 预约
	Elder       Class = "elder"       // 老年人、残疾人、孕妇
	Priority    Class = "priority"    // 军人、烈属等法定优先
)

// Rank orders classes: the higher rank is served first.
func (c Class) Rank() int {
	switch c {
	case Priority:
		return 3
	case Elder:
		return 2
	case Appointment:
		return 1
	default:
		return 0
	}
}

// Valid reports whether the class is one of the four.
func (c Class) Valid() bool { return c == Normal || c == Appointment || c == Elder || c == Priority }

// Channel is where a ticket was taken.
type Channel string

// The channels.
const (
	AtKiosk  Channel = "kiosk"
	AtDesk   Channel = "desk"
	AtWindow Channel = "window"
	Online   Channel = "online"
	AtRoll   Channel = "roll" // a number of a paper roll, called without a ticket
)

// Valid reports whether the channel is known.
func (c Channel) Valid() bool { return c == AtKiosk || c == AtDesk || c == AtWindow || c == Online }

// Proof is how a citizen was recognised when taking a ticket; it never says who.
type Proof string

// The proofs.
const (
	ProofNone   Proof = "none"
	ProofIDCard Proof = "idcard"
	ProofYSS    Proof = "yss_code" // 粤省事码
	ProofYSH    Proof = "ysh_code" // 粤商码
)

// Identity is what is known of a citizen beyond his proof.
type Identity string

// IdentityPending says that nobody could be asked about a code: the citizen is identified by his card at the window.
const IdentityPending Identity = "pending"

// WindowState is whether a window serves.
type WindowState string

// The states of a window.
const (
	WindowClosed WindowState = "closed"
	WindowOpen   WindowState = "open"
	WindowPaused WindowState = "paused"
)

// Position is where a transferred ticket enters the other queue.
type Position string

// The positions.
const (
	AtFront   Position = "front"
	ByArrival Position = "arrival" // by the time the ticket was taken; the default
	AtEnd     Position = "end"
)

// Grade is a citizen's rating. Numbers of outside standards (which run 1–5 in both directions) never appear here.
type Grade string

// The five grades of 好差评.
const (
	VerySatisfied    Grade = "very_satisfied"
	Satisfied        Grade = "satisfied"
	Fair             Grade = "fair"
	Dissatisfied     Grade = "dissatisfied"
	VeryDissatisfied Grade = "very_dissatisfied"
)

// Valid reports whether the grade is one of the five.
func (g Grade) Valid() bool {
	switch g {
	case VerySatisfied, Satisfied, Fair, Dissatisfied, VeryDissatisfied:
		return true
	}
	return false
}

// Unrated is why somebody who was asked gave no rating.
type Unrated string

// The reasons: nobody answered in time, or the window called somebody else meanwhile.
const (
	UnratedTimeout  Unrated = "timeout"
	UnratedNextCall Unrated = "next_call"
)

// Valid reports whether it is one of the reasons.
func (u Unrated) Valid() bool { return u == UnratedTimeout || u == UnratedNextCall }

// PrintState is how far a ticket's slip is.
type PrintState string

// The states of a slip. SlipNone: no paper was asked for.
const (
	SlipNone     PrintState = "none"
	SlipPending  PrintState = "pending"
	SlipPrinting PrintState = "printing"
	SlipPrinted  PrintState = "printed"
	SlipFailed   PrintState = "failed"
)

// Outcome is how much of a slip that failed is on paper.
type Outcome string

// The outcomes.
const (
	OutNothing Outcome = "nothing"
	OutPart    Outcome = "part" // the printer stopped before its end
	OutUnknown Outcome = ""     // it may be whole
)

// WaitRange is an estimate of the time still to wait, in seconds, from P50 to P80, rounded to five minutes.
type WaitRange struct {
	LowS  int `json:"low_s"`
	HighS int `json:"high_s"`
}

// Expectation is how long a ticket was expected to wait when it was taken, in seconds and not rounded: by replaying the order, and by
// how long the first in line had waited. It serves to measure the estimates.
type Expectation struct {
	ReplayS int64 `json:"replay_s"`
	HeadS   int64 `json:"head_s"`
}

// Why explains a call: which rule chose the ticket, its score under that rule, how long it had waited, and the number that
// would have been next ("" if nobody else waited).
type Why struct {
	Rule    string `json:"rule"`
	Score   int64  `json:"score"`
	WaitedS int64  `json:"waited_s"`
	Next    string `json:"next"`
}
