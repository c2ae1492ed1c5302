// Package device gives the interfaces every hall device implements, whatever its maker, link or protocol, and the values
// that pass through them. Drivers implement it, the agent uses it; it knows neither.
package device

import (
	"context"
	"time"
)

// Device is one configured piece of hardware. Run owns its connection: it opens, serves and reopens it until ctx ends, and
// reports through Health. Run returns an error other than ctx's only when trying again is useless.
type Device interface {
	Run(ctx context.Context) error
	Health() Health
}

// Printer prints slips. Print returns when the printer said that the job is on paper, or with an *Error that says why not and, by the
// Out of the first one in its chain, how much of it came out.
type Printer interface {
	Device
	Print(ctx context.Context, job PrintJob) error
}

// Scanner delivers what a bar- or QR-code scanner read, and tells apart from that what it could not read: nobody can take the one
// for the other, and noise pushes no reading out. Both channels are closed when Run has returned.
type Scanner interface {
	Device
	Scans() <-chan Scan
	Unread() <-chan Unread
}

// IDCardReader delivers identity cards put on the reader, and tells of those it could not read, as a Scanner does.
type IDCardReader interface {
	Device
	Cards() <-chan IDCard
	Unread() <-chan Unread
}

// Screen shows text to citizens; only the latest frame counts.
type Screen interface {
	Device
	Show(ctx context.Context, f Frame) error
}

// Speaker says announcements in the order given. Say returns when the sound has ended.
type Speaker interface {
	Device
	Say(ctx context.Context, a Announcement) error
}

// CallPad is the hardware keypad of a window. The channel is closed when Run has returned. A pad without a display takes frames as
// others do, and may learn from them what a key means.
type CallPad interface {
	Device
	Keys() <-chan Key
	Display(ctx context.Context, f PadFrame) error
}

// Refuser is implemented by call pads that can tell the staff that a key did nothing: by a sound, a lamp or a blinking display.
type Refuser interface {
	Refuse(ctx context.Context) error
}

// RatingPad asks a citizen for a rating and returns it, or an *Error: CodeTimeout when nobody answered, CodeBusy while another question is
// asked, and CodeOffline also when the device did not take the question, or lost it.
type RatingPad interface {
	Device
	Ask(ctx context.Context, q RatingRequest) (Rating, error)
}

// PaperSensor is implemented by printers that can tell about their paper.
type PaperSensor interface {
	Paper(ctx context.Context) (Paper, error)
}

// SelfTester is implemented by devices that have a visible test of their own (test print, test text, a question to the SAM).
type SelfTester interface {
	SelfTest(ctx context.Context) error
}

// State is a device's condition in one word.
type State string

// The states, from best to worst. Unusable means that Run gave up: the configuration must change.
const (
	Starting State = "starting"
	OK       State = "ok"
	Degraded State = "degraded"
	Offline  State = "offline"
	Unusable State = "unusable"
)

// Health is a device's condition. Code explains every state but Starting and OK.
type Health struct {
	State    State
	Code     Code
	Since    time.Time // when State and Code became what they are
	LastGood time.Time // last moment the device answered or delivered
	Detail   string    // for logs and ops, never personal data
	Blind    bool      // it cannot tell how it is: OK means no more than that its line is open
	Identity string    // which one of its kind it said it is, such as the number of a reader's module; never personal data
	Counters Counters
}

// Counters count since the start of the program.
type Counters struct {
	Opens    uint64 // connections made
	Failures uint64 // connections lost or refused
	Jobs     uint64 // jobs done, or readings delivered
	Garbage  uint64 // bytes or frames thrown away as noise
}

// Class is the kind of a device.
type Class string

// The classes.
const (
	ClassPrinter   Class = "printer"
	ClassScanner   Class = "scanner"
	ClassIDCard    Class = "idcard"
	ClassScreen    Class = "screen"
	ClassSpeaker   Class = "speaker"
	ClassCallPad   Class = "callpad"
	ClassRatingPad Class = "ratingpad"
)
