// Package speech gives what the protocols of speech modules have in common: the codes of their texts, the tags in them, their status
// bytes, and where a long text may be cut.
package speech

import (
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Encoding is how a text is written in a frame.
type Encoding byte

// The encodings.
const (
	GB2312  Encoding = 0
	GBK     Encoding = 1
	Unicode Encoding = 3 // UTF-16, whose byte order is the module's
)

// Order is the byte order of Unicode.
type Order bool

// The byte orders.
const (
	BigEndian    Order = false
	LittleEndian Order = true
)

// Status is what a module says by itself or when it is asked, in one byte.
type Status byte

// What a module says.
const (
	Ready    Status = 0x4A // it has started
	Accepted Status = 0x41 // it understood the frame
	Rejected Status = 0x45 // it did not
	Speaking Status = 0x4E
	Idle     Status = 0x4F // also said unasked when the speech has ended
)

// Known reports whether s is any of these.
func (s Status) Known() bool {
	switch s {
	case Ready, Accepted, Rejected, Speaking, Idle:
		return true
	}
	return false
}

func (s Status) String() string {
	switch s {
	case Ready:
		return "ready"
	case Accepted:
		return "accepted"
	case Rejected:
		return "rejected"
	case Speaking:
		return "speaking"
	case Idle:
		return "idle"
	}
	return "unknown"
}

// Plain gives s without what a module would take for its own: square brackets begin tags and become round ones, control
// characters become spaces.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '[':
			return '('
		case r == ']':
			return ')'
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, s)
}

// Encode gives the bytes of s. A character the encoding does not have becomes a space.
func Encode(s string, e Encoding, order Order) []byte {
	var out []byte
	if e == Unicode {
		for _, u := range utf16.Encode([]rune(s)) {
			hi, lo := byte(u>>8), byte(u)
			if order == LittleEndian {
				hi, lo = lo, hi
			}
			out = append(out, hi, lo)
		}
		return out
	}
	enc := simplifiedchinese.GBK.NewEncoder()
	for _, r := range s {
		two, err := enc.String(string(r))
		narrow := e == GB2312 && len(two) == 2 && (two[0] < 0xA1 || two[1] < 0xA1)
		if err != nil || narrow || len(two) > 2 {
			two = " "
		}
		out = append(out, two...)
	}
	return out
}

// Decode reads what Encode wrote. What cannot be read becomes U+FFFD.
func Decode(b []byte, e Encoding, order Order) string {
	if e == Unicode {
		units := make([]uint16, len(b)/2)
		for i := range units {
			hi, lo := b[2*i], b[2*i+1]
			if order == LittleEndian {
				hi, lo = lo, hi
			}
			units[i] = uint16(hi)<<8 | uint16(lo)
		}
		return string(utf16.Decode(units))
	}
	s, err := simplifiedchinese.GBK.NewDecoder().String(string(b))
	if err != nil {
		return string(unicode.ReplacementChar)
	}
	return s
}

// Split cuts s into pieces of at most limit encoded bytes each: behind a punctuation mark where there is one, never inside a
// character.
func Split(s string, limit int, e Encoding) []string {
	var out []string
	rest := []rune(s)
	for len(rest) > 0 {
		size, end, pause := 0, 0, 0
		for end < len(rest) {
			size += len(Encode(string(rest[end]), e, BigEndian))
			if size > limit {
				break
			}
			end++
			if unicode.IsPunct(rest[end-1]) {
				pause = end
			}
		}
		switch {
		case end == 0: // not even one character fits
			return out
		case end < len(rest) && pause > 0:
			end = pause
		}
		out = append(out, string(rest[:end]))
		rest = rest[end:]
	}
	return out
}

// CutTags takes the tags at the beginning of a text apart from what is said.
func CutTags(s string) (tags []string, text string) {
	for strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			break
		}
		tags, s = append(tags, s[:end+1]), s[end+1:]
	}
	return tags, s
}
