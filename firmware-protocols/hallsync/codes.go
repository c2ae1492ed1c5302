package hallsync

import (
	"fmt"
	"io"
	"time"
)

// Purpose is what a code is shown for.
type Purpose string

// The purposes.
const (
	ToTake     Purpose = "take_ticket"
	ToIdentify Purpose = "window_identify" // 窗口亮码
)

// CodeQuestion asks whether a citizen's code is good. It travels over HTTP as a signed POST: from a hall to the centre, and in the same
// form from the centre to the province. The payload is a secret: it is never stored, and a CodeQuestion does not print.
type CodeQuestion struct {
	Hall    HallID  `json:"hall"`
	Place   string  `json:"place"` // kiosk-1, window-3, desk
	Proof   Proof   `json:"proof"` // which kind of code it seems to be: yss_code or ysh_code
	Purpose Purpose `json:"purpose"`
	Payload string  `json:"payload"`

	Index []string `json:"index,omitempty"` // which keys of its index of people the hall wants names by
}

// MaxIndex bounds the keys of a hall's index.
const MaxIndex = 8

// Format implements fmt.Formatter for every verb: who asks, not what.
func (q CodeQuestion) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, string(q.Proof)+" at "+q.Place) // a State takes what it is given
}

// CodeStatus is what the answer comes to.
type CodeStatus string

// The states of a code.
const (
	CodeGood    CodeStatus = "ok"
	CodeExpired CodeStatus = "expired"
	CodeUsed    CodeStatus = "already_used" // shown elsewhere before
	CodeRefused CodeStatus = "invalid"      // no code of theirs
	CodeNobody  CodeStatus = "not_registered"
	CodeBarred  CodeStatus = "forbidden"
	CodeBusy    CodeStatus = "rate_limited"
	CodeDown    CodeStatus = "upstream_error" // whoever was to be asked next cannot be reached or talks nonsense
	CodeSlow    CodeStatus = "timeout"        // or does not answer
)

// CodeAnswer says whether a code is good and, if so, whose it is. The province tells the number; the centre tells its digests only, so that
// no number leaves it.
type CodeAnswer struct {
	Status  CodeStatus `json:"status"`
	Number  string     `json:"number,omitempty"`  // identity number or unified social credit code
	Persons []string   `json:"persons,omitempty"` // keyed digests of it, in the order of the question's Index; those of unknown keys are left out
	Expires time.Time  `json:"expires,omitzero"`  // end of the code's life
}

// Format implements fmt.Formatter for every verb: the status alone.
func (a CodeAnswer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, string(a.Status)) }
