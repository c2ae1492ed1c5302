// Package gb gives texts in the Chinese character sets that devices take.
package gb

import (
	"unicode"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Set is a character set.
type Set string

// The sets. Of GB 2312 a font has the 7445 characters of the standard and ASCII.
const (
	GB2312 Set = "gb2312"
	GBK    Set = "gbk"
	UTF8   Set = "utf-8"
)

// Append appends s in a set: control characters become spaces, and what the set lacks becomes "?". No trail byte of GB 2312 is ASCII;
// some of GBK are.
func (set Set) Append(dst []byte, s string) []byte {
	for _, r := range s {
		dst = set.AppendRune(dst, r)
	}
	return dst
}

// AppendRune appends one character.
func (set Set) AppendRune(dst []byte, r rune) []byte {
	switch {
	case r < ' ' || r == 0x7F:
		return append(dst, ' ')
	case r < 0x7F:
		return append(dst, byte(r))
	case set == UTF8:
		if unicode.IsControl(r) {
			return append(dst, ' ')
		}
		return append(dst, string(r)...)
	case unicode.Is(unicode.Co, r):
		return append(dst, '?')
	}
	two, err := simplifiedchinese.GBK.NewEncoder().String(string(r))
	if err != nil || len(two) != 2 || set != GBK && !inGB2312(two[0], two[1]) {
		return append(dst, '?')
	}
	return append(dst, two...)
}

// Decode reads a text; what is none becomes U+FFFD.
func (set Set) Decode(b []byte) string {
	if set == UTF8 {
		return string([]rune(string(b)))
	}
	s, err := simplifiedchinese.GBK.NewDecoder().Bytes(b)
	if err != nil {
		return "\uFFFD"
	}
	return string(s)
}

// inGB2312 reports whether two GBK bytes are one of the 7445 characters of GB 2312-80.
func inGB2312(hi, lo byte) bool {
	if lo < 0xA1 {
		return false
	}
	switch hi {
	case 0xA2:
		return lo >= 0xB1 // GBK put small Roman numerals before them
	case 0xA6:
		return lo < 0xE0 // GBK put vertical punctuation behind them
	case 0xA8:
		return lo < 0xBB || lo >= 0xC5 // GBK put Latin letters between them
	case 0xD7:
		return lo <= 0xF9
	}
	return hi >= 0xA1 && hi <= 0xA9 || hi >= 0xB0 && hi <= 0xF7
}
