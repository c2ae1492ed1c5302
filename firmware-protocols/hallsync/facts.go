package hallsync

import "time"

// By says who caused a fact: a signed-in member of staff, a window's pad, a kiosk, the hall itself ("system") or the centre.
type By struct {
	Kind  string  `json:"kind"` // staff, pad, kiosk, citizen, system or cloud
	ID    string  `json:"id,omitempty"`
	Staff StaffID `json:"staff,omitempty"`
}

// DayOpened starts a business day (2006-01-02 in the hall's time zone): all number sequences begin at 1. After is set on the
// first day of a log that follows a lost one, and on a day that comes a second time because a clock was put right: that day's numbers begin
// behind it, and its running number behind a hundred times of it, so that none is given again that may be on somebody's slip.
type DayOpened struct {
	BusinessDay string     `json:"business_day"`
	After       int        `json:"after,omitempty"`
	Carried     []TicketID `json:"carried,omitempty"` // tickets of the day before that still wait, or may come back
	// Instead names a later day that was opened by a clock that was ahead. This one takes its place, and nothing else changes: Carried are
	// its open tickets, which stay where they are. If it names the day itself, that goes on with its numbers behind After, and nothing else changes.
	Instead string `json:"instead,omitempty"`
}

// DayClosed ends a business day. The open tickets were closed by TicketClosed facts before it.
type DayClosed struct {
	BusinessDay string `json:"business_day"`
}

// TicketTaken is a number given to a citizen. Number is what is printed and spoken ("A023"), Ordinal its count in the queue
// that day, FlowNo the day's running number (yyyyMMdd + 6 digits).
type TicketTaken struct {
	Ticket      TicketID    `json:"ticket"`
	Number      string      `json:"number"`
	Ordinal     int         `json:"ordinal"`
	FlowNo      string      `json:"flow_no"`
	BusinessDay string      `json:"business_day"`
	Queue       QueueID     `json:"queue"`
	Class       Class       `json:"class"`
	Channel     Channel     `json:"channel"`
	Place       string      `json:"place,omitempty"` // kiosk, desk or window where it was taken
	Proof       Proof       `json:"proof"`
	Identity    Identity    `json:"identity_state,omitempty"` // pending: nobody could be asked about the code
	Ahead       int         `json:"ahead"`
	Wait        *WaitRange  `json:"wait,omitempty"`
	Expect      Expectation `json:"expect,omitzero"`
	Person      string      `json:"person,omitempty"` // keyed digest of the identity number, the same for one person all day
	Booking     BookingID   `json:"booking,omitempty"`
	BookedFor   time.Time   `json:"booked_for,omitzero"`    // from when the citizen waits: the booked time, or when he came to it late; zero: not booked, or too late
	Override    string      `json:"override,omitempty"`     // why staff set hours and quotas aside
	ClassReason string      `json:"class_reason,omitempty"` // why staff gave it its class
	Then        []QueueID   `json:"then,omitempty"`         // queues the citizen goes on to with the same number, in order
	Windows     []WindowID  `json:"windows"`                // windows that serve the queue
	Printer     string      `json:"printer,omitempty"`      // place whose printer makes the slip; empty: no paper
	By          By          `json:"by"`
}

// TicketCalled is the first call of a ticket to a window. How is next, designated, passed_recall or transfer_in.
type TicketCalled struct {
	Ticket TicketID `json:"ticket"`
	Number string   `json:"number"`
	Queue  QueueID  `json:"queue"`
	Window WindowID `json:"window"`
	How    string   `json:"how"`
	Why    Why      `json:"why"`
	Reason string   `json:"reason,omitempty"`
	By     By       `json:"by"`
}

// TicketRecalled is a further call of a called ticket at the same window; Times counts all calls of this session.
type TicketRecalled struct {
	Ticket TicketID `json:"ticket"`
	Number string   `json:"number"`
	Window WindowID `json:"window"`
	Times  int      `json:"times"`
	By     By       `json:"by"`
}

// TicketStarted is 开始办理: the citizen stands at the window.
type TicketStarted struct {
	Ticket TicketID `json:"ticket"`
	Window WindowID `json:"window"`
	By     By       `json:"by"`
}

// TicketFinished is 办结.
type TicketFinished struct {
	Ticket   TicketID `json:"ticket"`
	Window   WindowID `json:"window"`
	ServiceS int64    `json:"service_s"` // seconds between start and finish
	By       By       `json:"by"`
}

// TicketStepDone is 办结 of one of several things a citizen came for with one number; the next is in the transfer that follows.
type TicketStepDone struct {
	Ticket   TicketID `json:"ticket"`
	Window   WindowID `json:"window"`
	Queue    QueueID  `json:"queue"`
	ServiceS int64    `json:"service_s"` // seconds between start and finish
	By       By       `json:"by"`
}

// TicketPassed is 过号: called, and nobody came.
type TicketPassed struct {
	Ticket TicketID `json:"ticket"`
	Number string   `json:"number"`
	Window WindowID `json:"window"`
	Early  bool     `json:"early,omitempty"` // so soon after the call that it does not count
	By     By       `json:"by"`
}

// TicketRequeued puts a passed ticket back in line under its old number. After is how many further calls of its queue come first.
type TicketRequeued struct {
	Ticket TicketID `json:"ticket"`
	After  int      `json:"after,omitempty"`
	By     By       `json:"by"`
}

// TicketTransferred is 转号. Window, if set, is the only window that may call the ticket. Note is what the next window should know.
type TicketTransferred struct {
	Ticket   TicketID `json:"ticket"`
	From     WindowID `json:"from"`
	Queue    QueueID  `json:"queue"`
	Window   WindowID `json:"window,omitempty"`
	Position Position `json:"position"`
	Reason   string   `json:"reason,omitempty"`
	Note     string   `json:"note,omitempty"`
	By       By       `json:"by"`
}

// TicketHeld is 挂起: put aside while the citizen fetches something. Until, if set, is when it goes back to its old place in line.
type TicketHeld struct {
	Ticket TicketID  `json:"ticket"`
	Window WindowID  `json:"window"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	By     By        `json:"by"`
}

// TicketResumed is 恢复办理 of a held ticket.
type TicketResumed struct {
	Ticket TicketID `json:"ticket"`
	Window WindowID `json:"window"`
	By     By       `json:"by"`
}

// TicketAbandoned is 弃号 by staff. From is the state it had.
type TicketAbandoned struct {
	Ticket TicketID    `json:"ticket"`
	Window WindowID    `json:"window"`
	From   TicketState `json:"from"`
	Reason string      `json:"reason,omitempty"`
	By     By          `json:"by"`
}

// TicketWithdrawn is 退号 by the citizen.
type TicketWithdrawn struct {
	Ticket TicketID `json:"ticket"`
	By     By       `json:"by"`
}

// TicketClassSet gives a ticket another class, by staff: it ages by the new class from the time it was taken. From is the class it had.
type TicketClassSet struct {
	Ticket TicketID `json:"ticket"`
	From   Class    `json:"from"`
	Class  Class    `json:"class"`
	Reason string   `json:"reason"`
	By     By       `json:"by"`
}

// TicketReopened undoes a slip of the finger: done becomes serving, abandoned waiting, passed called. A ticket that was closed while the hall
// only rested waits again.
type TicketReopened struct {
	Ticket TicketID    `json:"ticket"`
	Window WindowID    `json:"window"`
	From   TicketState `json:"from"`
	To     TicketState `json:"to"`
	Reason string      `json:"reason"`
	By     By          `json:"by"`
}

// TicketClosed is 日终清号 of a ticket still open when the business day ends.
type TicketClosed struct {
	Ticket TicketID    `json:"ticket"`
	From   TicketState `json:"from"`
}

// TicketRated is a citizen's rating of a finished ticket; there is at most one.
type TicketRated struct {
	Ticket  TicketID `json:"ticket"`
	Window  WindowID `json:"window"`
	Staff   StaffID  `json:"staff,omitempty"`
	Grade   Grade    `json:"grade"`
	Reasons []string `json:"reasons,omitempty"`
	Text    string   `json:"text,omitempty"`
	By      By       `json:"by"`
}

// TicketUnrated is 未评价: the citizen was asked at the window and did not answer. It is no grade, and the ticket may still be rated
// elsewhere, by its slip.
type TicketUnrated struct {
	Ticket TicketID `json:"ticket"`
	Window WindowID `json:"window"`
	Staff  StaffID  `json:"staff,omitempty"`
	Why    Unrated  `json:"why"`
	By     By       `json:"by"`
}

// SlipAsked is 补打: one more copy of a ticket's slip was asked for. Copy 1 is the first reprint. Spare: the hall itself asked for it, at
// the place's second printer, since the copy before did not come out.
type SlipAsked struct {
	Ticket  TicketID `json:"ticket"`
	Printer string   `json:"printer"`
	Copy    int      `json:"copy"`
	Spare   bool     `json:"spare,omitempty"`
	By      By       `json:"by"`
}

// SlipChanged says how far the printing of a slip is. Copy 0 is the first slip. Code explains a failure, Out says how much of the paper
// came out all the same.
type SlipChanged struct {
	Ticket TicketID   `json:"ticket"`
	Copy   int        `json:"copy"`
	State  PrintState `json:"state"` // printing, printed or failed
	Device string     `json:"device,omitempty"`
	Code   string     `json:"code,omitempty"`
	Out    Outcome    `json:"out,omitempty"`
}

// WindowWasOpened is 开窗.
type WindowWasOpened struct {
	Window WindowID `json:"window"`
	By     By       `json:"by"`
}

// WindowWasClosed is 关窗.
type WindowWasClosed struct {
	Window WindowID `json:"window"`
	By     By       `json:"by"`
}

// WindowWasPaused is 暂停服务.
type WindowWasPaused struct {
	Window WindowID `json:"window"`
	Reason string   `json:"reason,omitempty"`
	By     By       `json:"by"`
}

// WindowWasUnpaused ends a pause.
type WindowWasUnpaused struct {
	Window WindowID `json:"window"`
	By     By       `json:"by"`
}

// WindowDutySet says that a window serves one more queue until a time; a time that is past ends it.
type WindowDutySet struct {
	Window WindowID  `json:"window"`
	Queue  QueueID   `json:"queue"`
	Until  time.Time `json:"until"`
	By     By        `json:"by"`
}

// RollSet says whether windows call the numbers of a paper roll, because no tickets can be printed, and which is next.
type RollSet struct {
	Queue QueueID `json:"queue"`
	On    bool    `json:"on"`
	Next  int     `json:"next,omitempty"`
	By    By      `json:"by"`
}

// PlanEdited says that the hall's manager changed the hall's plan: Text is the whole hall.yaml that holds from now on, until the centre
// gives one with a later revision. PINs are in it as argon2id hashes only.
type PlanEdited struct {
	Revision int64  `json:"revision"`
	Text     string `json:"text"`
	By       By     `json:"by"`
}

// MaxPlanBytes is the most a PlanEdited may hold, so that it fits into a fact.
const MaxPlanBytes = 48 << 10

// DeviceChanged is a change of a device's condition that lasted long enough to be shown.
type DeviceChanged struct {
	Device string `json:"device"`
	Class  string `json:"class"`
	State  string `json:"state"`
	Code   string `json:"code,omitempty"`
}

// CameraPinned says by what the machine is known from now on that answers at a camera's address: it did so for the first time, more
// became known of it, or somebody of the hall said that the camera was replaced. Another machine is not believed to be the camera.
type CameraPinned struct {
	Camera string `json:"camera"`         // its code
	MAC    string `json:"mac,omitempty"`  // 00:11:22:aa:bb:cc
	Key    string `json:"key,omitempty"`  // SHA-256 of the public key of its certificate, in hexadecimal
	Says   string `json:"says,omitempty"` // what it says of itself, which anybody could say
	By     By     `json:"by"`
}

// ClockStepped says that the box's wall clock was set: by so many milliseconds forward, or back when negative. The hall's time, by
// which facts are dated, goes on as if it had not been. Dead says that the box does not know the time at all.
type ClockStepped struct {
	ByMS int64 `json:"by_ms"`
	Dead bool  `json:"dead,omitempty"`
}

// ClockSet says that somebody who knows the time (Source: ntp, cloud or staff) set the hall's time, by so many milliseconds.
type ClockSet struct {
	ByMS   int64  `json:"by_ms"`
	Source string `json:"source"`
	By     By     `json:"by"`
}

// BookingSet is an appointment, of the centre or made at the hall: who comes is only a keyed digest.
type BookingSet struct {
	Booking BookingID `json:"booking"`
	Queue   QueueID   `json:"queue"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Person  string    `json:"person,omitempty"`
	By      By        `json:"by,omitzero"` // who made it at the hall
}

// BookingCancelled takes an appointment away.
type BookingCancelled struct {
	Booking BookingID `json:"booking"`
	By      By        `json:"by,omitzero"` // who did so at the hall
}

// BookingMissed says that nobody came for an appointment. Excused: the hall itself did not work all that time, or the citizen took an ordinary
// number.
type BookingMissed struct {
	Booking BookingID `json:"booking"`
	Excused bool      `json:"excused,omitempty"`
}

// PersonBlocked keeps a person, a keyed digest, from taking numbers until a time: online, or at the hall's kiosks and desks too. A time
// that is over ends that. A number at the hall is a public service's right: whoever takes it away says why.
type PersonBlocked struct {
	Person     string    `json:"person"`
	Until      time.Time `json:"until"`
	Everywhere bool      `json:"everywhere,omitempty"`
	Reason     string    `json:"reason"`
	By         By        `json:"by"`
}
