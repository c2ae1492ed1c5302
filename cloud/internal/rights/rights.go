// Package rights says what people and programs may do at the centre: a set of roles says what, a scope says in which halls.
package rights

import (
	"fmt"
	"slices"
	"strings"
)

// Right is a set of things that may be done.
type Right uint16

// The rights.
const (
	Halls   Right = 1 << iota // the list of halls, how they are, their queues' lengths
	Day                       // tickets, calls and facts of a hall's day, without the people in them
	People                    // who works at which window, and the pseudonyms of citizens in facts
	Devices                   // devices of halls and their state
	Cameras                   // cameras of halls and their state, without the pictures
	Watch                     // the pictures
	Audit                     // who did what
	Users                     // who may do what
	Notices                   // what the screens of halls show while nobody is called: to publish it and to take it back
)

// Role is a bundle of rights under the name that people know it by.
type Role string

// The roles.
const (
	Viewer     Role = "viewer"
	Clerk      Role = "clerk"   // of a hall: its queues and tickets, and nothing of people or machines; see Fit
	Manager    Role = "manager" // of halls
	Maintainer Role = "maintainer"
	Auditor    Role = "auditor"
	Video      Role = "video"
	Admin      Role = "admin" // of users, and of nothing else
)

// All lists the roles in the order in which they are shown.
func All() []Role { return []Role{Viewer, Clerk, Manager, Maintainer, Auditor, Video, Admin} }

// grants says what each role may do. No role includes another: who needs two gets two.
func grants(r Role) Right {
	switch r {
	case Viewer:
		return Halls | Day | Devices | Cameras
	case Clerk:
		return Halls | Day
	case Manager:
		return Halls | Day | People | Devices | Cameras | Notices
	case Maintainer:
		return Halls | Devices | Cameras | Notices
	case Auditor:
		return Audit
	case Video:
		return Halls | Cameras | Watch
	case Admin:
		return Users
	}
	return 0
}

// Roles is a set of roles.
type Roles []Role

// UnknownError names a role that there is not.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no role %q", e.Name) }

// RolesOf makes a set of names, in the order of All. It fails with *UnknownError.
func RolesOf(names []string) (Roles, error) {
	for _, n := range names {
		if !slices.Contains(All(), Role(n)) {
			return nil, &UnknownError{Name: n}
		}
	}
	set := Roles{}
	for _, r := range All() {
		if slices.Contains(names, string(r)) {
			set = append(set, r)
		}
	}
	return set, nil
}

// ParseRoles reads what String writes.
func ParseRoles(text string) (Roles, error) { return RolesOf(list(text)) }

// Fit reports whether somebody may have the roles for a scope. A clerk is one of halls that are named: he works there.
func (r Roles) Fit(s Scope) bool { return !r.Has(Clerk) || s.OfHalls() }

// Earlier gives the roles that stand for the one role of older configurations: viewer, admin or none.
func Earlier(role string) Roles {
	if role == string(Admin) {
		return slices.DeleteFunc(All(), func(r Role) bool { return r == Clerk })
	}
	return Roles{Viewer, Video}
}

// Has reports whether a role is in the set.
func (r Roles) Has(one Role) bool { return slices.Contains(r, one) }

// May reports whether the roles together give one of the rights.
func (r Roles) May(some Right) bool {
	var sum Right
	for _, one := range r {
		sum |= grants(one)
	}
	return sum&some != 0
}

// Names gives the names of the roles.
func (r Roles) Names() []string {
	names := []string{}
	for _, one := range r {
		names = append(names, string(one))
	}
	return names
}

// String gives the names with commas between them.
func (r Roles) String() string { return strings.Join(r.Names(), ",") }

// list splits a list with commas; an empty text is an empty list.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
