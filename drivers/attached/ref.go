package attached

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Ref names a device by what does not change from start to start: its maker's numbers, and where two are alike its serial number or
// its socket. It is written VVVV:PPPP[:SERIAL][@PORT], such as 1a86:7523@1-1.2.
type Ref struct {
	Vendor, Product string // four lower-case hexadecimal digits each
	Serial          string // empty: any
	Port            string // empty: any
}

var (
	refForm  = regexp.MustCompile(`^([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::([^@]+))?(?:@(.+))?$`)
	portForm = regexp.MustCompile(`^[0-9]+-[0-9]+(\.[0-9]+)*$`)
)

// ParseRef reads a reference.
func ParseRef(s string) (Ref, error) {
	m := refForm.FindStringSubmatch(s)
	if m == nil {
		return Ref{}, fmt.Errorf("%q is no USB reference: want VVVV:PPPP[:SERIAL][@PORT]", s)
	}
	if m[4] != "" && !portForm.MatchString(m[4]) {
		return Ref{}, fmt.Errorf("%q is no USB socket: want a name such as 1-1.2", m[4])
	}
	return Ref{Vendor: strings.ToLower(m[1]), Product: strings.ToLower(m[2]), Serial: m[3], Port: m[4]}, nil
}

func (r Ref) String() string {
	s := r.Vendor + ":" + r.Product
	if r.Serial != "" {
		s += ":" + r.Serial
	}
	if r.Port != "" {
		s += "@" + r.Port
	}
	return s
}

// Fits reports whether n belongs to a device that r names.
func (r Ref) Fits(n Node) bool {
	return r.Vendor == n.Vendor && r.Product == n.Product && (r.Serial == "" || r.Serial == n.Serial) && (r.Port == "" || r.Port == n.Port)
}

// Overlaps reports whether there can be a device that both r and o name.
func (r Ref) Overlaps(o Ref) bool {
	may := func(a, b string) bool { return a == "" || b == "" || a == b }
	return r.Vendor == o.Vendor && r.Product == o.Product && may(r.Serial, o.Serial) && may(r.Port, o.Port)
}

// The two ways in which a reference names no node.
var (
	ErrAbsent    = errors.New("not plugged in")
	ErrAmbiguous = errors.New("several alike are plugged in: name the socket with @PORT")
)

// Find gives the node of kind that r names. A device with several parts gives the first, of inputs the first one that types. The error wraps ErrAbsent or ErrAmbiguous.
func Find(nodes []Node, r Ref, kind Kind) (Node, error) {
	var found []Node
	for _, n := range nodes {
		if n.Kind != kind || !r.Fits(n) {
			continue
		}
		if len(found) > 0 && found[0].Port != n.Port {
			return Node{}, fmt.Errorf("usb %s: %w", r, ErrAmbiguous)
		}
		found = append(found, n)
	}
	if len(found) == 0 {
		return Node{}, fmt.Errorf("usb %s: %w", r, ErrAbsent)
	}
	return slices.MinFunc(found, func(a, b Node) int {
		if a.Keys != b.Keys {
			return map[bool]int{true: -1, false: 1}[a.Keys]
		}
		return cmp.Compare(a.Part, b.Part)
	}), nil
}

// Refs gives a reference of every node in nodes that belongs to a USB device, fit to be kept: it also leads to that device, or to none,
// when others alike are plugged in later or instead. It holds the device's serial number, or where that tells it from no others, the
// socket.
func Refs(nodes []Node) map[string]string {
	ports := make(map[Ref]map[string]bool)
	for _, n := range nodes {
		r := Ref{Vendor: n.Vendor, Product: n.Product, Serial: n.Serial}
		if ports[r] == nil {
			ports[r] = make(map[string]bool)
		}
		ports[r][n.Port] = true
	}
	refs := make(map[string]string)
	for _, n := range nodes {
		if n.Vendor == "" {
			continue
		}
		r := Ref{Vendor: n.Vendor, Product: n.Product, Serial: n.Serial}
		if !individual(n.Serial) || len(ports[r]) > 1 {
			r.Serial, r.Port = "", n.Port
		}
		refs[n.Path] = r.String()
	}
	return refs
}

// individual reports whether serial looks like one device's own. Makers who number none give all of them the same, such as 0001.
func individual(serial string) bool {
	const fewest = 4
	return len(strings.TrimLeft(serial, "0")) >= fewest && !strings.ContainsRune(serial, '@')
}
