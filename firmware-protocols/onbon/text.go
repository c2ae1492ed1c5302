package onbon

import (
	"strings"

	"halledge/firmware-protocols/internal/gb"
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
	for _, r := range t.S {
		switch r {
		case '\n':
			b = append(b, '\\', 'n')
		case '\\':
			b = append(b, 0xA3, 0xDC)
		default:
			b = gb.GB2312.AppendRune(b, r)
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
	t.S = strings.ReplaceAll(gb.GB2312.Decode(b), `\n`, "\n") // what cannot be read becomes U+FFFD
	return t
}
