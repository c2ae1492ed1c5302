// Package health gives the list of what is wrong: conditions with a stable code, how grave they are, which other condition
// causes them and how long they must last before people see them. The same table is shown on /ops, by doctor and in the
// cloud; titles and advice stand in the messages file under the code.
package health

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Code is the stable name of a condition.
type Code string

// Severity says what a condition means for the hall.
type Severity string

// The severities, in rising order.
const (
	Info    Severity = "info"    // worth knowing
	Warning Severity = "warning" // the hall works, somebody should look
	Error   Severity = "error"   // something does not work
)

func (s Severity) rank() int { return slices.Index([]Severity{Info, Warning, Error}, s) }

// Condition is one kind of trouble.
type Condition struct {
	Code     Code
	Severity Severity
	Causes   []Code        // while one of these is shown for the same subject, for one that it stands behind or for none, this one is hidden
	Delay    time.Duration // how long it must last before it is shown, so that nothing flickers
}

// Finding is a condition that is there, of one subject: a device, a camera, a kiosk, or the hall itself ("").
type Finding struct {
	Code     Code
	Subject  string
	Severity Severity
	Since    time.Time
	Detail   string // for logs and ops, never personal data
}

// Tracker knows which conditions are there. It is safe for concurrent use.
type Tracker struct {
	conditions map[Code]Condition

	mu     sync.Mutex
	there  map[key]Finding
	behind map[string][]string
}

type key struct {
	code    Code
	subject string
}

// NewTracker makes a tracker for the conditions of a table.
func NewTracker(table []Condition) *Tracker {
	t := &Tracker{conditions: make(map[Code]Condition, len(table)), there: map[key]Finding{}, behind: map[string][]string{}}
	for _, c := range table {
		t.conditions[c.Code] = c
	}
	return t
}

// Set says that a condition of a subject is there, or no longer there. Saying it again changes the detail only. A code that
// is not in the table counts as a warning without delay.
func (t *Tracker) Set(code Code, subject string, active bool, detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := key{code, subject}
	if !active {
		delete(t.there, k)
		return
	}
	f, known := t.there[k]
	if !known {
		f = Finding{Code: code, Subject: subject, Severity: t.condition(code).Severity, Since: time.Now()}
	}
	f.Detail = detail
	t.there[k] = f
}

// Only says that of the given codes only one is there for the subject, or none when code is empty: for a thing that has one
// state at a time, such as a device.
func (t *Tracker) Only(code Code, of []Code, subject, detail string) {
	for _, c := range of {
		if c != code {
			t.Set(c, subject, false, "")
		}
	}
	if code != "" {
		t.Set(code, subject, true, detail)
	}
}

// Behind says behind which other subjects one stands now, such as a device behind a hub: a cause that is shown of one of those hides
// its symptoms here as well. It takes the place of what was said before.
func (t *Tracker) Behind(subject string, others ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(others) == 0 {
		delete(t.behind, subject)
		return
	}
	t.behind[subject] = others
}

// Visible lists what people should see now: what has lasted long enough and is not the symptom of something else that is
// shown. The gravest and oldest come first.
func (t *Tracker) Visible(now time.Time) []Finding {
	t.mu.Lock()
	defer t.mu.Unlock()
	var shown []Finding
	for k, f := range t.there {
		if t.ripe(k, now) && !t.explained(k, now, map[key]bool{}) {
			shown = append(shown, f)
		}
	}
	slices.SortFunc(shown, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(b.Severity.rank(), a.Severity.rank()),
			a.Since.Compare(b.Since),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Subject, b.Subject),
		)
	})
	return shown
}

func (t *Tracker) ripe(k key, now time.Time) bool {
	f, there := t.there[k]
	return there && now.Sub(f.Since) >= t.condition(k.code).Delay
}

// explained reports whether a cause of k, or a cause of that cause, is there and ripe. seen guards against a circle in the
// table.
func (t *Tracker) explained(k key, now time.Time, seen map[key]bool) bool {
	seen[k] = true
	for _, cause := range t.condition(k.code).Causes {
		for _, where := range append([]string{k.subject, ""}, t.behind[k.subject]...) {
			c := key{cause, where}
			if !seen[c] && (t.ripe(c, now) || t.explained(c, now, seen)) {
				return true
			}
		}
	}
	return false
}

func (t *Tracker) condition(c Code) Condition {
	if known, ok := t.conditions[c]; ok {
		return known
	}
	return Condition{Code: c, Severity: Warning}
}
