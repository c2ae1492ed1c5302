package access

import (
	"strings"

	"halledge/firmware-protocols/hallsync"
)

// Role is what somebody is to the hall.
type Role string

// The roles. Kiosk, Screen, Staff and Ops are tokens of the configuration; a Staff token acts at every window. Clerk and Manager
// are people who signed in with their PIN. A Citizen holds the token of one ticket.
const (
	Kiosk   Role = "kiosk"
	Screen  Role = "screen"
	Staff   Role = "staff"
	Ops     Role = "ops"
	Clerk   Role = "clerk"
	Manager Role = "manager"
	Citizen Role = "citizen"
)

// Right is something one may be allowed to do.
type Right string

// The rights.
const (
	SeeHall     Right = "see_hall"     // the hall's state and its changes
	SeeTickets  Right = "see_tickets"  // any ticket
	Take        Right = "take"         // give a number
	Mend        Right = "mend"         // withdraw, requeue and reprint any ticket
	Work        Right = "work"         // the verbs of a window; see MayWorkAt
	Scan        Right = "scan"         // have a code recognised
	Rate        Right = "rate"         // rate any finished ticket
	SeeStaff    Right = "see_staff"    // who works at which window, the board's figures
	SeeDevices  Right = "see_devices"  // the state of the devices
	TestDevices Right = "test_devices" // make a device show a sign of life
	SeeLog      Right = "see_log"      // the log's tail
	Override    Right = "override"     // give numbers outside hours and beyond quotas, and classes, with a reason
	Direct      Right = "direct"       // the hall's own settings: temporary services, paper roll, the time
)

// may says which right which role has. Citizens have none here: they act on their own ticket alone.
func may(r Role, right Right) bool {
	switch r {
	case Staff:
		return true
	case Manager:
		return right != Rate
	case Clerk:
		return right != Rate && right != TestDevices && right != SeeLog && right != Direct
	case Kiosk:
		switch right {
		case SeeHall, SeeTickets, Take, Mend, Scan, Rate:
			return true
		}
	case Screen:
		return right == SeeHall
	case Ops:
		switch right {
		case SeeHall, SeeStaff, SeeDevices, TestDevices, SeeLog:
			return true
		}
	}
	return false
}

// Who is somebody the door let in.
type Who struct {
	Role       Role
	ID         string            // of a kiosk or screen; may be empty for a token that serves all of its kind
	Name       string            // of a member of staff
	Staff      hallsync.StaffID  // of a member of staff
	Window     hallsync.WindowID // the window a member of staff signed in at
	Ticket     hallsync.TicketID // of a citizen
	Page       string            // the page whose cookie it was; empty for a bearer token
	Credential string            // stable name of the credential, for idempotency and limits; holds no secret
}

// May reports whether a right is given.
func (w Who) May(r Right) bool { return may(w.Role, r) }

// MayWorkAt reports whether the verbs of a window may be used: at every window by a Staff token, at their own by people.
func (w Who) MayWorkAt(id hallsync.WindowID) bool {
	if !w.May(Work) {
		return false
	}
	return w.Role == Staff || w.Window == id
}

// Place is where the asker stands, as devices and facts name it: kiosk-1, screen-1, window-3, desk. It is empty for citizens,
// who may be anywhere.
func (w Who) Place() string {
	switch {
	case w.Role == Citizen:
		return ""
	case w.Page != "":
		return w.Page
	case (w.Role == Kiosk || w.Role == Screen) && w.ID != "":
		return string(w.Role) + "-" + w.ID
	case w.Role == Kiosk || w.Role == Screen || w.Role == Ops:
		return string(w.Role)
	}
	return "desk"
}

// By is the asker in the words of facts.
func (w Who) By() hallsync.By {
	switch w.Role {
	case Kiosk:
		return hallsync.By{Kind: "kiosk", ID: w.ID}
	case Citizen:
		return hallsync.By{Kind: "citizen"}
	case Clerk, Manager:
		return hallsync.By{Kind: "staff", ID: string(w.Window), Staff: w.Staff}
	}
	return hallsync.By{Kind: "staff", ID: w.ID}
}

// windowPage is how the pages of windows are named.
const windowPage = "window-"

// opens reports whether a token of a role may open a page, and the id it acts with there.
func opens(r Role, id, page string) (as string, ok bool) {
	kind, at, _ := strings.Cut(page, "-")
	switch r {
	case Staff:
		return id, true
	case Kiosk:
		if kind == "rate" { // a tablet is no kiosk, but it is let in like one
			return page, true
		}
		return at, kind == "kiosk" && (id == "" || id == at)
	case Screen:
		return at, kind == "screen" && (id == "" || id == at)
	case Ops:
		return id, page == "ops" || page == "board"
	}
	return "", false
}
