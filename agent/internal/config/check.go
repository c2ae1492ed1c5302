package config

import (
	"cmp"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"halledge/agent/kit/strictyaml"
	"halledge/configs"
	"halledge/drivers/device"
)

// The forms of names.
var (
	hallCode = regexp.MustCompile(`^\d{15}$`)
	queueID  = regexp.MustCompile(`^[A-Z]{1,2}$`)
	placeID  = regexp.MustCompile(`^[A-Za-z0-9]{1,8}$`)
	staffID  = regexp.MustCompile(`^[A-Za-z0-9_]{1,32}$`)

	cardDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// maxName is the longest name of anything, in characters; a slip of 80 mm paper has 24 Chinese ones in a line.
const maxName = 40

// maxPerson is that of a person, and maxMarks how many marks stand on one letter in any language that is written here.
const (
	maxPerson = 32
	maxMarks  = 2
)

// checker notes problems in one file.
type checker struct {
	doc *strictyaml.Document
	dir string
}

// at notes a problem; args are name, value, name, value …
func (c *checker) at(path string, code strictyaml.Code, args ...string) {
	var named map[string]string
	for i := 0; i+1 < len(args); i += 2 {
		if named == nil {
			named = map[string]string{}
		}
		named[args[i]] = args[i+1]
	}
	c.doc.At(path, code, named)
}

// name checks a text that people read and that must be there.
func (c *checker) name(path, value string) { c.named(path, value, maxName) }

func (c *checker) named(path, value string, limit int) {
	if strings.TrimSpace(value) == "" {
		c.at(path, strictyaml.Missing, "key", lastKey(path))
		return
	}
	c.short(path, value, limit)
}

func (c *checker) short(path, value string, limit int) {
	if utf8.RuneCountInString(value) > limit {
		c.at(path, strictyaml.TooLong, "limit", strconv.Itoa(limit))
	}
	if !plain(value) {
		c.at(path, Characters)
	}
}

// plain tells whether a text says what it shows: no control characters, none that nobody sees or that turn the direction of writing,
// no heaps of marks on one letter, and each letter in its one form (NFC).
func plain(s string) bool {
	marks := 0
	for _, r := range s {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || r == utf8.RuneError {
			return false
		}
		if marks++; !unicode.IsMark(r) {
			marks = 0
		}
		if marks > maxMarks {
			return false
		}
	}
	return norm.NFC.IsNormalString(s)
}

// form checks a name that must be there and look like re.
func (c *checker) form(path, value string, re *regexp.Regexp, code strictyaml.Code) {
	switch {
	case value == "":
		c.at(path, strictyaml.Missing, "key", lastKey(path))
	case !re.MatchString(value):
		c.at(path, code, "value", value)
	}
}

func (c *checker) oneOf(path, value string, allowed ...string) {
	c.known(path, value, allowed, strictyaml.NotAllowed)
}

func (c *checker) between(path string, value, low, high int) {
	if value < low || value > high {
		c.at(path, strictyaml.OutOfRange, "value", strconv.Itoa(value), "low", strconv.Itoa(low), "high", strconv.Itoa(high))
	}
}

// none stands where names would, were there any.
const none = "无"

// known checks that value is one of allowed.
func (c *checker) known(path, value string, allowed []string, code strictyaml.Code) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	c.at(path, code, "value", value, "allowed", cmp.Or(strings.Join(allowed, ", "), none))
}

// references checks each value of a list against the names there are, and that none stands twice.
func (c *checker) references(path string, values, allowed []string, code strictyaml.Code) {
	once := set{}
	for i, v := range values {
		where := fmt.Sprintf("%s[%d]", path, i)
		c.known(where, v, allowed, code)
		once.add(c, where, v)
	}
}

// set notes values that stand twice.
type set map[string]bool

func (s set) add(c *checker, path, value string) {
	if value == "" {
		return
	}
	if s[value] {
		c.at(path, strictyaml.Twice, "value", value)
	}
	s[value] = true
}

// hostPort checks host:port. An empty host is every address of the machine, fit for listening only.
func (c *checker) hostPort(path, value string, needHost bool) {
	host, port, err := net.SplitHostPort(value)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || needHost && (host == "" || n == 0) || strings.ContainsAny(host, " /@") {
		c.at(path, Address, "value", value)
	}
}

// loopback reports whether host can only be this machine.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// modelsOf lists the models of a class that this program knows.
func modelsOf(class device.Class) []string {
	files, err := fs.Glob(configs.FS(), path.Join("models", string(class), "*.yaml"))
	if err != nil {
		return nil // only a malformed pattern fails, and a class is a plain word
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	return names
}
