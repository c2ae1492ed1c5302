package escpos

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
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

// encode turns printable text into the printer's bytes. No byte below 0x20 comes out: GB 18030 has none in its second,
// third and fourth bytes, UTF-8 none at all.
func (c Charset) encode(s string) []byte {
	if c == UTF8 {
		return []byte(s)
	}
	enc := simplifiedchinese.GB18030.NewEncoder()
	out := make([]byte, 0, 2*len(s))
	for _, r := range s {
		out = c.appendRune(out, enc, r)
	}
	return out
}

func (c Charset) appendRune(out []byte, enc *encoding.Encoder, r rune) []byte {
	switch {
	case r < utf8.RuneSelf:
		return append(out, byte(r))
	case c == ASCII:
		return append(out, '?')
	}
	var utf [utf8.UTFMax]byte
	var gb [4]byte
	n, _, err := enc.Transform(gb[:], utf[:utf8.EncodeRune(utf[:], r)], true)
	if err != nil || n == 4 && c != GB18030 {
		return append(out, 0xA1, 0xF5) // Missing
	}
	return append(out, gb[:n]...)
}

// Lacks reports whether a printer with this charset has no glyph for something in a text.
func (c Charset) Lacks(s string) bool {
	if isASCII(s) || c == UTF8 || c == GB18030 {
		return false
	}
	if c == ASCII {
		return true
	}
	enc := simplifiedchinese.GB18030.NewEncoder()
	var room [4]byte
	for _, r := range s {
		if r == Missing || r < utf8.RuneSelf {
			continue
		}
		if b := c.appendRune(room[:0], enc, r); string(b) == "\xA1\xF5" {
			return true
		}
	}
	return false
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
	line, used := "", 0
	for _, piece := range pieces(s) {
		n := c.Columns(piece)
		if used+n > columns && used > 0 {
			lines = append(lines, strings.TrimRight(line, " "))
			line, used = "", 0
			if piece = strings.TrimLeft(piece, " "); piece == "" {
				continue
			}
			n = c.Columns(piece)
		}
		for n > columns { // a word longer than a line
			head := c.head(piece, columns)
			lines = append(lines, head)
			piece = piece[len(head):]
			n = c.Columns(piece)
		}
		line, used = line+piece, used+n
	}
	if used > 0 || len(lines) == 0 {
		lines = append(lines, strings.TrimRight(line, " "))
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
	var out []string
	last := rune(-1)
	for _, r := range s {
		joins := last >= 0 && (strings.ContainsRune(closing, r) && last != ' ' ||
			r != ' ' && last != ' ' && r < utf8.RuneSelf && last < utf8.RuneSelf)
		if joins {
			out[len(out)-1] += string(r)
		} else {
			out = append(out, string(r))
		}
		last = r
	}
	return out
}
