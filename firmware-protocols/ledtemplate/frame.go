package ledtemplate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"halledge/firmware-protocols/internal/crc16"
)

var errFrame = errors.New("not a frame of the template")

// Append appends the frame of a message. In its text control characters, what the character set lacks, and the byte that ends it become
// spaces or "?", so that no text can end a frame. It fails when a number has no room, a colour or flash is not as long as its field, or
// the text is too long.
func (t *Template) Append(dst []byte, m Message) ([]byte, error) {
	words := t.encode(m.Text)
	if t.fixed+len(words) > MaxFrame {
		return dst, fmt.Errorf("frame of %d bytes: the most is %d", t.fixed+len(words), MaxFrame)
	}
	b, begin := dst, len(dst)
	for _, f := range t.fields {
		var err error
		switch f.kind {
		case literal:
			b = append(b, f.bytes...)
		case address:
			b, err = f.number(b, m.Address)
		case row:
			b, err = f.number(b, m.Row)
		case text:
			b = append(b, words...)
		case colour:
			b, err = f.value(b, m.Colour)
		case flash:
			b, err = f.value(b, m.Flash)
		case length:
			b, err = f.number(b, len(words)+f.more)
		case from:
			begin = len(b)
		default:
			b = f.check(b, b[begin:])
		}
		if err != nil {
			return dst, err
		}
	}
	return b, nil
}

// encode gives the bytes of a text.
func (t *Template) encode(s string) []byte {
	limit := t.fields[t.text].width
	var b []byte
	for _, r := range s {
		one := t.set.AppendRune(nil, r)
		if t.ends && slices.Contains(one, t.end) {
			one = []byte{' '}
			if t.end == ' ' {
				one[0] = '_'
			}
		}
		if limit > 0 && len(b)+len(one) > limit {
			break
		}
		b = append(b, one...)
	}
	for len(b) < limit {
		b = append(b, ' ')
	}
	return b
}

func (f field) number(b []byte, n int) ([]byte, error) {
	highest := 0xFF
	switch f.form {
	case decimal, hexadecimal:
		base := 10
		if f.form == hexadecimal {
			base = 16
		}
		s := strings.ToUpper(strconv.FormatInt(int64(n), base))
		if n < 0 || len(s) > f.width {
			return b, fmt.Errorf("%d does not fit in %d digits", n, f.width)
		}
		return append(append(b, strings.Repeat("0", f.width-len(s))...), s...), nil
	case low, high:
		highest = 0xFFFF
	}
	switch {
	case n < 0 || n > highest:
		return b, fmt.Errorf("%d does not fit in %d bytes", n, f.width)
	case f.form == low:
		return append(b, byte(n), byte(n>>8)), nil
	case f.form == high:
		return append(b, byte(n>>8), byte(n)), nil
	}
	return append(b, byte(n)), nil
}

// parse reads what number wrote.
func (f field) parse(b []byte) (int, error) {
	switch f.form {
	case decimal, hexadecimal:
		base := 10
		if f.form == hexadecimal {
			base = 16
		}
		n, err := strconv.ParseUint(string(b), base, 16)
		if err != nil {
			return 0, errFrame
		}
		return int(n), nil
	case low:
		return int(b[0]) | int(b[1])<<8, nil
	case high:
		return int(b[0])<<8 | int(b[1]), nil
	}
	return int(b[0]), nil
}

func (f field) value(b []byte, v string) ([]byte, error) {
	if len(v) != f.width {
		return b, fmt.Errorf("% X is not %d bytes long", v, f.width)
	}
	return append(b, v...), nil
}

func (f field) check(b, over []byte) []byte {
	switch f.kind {
	case sum:
		var n byte
		for _, c := range over {
			n += c
		}
		return append(b, n)
	case xor:
		var n byte
		for _, c := range over {
			n ^= c
		}
		return append(b, n)
	case crcLow:
		n := crc16.Sum(crc16.Modbus, over)
		return append(b, byte(n), byte(n>>8))
	default:
		n := crc16.Sum(crc16.Modbus, over)
		return append(b, byte(n>>8), byte(n))
	}
}

// ParseFrame decodes one whole frame.
func (t *Template) ParseFrame(frame []byte) (Message, error) {
	n := len(frame) - t.fixed
	if w := t.fields[t.text].width; n < 0 || w > 0 && n != w || len(frame) > MaxFrame {
		return Message{}, fmt.Errorf("%w: %d bytes", errFrame, len(frame))
	}
	var m Message
	var words []byte
	at, begin := 0, 0
	for _, f := range t.fields {
		width := f.width
		if f.kind == text {
			width = n
		}
		b := frame[at : at+width]
		number, err := 0, error(nil)
		if f.kind == address || f.kind == row || f.kind == length {
			number, err = f.parse(b)
		}
		bad := err != nil
		switch f.kind {
		case literal:
			bad = !slices.Equal(b, f.bytes)
		case address:
			m.Address = number
		case row:
			m.Row = number
		case text:
			words = b
		case colour:
			m.Colour = string(b)
		case flash:
			m.Flash = string(b)
		case length:
			bad = bad || number != n+f.more
		case from:
			begin = at
		default:
			bad = !slices.Equal(b, f.check(nil, frame[begin:at]))
		}
		if bad {
			return Message{}, errFrame
		}
		at += width
	}
	m.Text = strings.TrimRight(t.set.Decode(words), " ")
	return m, nil
}
