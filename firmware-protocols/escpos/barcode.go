package escpos

import (
	"errors"
	"strings"
)

// What can be wrong with a barcode.
var (
	ErrBarcodeTooLong = errors.New("escpos: barcode does not fit the paper")
	ErrBarcodeText    = errors.New("escpos: Code 128 holds printable ASCII only")
)

// Measures of Code 128 (ISO/IEC 15417). Readers need bars of about 0.25 mm and ten bars' width of white on each side.
const (
	barHeight   = 80 // dots, 10 mm
	minBar      = 2  // dots
	maxBar      = 3
	codeModules = 11          // of a character, of the start and of the check character
	overhead    = 2*11 + 13   // start, check, stop
	barQuiet    = 2 * 10      // white on both sides
	barLeadIn   = "\x1dH\x00" // GS H: no text below; a slip says it in its own lines
)

// barDot is the width of a module in dots for a code of so many modules.
func (l Layout) barDot(modules int) (int, error) {
	dot := min(maxBar, l.Dots/(modules+barQuiet))
	if dot < minBar {
		return 0, ErrBarcodeTooLong
	}
	return dot, nil
}

// Code128 prints a text as Code 128 with the printer's own command. An even number of digits takes half the width. After an error
// the job is as it was before.
func (b *Builder) Code128(text string, align Align) error {
	data, characters, err := code128(text)
	if err != nil {
		return err
	}
	dot, err := b.layout.barDot(codeModules*characters + overhead)
	if err != nil {
		return err
	}
	b.Align(align)
	b.add([]byte(barLeadIn)...)
	b.add(gs, 'h', barHeight, gs, 'w', byte(dot))
	b.add(gs, 'k', 73, byte(len(data)))
	b.add([]byte(data)...)
	b.Align(Left)
	return nil
}

// code128 is the data of GS k 73 for a text, and its number of characters in the code.
func code128(text string) (data string, characters int, err error) {
	if text == "" || strings.IndexFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7E }) >= 0 {
		return "", 0, ErrBarcodeText
	}
	if pairs, ok := digitPairs(text); ok {
		return "{C" + pairs, len(pairs), nil
	}
	data = "{B" + strings.ReplaceAll(text, "{", "{{")
	if len(data) > maxName {
		return "", 0, ErrBarcodeTooLong
	}
	return data, len(text), nil
}

// digitPairs gives a text of digits as code set C wants it, a byte for two of them; ok is false for other texts, and where the bytes
// would hold a DLE, with which commands begin that printers obey wherever they see them.
func digitPairs(text string) (pairs string, ok bool) {
	if len(text)%2 != 0 || len(text) > 2*maxName-4 || strings.Trim(text, "0123456789") != "" {
		return "", false
	}
	var out strings.Builder
	for i := 0; i < len(text); i += 2 {
		pair := (text[i]-'0')*10 + text[i+1] - '0'
		if pair == dle {
			return "", false
		}
		out.WriteByte(pair)
	}
	return out.String(), true
}

// BarPicture prints a ready row of bars as a picture, for printers without commands for it. modules is its width without margin.
func (b *Builder) BarPicture(modules int, dark func(x int) bool, align Align) error {
	dot, err := b.layout.barDot(modules)
	if err != nil {
		return err
	}
	m := NewBitmap(modules*dot, barHeight)
	for y := range m.Height {
		for x := range m.Width {
			if dark(x / dot) {
				m.Blacken(x, y)
			}
		}
	}
	return b.Picture(m, align)
}
