package escpos

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/width"
)

// Charset is the set of characters a printer was made for.
type Charset string

// The charsets. Printers sold in mainland China take double bytes; few have glyphs for the four-byte part of GB 18030.
const (
	GBK     Charset = "gbk"     // double bytes of GB 18030 only; anything else prints as Missing
	GB18030 Charset = "gb18030" // four-byte characters too
	UTF8    Charset = "utf-8"   // a printer switched to UTF-8
	ASCII   Charset = "ascii"   // a printer without Chinese; anything else prints as ?
)

// Missing stands on the paper for a character the printer has no glyph for.
const Missing = '□'

// maxText is the number of characters of one text that reach the printer; the rest is cut off.
const maxText = 1024

// Printable keeps what may be printed: letters, numbers, punctuation, symbols and spaces. Tabs and line ends become spaces.
// Control characters (and with them every printer command), bidirectional and other format characters, combining marks and
// broken UTF-8 are dropped, and the text ends after 1024 characters.
func Printable(s string) string {
	var out strings.Builder
	kept := 0
	for i, r := range s {
		if kept == maxText {
			break
		}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			continue
		case r == '\u3000':
		case r == '\t', r == '\n', unicode.Is(unicode.Zs, r):
			r = ' '
		case unicode.Is(unicode.Co, r):
			r = Missing
		case !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S):
			continue
		}
		out.WriteRune(r)
		kept++
	}
	return out.String()
}

// missing is Missing in GB 18030.
const missing = "\xA1\xF5"

// encode turns printable text into the printer's bytes. No byte below 0x20 comes out: GB 18030 has none in its second,
// third and fourth bytes, UTF-8 none at all.
func (c Charset) encode(s string) []byte {
	switch c {
	case UTF8:
		return []byte(s)
	case ASCII:
		return ascii(s)
	}
	out, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	if err != nil { // it has all of Unicode
		return ascii(s)
	}
	if c == GB18030 {
		return out
	}
	return shortened(out)
}

// ascii puts ? for whatever else there is.
func ascii(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r >= utf8.RuneSelf {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}

// shortened puts Missing for each character of four bytes, in place.
func shortened(gb []byte) []byte {
	out := gb[:0]
	for i := 0; i < len(gb); {
		n := gbLength(gb[i:])
		if n == 4 {
			out = append(out, missing...)
		} else {
			out = append(out, gb[i:i+n]...)
		}
		i += n
	}
	return out
}

// gbLength is how many bytes the first character of a text in GB 18030 has. The second byte of four is a digit, that of two is none.
func gbLength(gb []byte) int {
	switch {
	case gb[0] < utf8.RuneSelf || len(gb) < 2:
		return 1
	case len(gb) >= 4 && gb[1] >= '0' && gb[1] <= '9':
		return 4
	}
	return 2
}

// Lacks reports whether a printer with this charset has no glyph for something in a text.
func (c Charset) Lacks(s string) bool {
	switch {
	case isASCII(s) || c == UTF8 || c == GB18030:
		return false
	case c == ASCII:
		return true
	}
	gb, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	for len(gb) > 0 && err == nil {
		n := gbLength(gb)
		if n == 4 {
			return true
		}
		gb = gb[n:]
	}
	return err != nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// decode is the printer's side of encode; bytes that mean nothing become U+FFFD.
func (c Charset) decode(b []byte) string {
	switch c {
	case UTF8:
		return strings.ToValidUTF8(string(b), "\uFFFD")
	case ASCII:
		return string(withoutHigh(b))
	}
	s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil {
		return strings.Repeat("\uFFFD", len(b))
	}
	return string(s)
}

// columns is the width of a character in columns of font A. Double-byte fonts draw every character they have on a full
// square, whatever its Unicode width is.
func (c Charset) columns(r rune) int {
	if r < utf8.RuneSelf || c == ASCII {
		return 1
	}
	if c != UTF8 {
		return 2
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth, width.EastAsianAmbiguous:
		return 2
	}
	return 1
}

// Columns is the width of a text in columns of font A at normal size.
func (c Charset) Columns(s string) int {
	n := 0
	for _, r := range s {
		n += c.columns(r)
	}
	return n
}

// Wrap breaks printable text into lines of at most columns. Words and numbers stay whole where they fit, Chinese breaks
// between any two characters, and closing punctuation never starts a line.
func (c Charset) Wrap(s string, columns int) []string {
	columns = max(columns, 2)
	var lines []string
	start, at, used := 0, 0, 0 // the line so far is s[start:at], used columns wide
	for _, piece := range pieces(s) {
		n := c.Columns(piece)
		if used+n > columns && used > 0 {
			lines = append(lines, strings.TrimRight(s[start:at], " "))
			rest := strings.TrimLeft(piece, " ")
			at += len(piece) - len(rest)
			start, used, piece = at, 0, rest
			n = c.Columns(piece)
		}
		for n > columns { // a word longer than a line
			head := c.head(piece, columns)
			lines = append(lines, head)
			piece = piece[len(head):]
			at += len(head)
			start, n = at, c.Columns(piece)
		}
		at, used = at+len(piece), used+n
	}
	if used > 0 || len(lines) == 0 {
		lines = append(lines, strings.TrimRight(s[start:at], " "))
	}
	return lines
}

// head is the longest beginning of s that fits, at least one character.
func (c Charset) head(s string, columns int) string {
	used := 0
	for i, r := range s {
		used += c.columns(r)
		if used > columns && i > 0 {
			return s[:i]
		}
	}
	return s
}

// closing holds what a line must not begin with.
const closing = "，。、；：！？）》〉」』】〕”’…％,.;:!?)]}%"

// pieces splits a text where a line may break: between Chinese characters, before and after spaces.
func pieces(s string) []string {
	out := make([]string, 0, len(s)/2)
	start, last := 0, ' '
	for i, r := range s {
		joins := strings.ContainsRune(closing, r) && last != ' ' || r != ' ' && last != ' ' && r < utf8.RuneSelf && last < utf8.RuneSelf
		if i > 0 && !joins {
			out = append(out, s[start:i])
			start = i
		}
		last = r
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}
