// Package ledtemplate gives the frames of LED strips that have no protocol of their own name: makers of window strips each put an
// address, a text and an end mark together in another way, and a dealer's sheet of paper says how. A template says the same:
//
//	40 {address} {text} 0D
//	AA 55 {address} {length+2} {colour} {flash} {text} {sum} 0D 0A
//
// Two hexadecimal digits are a byte. Fields stand in braces:
//
//	{address} {row}         a number: one byte, {address:dec2} ASCII digits, {address:hex2} hexadecimal ones
//	{text} {text:16}        the text; with a number padded with spaces to that many bytes, and cut there
//	{colour} {flash}        bytes that the model gives for each colour, and for flashing or not; {colour:2} two of them
//	{length} {length+3:2le} bytes of the text, and of so many more; in one byte, or two with the low or (2be) the high one first
//	{from}                  nothing itself: the checks begin here, not with the first byte
//	{sum} {xor} {crc16} {crc16be} a check over all since then: sum and exclusive or in a byte, CRC-16/MODBUS with the low byte first
package ledtemplate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"halledge/firmware-protocols/internal/gb"
)

// Set is a character set of texts.
type Set = gb.Set

// The sets.
const (
	GB2312 = gb.GB2312
	GBK    = gb.GBK
	UTF8   = gb.UTF8
)

// MaxFrame is the most bytes of a frame.
const MaxFrame = 512

// Limits of a template.
const (
	maxTemplate = 512 // characters
	maxFields   = 64
	maxWidth    = 256 // bytes of a field
)

// Message is what one frame says.
type Message struct {
	Address, Row  int
	Text          string
	Colour, Flash string // their bytes
}

// Template is a form of frames.
type Template struct {
	fields []field
	set    Set
	text   int  // which field is the text
	fixed  int  // bytes of all other fields
	end    byte // the byte that ends a text of any length
	ends   bool // there is such a byte
}

type kind int

const (
	literal kind = iota
	address
	row
	text
	colour
	flash
	length
	from
	sum
	xor
	crcLow
	crcHigh
)

type field struct {
	kind  kind
	bytes []byte // of a literal
	width int    // bytes; of a text 0: as many as it has
	form  form
	more  int // that a length counts beside the text
}

// form is how a number is written.
type form int

const (
	binary form = iota // one byte
	decimal
	hexadecimal
	low  // first
	high // first
)

var errTemplate = errors.New("bad template")

// Parse reads a template. A text that may have any length must have an end that can be seen: a byte of its own, or a length before it.
func Parse(s string, set Set) (*Template, error) {
	if len(s) > maxTemplate {
		return nil, fmt.Errorf("%w: longer than %d characters", errTemplate, maxTemplate)
	}
	t := &Template{set: set, text: -1}
	for _, word := range strings.Fields(s) {
		f, err := parseField(word)
		if err != nil {
			return nil, err
		}
		if f.kind == text {
			if t.text >= 0 {
				return nil, fmt.Errorf("%w: two texts", errTemplate)
			}
			t.text = len(t.fields)
		} else {
			t.fixed += f.width
		}
		t.fields = append(t.fields, f)
	}
	if t.text < 0 {
		return nil, fmt.Errorf("%w: no {text}", errTemplate)
	}
	if len(t.fields) > maxFields || t.fixed+t.fields[t.text].width > MaxFrame {
		return nil, fmt.Errorf("%w: too long", errTemplate)
	}
	if next := t.fields[t.text+1:]; len(next) > 0 && next[0].kind == literal {
		t.end, t.ends = next[0].bytes[0], true
	}
	counted := slices.ContainsFunc(t.fields[:t.text], func(f field) bool { return f.kind == length })
	if t.fields[t.text].width == 0 && !t.ends && !counted {
		return nil, fmt.Errorf("%w: nothing says where the text ends", errTemplate)
	}
	return t, nil
}

// Has reports whether the template has a field of one of the names address, row, colour and flash.
func (t *Template) Has(name string) bool {
	k, ok := names()[name]
	return ok && slices.ContainsFunc(t.fields, func(f field) bool { return f.kind == k })
}

// names are the fields by name.
func names() map[string]kind {
	return map[string]kind{
		"address": address, "row": row, "text": text, "colour": colour, "flash": flash, "length": length, "from": from,
		"sum": sum, "xor": xor, "crc16": crcLow, "crc16be": crcHigh,
	}
}

func parseField(word string) (field, error) {
	bad := fmt.Errorf("%w: %q", errTemplate, word)
	inside, braced := strings.CutPrefix(word, "{")
	if !braced {
		b, err := strconv.ParseUint(word, 16, 8)
		if err != nil || len(word) != 2 {
			return field{}, bad
		}
		return field{kind: literal, bytes: []byte{byte(b)}, width: 1}, nil
	}
	inside, closed := strings.CutSuffix(inside, "}")
	name, option, _ := strings.Cut(inside, ":")
	name, more, added := strings.Cut(name, "+")
	k, known := names()[name]
	if !closed || !known || added && k != length {
		return field{}, bad
	}
	f := field{kind: k, width: 1}
	if added {
		n, err := strconv.Atoi(more)
		if err != nil || n < 0 || n > MaxFrame {
			return field{}, bad
		}
		f.more = n
	}
	if !f.option(option) {
		return field{}, bad
	}
	return f, nil
}

// option reads what stands behind the colon.
func (f *field) option(s string) bool {
	n, err := strconv.Atoi(s)
	number := err == nil && n >= 1 && n <= maxWidth
	switch f.kind {
	case address, row:
		digits, isDecimal := strings.CutPrefix(s, "dec")
		if !isDecimal {
			var isHex bool
			if digits, isHex = strings.CutPrefix(s, "hex"); !isHex {
				return s == ""
			}
			f.form = hexadecimal
		} else {
			f.form = decimal
		}
		f.width, err = strconv.Atoi(digits)
		return err == nil && f.width >= 1 && f.width <= 4
	case text:
		f.width = n
		return number || s == ""
	case colour, flash:
		if number {
			f.width = n
		}
		return number || s == ""
	case length:
		switch s {
		case "2le":
			f.width, f.form = 2, low
		case "2be":
			f.width, f.form = 2, high
		default:
			return s == ""
		}
		return true
	case from:
		f.width = 0
	case crcLow, crcHigh:
		f.width = 2
	}
	return s == ""
}
