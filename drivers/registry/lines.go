package registry

import (
	"fmt"
	"strconv"
)

// Station is what a device takes of the line that it shares with others: what stands at an address, or only some parts of that, such as
// rows of a panel on which others have rows too.
type Station struct {
	Among  string // those who must differ: who speaks the same protocol, in the same role
	Option string // that holds the address; empty: such devices have none, so that one of them is all there can be
	Number int    // the address

	Part        string // the option that holds the first part; empty: the device is all that stands there
	First, Last int    // its parts
}

// Numbered gives the station of a device that has its address, and nothing else, in an option.
func Numbered(among, option string, otherwise int) func(options map[string]string) (Station, bool) {
	return func(options map[string]string) (Station, bool) {
		s := Station{Among: among, Option: option, Number: otherwise}
		if text := options[option]; text != "" {
			n, err := strconv.ParseInt(text, 0, 32)
			s.Number = int(n)
			return s, err == nil
		}
		return s, true
	}
}

// meets reports whether two devices take the same.
func (s Station) meets(o Station) bool {
	apart := s.Part != "" && o.Part != "" && (s.Last < o.First || o.Last < s.First)
	return s.Among == o.Among && s.Number == o.Number && !apart
}

// Reason is why two devices cannot stand on one line.
type Reason string

// The reasons.
const (
	LineTaken  Reason = "taken"   // one of them shares its line with nobody
	LineSpeed  Reason = "speed"   // one speed, parity and flow control for all
	SameNumber Reason = "address" // both have the same address
	NoNumber   Reason = "alone"   // both hear all that is said, for want of addresses
	SamePart   Reason = "part"    // they are parts of one and the same, and overlap
)

// Clash is a device that cannot stand on its line.
type Clash struct {
	Line    string
	Owner   string // the device that is there already
	Reason  Reason
	Station Station // what ours would take
}

func (c *Clash) Error() string {
	switch c.Reason {
	case LineTaken:
		return fmt.Sprintf("%s belongs to %s already", c.Line, c.Owner)
	case LineSpeed:
		return fmt.Sprintf("%s has another speed or parity for %s", c.Line, c.Owner)
	case NoNumber:
		return fmt.Sprintf("%s on %s hears all that is said there, and so would this device", c.Owner, c.Line)
	case SamePart:
		return fmt.Sprintf("%s has some of the parts %d to %d of %s %d on %s", c.Owner, c.Station.First, c.Station.Last, c.Station.Option, c.Station.Number, c.Line)
	}
	return fmt.Sprintf("%s %d on %s belongs to %s already", c.Station.Option, c.Station.Number, c.Line, c.Owner)
}

// Lines are the connections of a hall and the devices on them. The zero value has none.
type Lines struct{ devices map[string][]standing }

// standing is a device on a line.
type standing struct {
	name    string
	connect Connect
	shares  bool
	station Station
	placed  bool // it has a station
}

// Add puts a device of model m on its line. It gives why it cannot stand there, nil when it can.
func (l *Lines) Add(r *Registry, m Model, site Site) *Clash {
	driver := r.drivers[m.Driver]
	d := standing{name: site.Name, connect: m.At(site.Connect), shares: driver.Bus}
	if driver.Station != nil {
		d.station, d.placed = driver.Station(merge(m.Options, site.Options))
	}
	line := d.connect.String()
	for _, other := range l.devices[line] {
		if why := d.clashes(other); why != "" {
			return &Clash{Line: line, Owner: other.name, Reason: why, Station: d.station}
		}
	}
	if l.devices == nil {
		l.devices = make(map[string][]standing)
	}
	l.devices[line] = append(l.devices[line], d)
	return nil
}

// clashes gives why two devices cannot stand on one line; empty when they can.
func (d standing) clashes(other standing) Reason {
	switch {
	case !d.shares || !other.shares:
		return LineTaken
	case d.connect != other.connect:
		return LineSpeed
	case !d.placed || !other.placed || !d.station.meets(other.station):
		return ""
	case d.station.Part != "" && other.station.Part != "":
		return SamePart
	case d.station.Option == "":
		return NoNumber
	}
	return SameNumber
}

// Node names what a device of model m is connected to at this moment, whatever name that has in the configuration: two connections for
// which it is the same are one. It is empty for TCP, and for a reference to nothing. root is that of the sysfs in which references are
// looked up.
func (r *Registry) Node(m Model, c Connect, root string) string {
	c.Kind, c.Root = r.drivers[m.Driver].Node, root
	return c.Node()
}
