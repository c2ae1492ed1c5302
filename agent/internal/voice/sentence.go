package voice

import (
	"strings"
	"unicode"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Sentence is a call as it is said. Plain says the same with the window's number for its name: recorded clips have no other words.
type Sentence struct {
	Full  string
	Plain string
}

// SentenceOf makes the sentence of a call. The number is read digit by digit and the window as a number: 请A零零一号，到十二号窗口. Who is
// called is never named.
func SentenceOf(s *queue.State, number string, window hallsync.WindowID) Sentence {
	plain := string(window) + "号窗口"
	name := plain
	for _, w := range s.Plan().Windows {
		if w.ID == window && w.Name != "" {
			name = w.Name
		}
	}
	begin := "请" + spell(number) + "号，到"
	return Sentence{Full: begin + read(name), Plain: begin + read(plain)}
}

// digits are 0 to 9 as they are read one by one.
const digits = "零一二三四五六七八九"

func digit(n int) string { return string([]rune(digits)[n]) }

// spell reads each digit by itself; letters stay.
func spell(number string) string {
	var out strings.Builder
	for _, r := range strings.ToUpper(number) {
		if r >= '0' && r <= '9' {
			out.WriteString(digit(int(r - '0')))
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// read gives a text whose numbers are written as they are read: 12 as 十二. Numbers of more than four digits are spelt.
func read(text string) string {
	var out strings.Builder
	rest := []rune(text)
	for len(rest) > 0 {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		switch {
		case n == 0:
			if !unicode.IsControl(rest[0]) {
				out.WriteRune(rest[0])
			}
			n = 1
		case n > 4 || rest[0] == '0':
			out.WriteString(spell(string(rest[:n])))
		default:
			out.WriteString(value(rest[:n]))
		}
		rest = rest[n:]
	}
	return out.String()
}

// value reads a number of one to four digits that begins with none: 一百零五, 二十一, 十二.
func value(number []rune) string {
	units := []string{"", "十", "百", "千"}
	var out strings.Builder
	zero := false
	for i, r := range number {
		n, place := int(r-'0'), len(number)-1-i
		if n == 0 {
			zero = true
			continue
		}
		if zero {
			out.WriteString(digit(0))
			zero = false
		}
		if n != 1 || place != 1 || i > 0 { // 十二, but 一百一十二
			out.WriteString(digit(n))
		}
		out.WriteString(units[place])
	}
	return out.String()
}
