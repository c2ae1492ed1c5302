package sdt

import "fmt"

// Status is SW3, the reader's verdict on a command.
type Status byte

// The verdicts, from a module maker's table.
const (
	StatusOK            Status = 0x90
	StatusFound         Status = 0x9F
	StatusBadChecksum   Status = 0x10
	StatusBadLength     Status = 0x11
	StatusBadCommand    Status = 0x21
	StatusUnrecognised  Status = 0x24
	StatusCardRefuses   Status = 0x31
	StatusModuleRefuses Status = 0x32
	StatusCheckFailed   Status = 0x33
	StatusWrongCard     Status = 0x40
	StatusReadFailed    Status = 0x41
	StatusRandomFailed  Status = 0x47
	StatusSelfTest      Status = 0x60
	StatusUnauthorised  Status = 0x66
	StatusNoCard        Status = 0x80
	StatusSelectFailed  Status = 0x81
	StatusNoItem        Status = 0x91
)

// OK reports success.
func (s Status) OK() bool { return s == StatusOK || s == StatusFound }

// Action is what a host does about a status.
type Action string

// The actions.
const (
	Proceed      Action = "proceed"        // the command worked
	KeepLooking  Action = "keep_looking"   // normal idle answer
	FindAgain    Action = "find_again"     // start over with find; the card moved
	Resend       Action = "resend"         // send the same command once more
	ResetOnce    Action = "reset_once"     // reset the module; out of service if that does not help
	ReplaceCard  Action = "replace_card"   // card and module do not trust each other: the card needs an office
	WrongCard    Action = "wrong_card"     // not an identity card
	TakeAsEmpty  Action = "take_as_empty"  // the card has no such item
	OutOfService Action = "out_of_service" // the module needs its maker
	GiveUp       Action = "give_up"        // sending this again is useless
)

// Meaning says in English what the reader reported, for logs.
func (s Status) Meaning() string {
	meaning, _ := s.lookup()
	return meaning
}

// Action says what to do. An unknown status is given up on.
func (s Status) Action() Action {
	_, action := s.lookup()
	return action
}

// String implements fmt.Stringer.
func (s Status) String() string { return fmt.Sprintf("status %02X (%s)", byte(s), s.Meaning()) }

func (s Status) lookup() (string, Action) {
	switch s {
	case StatusOK:
		return "success", Proceed
	case StatusFound:
		return "card found", Proceed
	case StatusBadChecksum:
		return "module received a wrong checksum", Resend
	case StatusBadLength:
		return "module received a wrong length", Resend
	case StatusBadCommand:
		return "unknown command or parameter", GiveUp
	case StatusUnrecognised:
		return "unrecognised error", ResetOnce
	case StatusCardRefuses:
		return "card rejected the module", ReplaceCard
	case StatusModuleRefuses:
		return "module rejected the card", ReplaceCard
	case StatusCheckFailed:
		return "check of the card's information failed", ReplaceCard
	case StatusWrongCard:
		return "wrong card type", WrongCard
	case StatusReadFailed:
		return "reading failed", FindAgain
	case StatusRandomFailed:
		return "random number failed", FindAgain
	case StatusSelfTest:
		return "self-test failed", ResetOnce
	case StatusUnauthorised:
		return "module not authorised", OutOfService
	case StatusNoCard:
		return "no card", KeepLooking
	case StatusSelectFailed:
		return "selecting the card failed", FindAgain
	case StatusNoItem:
		return "item not on the card", TakeAsEmpty
	}
	return "unknown", GiveUp
}
