package notices

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/firmware-protocols/hallsync"
)

// codeAltered is how halls call it that something is not what was signed.
const codeAltered = "notice_altered"

// State is how it is with what was published for a group of screens of a hall, by what the hall reported last.
type State string

// The states.
const (
	Showing     State = "showing"     // the screens show it
	Waiting     State = "waiting"     // it is at the hall, and its time has not come
	Pending     State = "pending"     // it is not at the hall yet
	Refused     State = "refused"     // the hall did not take it
	Altered     State = "altered"     // what the hall has, or what a screen shows, is not what was signed
	NoScreen    State = "no_screen"   // no screen of the hall is of the group
	Unknown     State = "unknown"     // the hall has never said what it shows
	Expired     State = "expired"     // its time is over
	Withdrawing State = "withdrawing" // taken back, and the hall has not said yet that it is gone
	Withdrawn   State = "withdrawn"
)

// States lists the states.
func States() []State {
	return []State{Showing, Waiting, Pending, Refused, Altered, NoScreen, Unknown, Expired, Withdrawing, Withdrawn}
}

// At gives what a hall says of a group; said is false while it has never said anything about notices. Without a screen of the group there
// is a status without screens.
func At(r *hallsync.Report, group string) (s hallsync.NoticeStatus, said bool) {
	if r == nil || r.Notices == nil {
		return hallsync.NoticeStatus{Group: group}, false
	}
	if i := slices.IndexFunc(r.Notices, func(s hallsync.NoticeStatus) bool { return s.Group == group }); i >= 0 {
		return r.Notices[i], true
	}
	return hallsync.NoticeStatus{Group: group}, true
}

// Standing tells how it is with a bundle at its hall, which has reported r; nil: nothing yet.
func (p Published) Standing(m bundle.Manifest, r *hallsync.Report, now time.Time) State {
	is, said := At(r, p.Group)
	switch {
	case !p.Withdrawn.IsZero() && said && is.Latest == 0 && is.Shows == 0:
		return Withdrawn
	case !p.Withdrawn.IsZero():
		return Withdrawing
	case m.Over(now):
		return Expired
	case !said:
		return Unknown
	case is.Screens == 0:
		return NoScreen
	case is.Code == codeAltered:
		return Altered
	case is.Code != "" && is.Latest < p.Version:
		return Refused
	case is.Shows == p.Version:
		return Showing
	case is.Latest == p.Version:
		return Waiting
	}
	return Pending
}

// Read gives what was signed.
func (p Published) Read() (m bundle.Manifest, err error) {
	if err := json.Unmarshal(p.Manifest, &m); err != nil {
		return m, fmt.Errorf("notices: manifest: %w", err)
	}
	return m, nil
}

// Find gives what was published last for a group of screens of a hall, withdrawn or not.
func (d *Desk) Find(ctx context.Context, hall hallsync.HallID, group string) (p Published, found bool, err error) {
	list, err := query(d.reading(ctx), `WHERE hall = $1 AND screens = $2`, hall, group)
	if err != nil || len(list) == 0 {
		return p, false, err
	}
	return list[0], true, nil
}

// Item gives the content of an item of a bundle; found is false for one that the bundle does not have, or that is gone with it.
func (d *Desk) Item(ctx context.Context, m bundle.Manifest, path string) (data []byte, item bundle.Item, found bool, err error) {
	n := slices.IndexFunc(m.Items, func(i bundle.Item) bool { return i.Path == path })
	if n < 0 {
		return nil, bundle.Item{}, false, nil
	}
	data, err = d.content(ctx, m.Items[n].SM3)
	return data, m.Items[n], data != nil, err
}
