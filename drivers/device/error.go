package device

import (
	"fmt"
	"strconv"
	"strings"
)

// Code is the stable reason of a failure; messages/zh-CN.yaml has a title and advice for each as device_<code>.
type Code string

// The codes.
const (
	CodeOffline     Code = "offline"      // the other end is not there
	CodeTimeout     Code = "timeout"      // it is there and does not answer
	CodePaperOut    Code = "paper_out"    // no paper
	CodePaperLow    Code = "paper_low"    // paper near its end; the device still works
	CodeCoverOpen   Code = "cover_open"   // cover or head open
	CodeCutter      Code = "cutter"       // the cutter is jammed
	CodeBusy        Code = "busy"         // another program holds it
	CodePermission  Code = "permission"   // the service may not open it
	CodeBadReply    Code = "bad_reply"    // it answers something else
	CodeBadConfig   Code = "bad_config"   // the configuration cannot work
	CodeUnsupported Code = "unsupported"  // this model cannot do it
	CodeNoise       Code = "noise"        // a scanner goes on sending what is no code
	CodeCardsUnread Code = "cards_unread" // a card reader goes on finding cards that it cannot read
	CodeUnclear     Code = "unclear"      // a camera goes on seeing codes that it cannot read
	CodeNoPicture   Code = "no_picture"   // a camera is there and sends no picture, or one of nothing
	CodeFaulty      Code = "faulty"       // it says itself that it does not work
	CodeAddress     Code = "address"      // it does not answer, but others do on its line: those in Found
	CodePageGone    Code = "page_gone"    // the browser page that is the screen was there and is no more
)

// Found is which addresses answer on a line, as a part of an Error with CodeAddress.
type Found []int

func (f Found) Error() string { return "the addresses that answer are " + f.String() }

// String lists them with commas.
func (f Found) String() string {
	var all []string
	for _, a := range f {
		all = append(all, strconv.Itoa(a))
	}
	return strings.Join(all, ", ")
}

// Fault is the stable reason why something shown to a device could not be read; messages/zh-CN.yaml says under it what whoever
// stands there should do.
type Fault string

// The faults.
const (
	ScanUnreadable Fault = "scan_unreadable" // what came is no code: control characters, no text, a broken frame
	ScanTooLong    Fault = "scan_too_long"   // longer than any code of a hall
	CardUnreadable Fault = "card_unreadable" // damaged answers, a wrong check character, fields that cannot be
	CardRemoved    Fault = "card_removed"    // taken away before it was read
	CardUnknown    Fault = "card_unknown"    // no identity card
	CardRefused    Fault = "card_refused"    // card and reader do not trust each other
)

// Outcome is how much of a print job that failed is on paper.
type Outcome string

// The outcomes. Only the first two are ever sure: nobody prints a job again by himself after OutUnknown.
const (
	OutNothing Outcome = "nothing" // its first byte was not sent
	OutPart    Outcome = "part"    // the printer said that it stopped before the end; it may print the rest when it goes on
	OutUnknown Outcome = ""        // it may be whole
)

// Error is a failed operation on a device. Retry says whether the same call may work later without anybody's help, Out how much of a
// print job came out.
type Error struct {
	Op    string
	Code  Code
	Retry bool
	Out   Outcome
	Err   error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Op, e.Code)
	}
	return fmt.Sprintf("%s: %s: %v", e.Op, e.Code, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
