package config

import (
	"maps"
	"slices"
	"strings"

	"halledge/agent/kit/strictyaml"
	"halledge/drivers/device"
)

// Place is where a device stands: a kiosk, window, screen or desk with its ID, or the hall as a whole with no ID.
type Place struct {
	Kind string // kiosk, window, screen, desk or hall
	ID   string
}

func (p Place) String() string {
	if p.ID == "" {
		return p.Kind
	}
	return p.Kind + "-" + p.ID
}

// roles says which class of device a role needs.
func roles() map[string]device.Class {
	return map[string]device.Class{
		"printer": device.ClassPrinter,
		"spare":   device.ClassPrinter,
		"scanner": device.ClassScanner,
		"idcard":  device.ClassIDCard,
		"led":     device.ClassScreen,
		"speaker": device.ClassSpeaker,
		"pad":     device.ClassCallPad,
		"rater":   device.ClassRatingPad,
	}
}

// RoleOf is the role that a device of a class has first; empty for a class that is none.
func RoleOf(class device.Class) string {
	for _, role := range RoleNames() {
		if roles()[role] == class && role != "spare" {
			return role
		}
	}
	return ""
}

// RoleNames lists the roles in alphabetical order.
func RoleNames() []string { return slices.Sorted(maps.Keys(roles())) }

// Split takes the device's name apart. ok is false when it is not <place>.<role>.
func (d Device) Split() (place Place, role string, ok bool) {
	where, role, found := strings.Cut(d.Name, ".")
	kind, id, _ := strings.Cut(where, "-")
	place = Place{Kind: kind, ID: id}
	if _, known := roles()[role]; !found || !known {
		return place, role, false
	}
	switch kind {
	case "kiosk", "window", "screen", "desk":
		return place, role, placeID.MatchString(id)
	}
	return place, role, where == "hall"
}

// Class is the class of device the name's role needs; empty when the name is wrong.
func (d Device) Class() device.Class {
	_, role, ok := d.Split()
	if !ok {
		return ""
	}
	return roles()[role]
}

// PrinterName is the device that prints a kiosk's slips.
func (k Kiosk) PrinterName() string {
	if k.Printer != "" {
		return k.Printer
	}
	return "kiosk-" + k.ID + ".printer"
}

// SeesCodes reports whether the camera of the kiosk's browser reads codes.
func (k Kiosk) SeesCodes() bool { return k.Camera == "page" }

// SpareName is the device that prints a kiosk's slips when its printer cannot. Not every kiosk has it.
func (k Kiosk) SpareName() string {
	if k.Spare != "" {
		return k.Spare
	}
	return "kiosk-" + k.ID + ".spare"
}

// Secret is a password or token, written as file:<path>; it cannot be printed.
type Secret = strictyaml.Secret

// NewSecret wraps a text that comes from elsewhere than a file.
func NewSecret(text string) Secret { return strictyaml.NewSecret(text) }
