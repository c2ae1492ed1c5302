package access

import (
	"strings"

	"halledge/firmware-protocols/hallsync"
)

// Role is what somebody is to the hall.
type Role string

// The roles. Kiosk, Screen, Rater, Staff and Ops are tokens of the configuration; a Rater is the tablet at a window, and a Staff token acts at
// every window. Clerk, Guide and Manager are people who signed in with their PIN: the Guide at the desk, the Clerk elsewhere. A Citizen holds
// the token of one ticket.
const (
	Kiosk   Role = "kiosk"
	Screen  Role = "screen"
	Rater   Role = "rate"
	Staff   Role = "staff"
	Ops     Role = "ops"
	Clerk   Role = "clerk"
	Guide   Role = "guide"
	Manager Role = "manager"
	Citizen Role = "citizen"
	Locked  Role = "locked" // whoever signed in has left the page alone for too long: it shows no more than a screen at that place would
)

// Right is something one may be allowed to do.
type Right string

// The rights.
const (
	SeeHall     Right = "see_hall"     // the hall's state and its changes
	SeeTicket   Right = "see_ticket"   // any ticket whose id is known
	FindTickets Right = "find_tickets" // the day's tickets, by number or state
	ShowSlip    Right = "show_slip"    // the code of a slip, which lets its holder act as the citizen; see api.mayShowSlip
	Take        Right = "take"         // give a number
	Mend        Right = "mend"         // requeue and reprint any ticket
	Withdraw    Right = "withdraw"     // give up any ticket, as its citizen wants
	Work        Right = "work"         // the verbs of a window; see MayWorkAt
	Scan        Right = "scan"         // have a code recognised
	Hear        Right = "hear"         // what is shown, or asked, at one's own place
	Rate        Right = "rate"         // rate finished tickets; see MayRateAt
	SeeStaff    Right = "see_staff"    // who works at which window, the board's figures
	SeeWords    Right = "see_words"    // what the staff wrote, such as why a window rests: it may be of people
	SeeDevices  Right = "see_devices"  // the state of the devices
	TestDevices Right = "test_devices" // make a device show a sign of life
	SeeLog      Right = "see_log"      // the log's tail
	Override    Right = "override"     // give numbers outside hours and beyond quotas, and classes, with a reason
	Book        Right = "book"         // appointments, made and cancelled at the hall
	Pair        Right = "pair"         // let machines in, and shut them out
	Direct      Right = "direct"       // the hall's own settings: temporary services, paper roll, the time
)

// may says which right which role has. Citizens have none here: they act on their own ticket alone.
func may(r Role, right Right) bool {
	switch r {
	case Staff:
		return true
	case Manager: // people of the staff never rate, nor hold what would let them
		return right != Rate && right != ShowSlip
	case Guide:
		switch right {
		case FindTickets, Withdraw, Override, Book:
			return true
		}
		return may(Clerk, right)
	case Clerk:
		switch right {
		case SeeHall, SeeTicket, Take, Mend, Work, Scan, Hear, SeeStaff, SeeWords, SeeDevices:
			return true
		}
	case Kiosk:
		switch right {
		case SeeHall, SeeTicket, ShowSlip, Take, Mend, Withdraw, Scan, Hear, Rate:
			return true
		}
	case Rater:
		return right == SeeHall || right == Hear || right == Rate
	case Screen:
		return right == SeeHall
	case Locked:
		return right == SeeHall
	case Ops:
		switch right {
		case SeeHall, SeeStaff, SeeDevices, TestDevices, SeeLog, Pair:
			return true
		}
	}
	return false
}

// Who is somebody the door let in.
type Who struct {
	Role       Role
	ID         string            // of a kiosk or screen, or of a tablet's window; may be empty for a token that serves all of its kind
	Name       string            // of a member of staff
	Staff      hallsync.StaffID  // of a member of staff
	Window     hallsync.WindowID // the window a member of staff signed in at, or where a tablet stands
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

// MayRateAt reports whether citizens of a window may rate through the asker: a tablet is its own window's.
func (w Who) MayRateAt(id hallsync.WindowID) bool {
	return w.May(Rate) && (w.Role != Rater || w.Window == id || w.Window == "")
}

// Place is where the asker stands, as devices and facts name it: kiosk-1, screen-1, rate-1, window-3, desk. It is empty for citizens,
// who may be anywhere.
func (w Who) Place() string {
	switch {
	case w.Role == Citizen:
		return ""
	case w.Page != "":
		return w.Page
	case (w.Role == Kiosk || w.Role == Screen || w.Role == Rater) && w.ID != "":
		return string(w.Role) + "-" + w.ID
	case w.Role == Kiosk || w.Role == Screen || w.Role == Rater || w.Role == Ops:
		return string(w.Role)
	}
	return "desk"
}

// By is the asker in the words of facts.
func (w Who) By() hallsync.By {
	switch w.Role {
	case Kiosk:
		return hallsync.By{Kind: "kiosk", ID: w.ID}
	case Rater: // a machine for citizens, which stands at a window
		return hallsync.By{Kind: "kiosk", ID: w.Place()}
	case Citizen:
		return hallsync.By{Kind: "citizen"}
	case Clerk, Guide, Manager:
		return hallsync.By{Kind: "staff", ID: string(w.Window), Staff: w.Staff}
	}
	return hallsync.By{Kind: "staff", ID: w.ID}
}

// windowPage is how the pages of windows are named.
const windowPage = "window-"

// opens gives whom the token of a role lets in at a page. A machine's page has what that machine may do, whatever token opened it.
func opens(r Role, id, page string) (who Who, ok bool) {
	kind, at, _ := strings.Cut(page, "-")
	who = Who{Role: r, ID: id, Page: page}
	switch kind {
	case "kiosk", "screen":
		who.Role, who.ID = Role(kind), at
		return who, r == Staff || r == who.Role && (id == "" || id == at)
	case "rate": // who may set up kiosks may set up tablets
		who.Role, who.ID, who.Window = Rater, at, hallsync.WindowID(at)
		return who, r == Staff || r == Kiosk || r == Rater && (id == "" || id == at)
	}
	return who, r == Staff || r == Ops && (page == "ops" || page == "board")
}
