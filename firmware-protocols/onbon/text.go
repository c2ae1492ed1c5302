package onbon

import (
	"strings"
	"unicode"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Colour is the colour of a text on a two-colour screen.
type Colour byte

// The colours. DefaultColour leaves the choice to the card and is the only one a one-colour screen knows.
const (
	DefaultColour Colour = 0
	Red           Colour = '1'
	Green         Colour = '2'
	Yellow        Colour = '3'
)

// Text is what an area shows. A line feed in S begins a new line. Every other control character becomes a space, and a
// backslash its full-width form, so that no text can smuggle the card's own escapes in.
type Text struct {
	S      string
	Colour Colour
}

// Cells counts the half-width columns a line takes: one for ASCII, two for a Chinese character, as GB 2312 has bytes.
func Cells(line string) int { return len(Text{S: line}.encode()) }

// encode gives the bytes of an area: GB 2312 with the escapes \C1 (colour) and \n (new line). What GB 2312 lacks becomes "?".
func (t Text) encode() []byte {
	var b []byte
	if t.Colour != DefaultColour {
		b = append(b, '\\', 'C', byte(t.Colour))
	}
	enc := simplifiedchinese.GBK.NewEncoder()
	for _, r := range t.S {
		switch {
		case r == '\n':
			b = append(b, '\\', 'n')
		case r < ' ' || r == 0x7F:
			b = append(b, ' ')
		case r == '\\':
			b = append(b, 0xA3, 0xDC)
		case r < 0x7F:
			b = append(b, byte(r))
		default:
			two, err := enc.String(string(r))
			if err != nil || len(two) != 2 || !inGB2312(two[0], two[1]) || unicode.Is(unicode.Co, r) {
				two = "?"
			}
			b = append(b, two...)
		}
	}
	return b
}

// decodeText reads the bytes of an area: the colour at its beginning, new lines, text. Other escapes stay as they are.
func decodeText(b []byte) Text {
	var t Text
	if len(b) >= 3 && b[0] == '\\' && b[1] == 'C' && b[2] >= byte(Red) && b[2] <= byte(Yellow) {
		t.Colour = Colour(b[2])
		b = b[3:]
	}
	if s, err := simplifiedchinese.GBK.NewDecoder().String(string(b)); err == nil { // what cannot be read becomes U+FFFD
		t.S = strings.ReplaceAll(s, `\n`, "\n")
	}
	return t
}

// inGB2312 reports whether two GBK bytes are one of the 7445 characters of GB 2312-80, the only ones the card's font has.
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
