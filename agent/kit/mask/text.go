package mask

import (
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// found is what the numbers of persons look like inside of other text. Digits may stand in groups. An identity number of 18 characters
// has the date of birth that GB 11643 gives it, one of 15 that of the standard before: hall codes, running numbers and times have none.
var found = []struct {
	form *regexp.Regexp
	mask func(string) string
}{
	{regexp.MustCompile(`[1-9](?:[ -]?\d){5}[ -]?(?:18|19|20)\d\d[ -]?(?:0[1-9]|1[0-2])[ -]?(?:0[1-9]|[12]\d|3[01])(?:[ -]?\d){3}[ -]?[\dXx]`), ID},
	{regexp.MustCompile(`[1-9]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}`), ID},
	{regexp.MustCompile(`1[ -]?[3-9](?:[ -]?\d){9}`), Phone},
	{regexp.MustCompile(`0\d{2,3}-[2-9]\d{6,7}`), Landline},
	{regexp.MustCompile(`[A-Z][A-Z0-9]\d{7}`), Passport},
	{regexp.MustCompile(`[HM]\d{8}(?:\d\d)?`), Permit},
	{regexp.MustCompile(`\p{Han}[A-HJ-Z]·?[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳]`), plateOf},
	{regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{2,63}){1,4}`), Mail},
}

// Text masks the numbers of persons, vehicles and mail boxes in what people write freely, such as a remark or a complaint. Names cannot be
// told from other words: they stay.
func Text(s string) string {
	s = wide.Replace(norm.NFC.String(s))
	for _, f := range found {
		s = replace(s, f.form, f.mask)
	}
	return s
}

// wide are the digits as Chinese keyboards write them between Chinese characters.
var wide = strings.NewReplacer("０", "0", "１", "1", "２", "2", "３", "3", "４", "4", "５", "5", "６", "6", "７", "7", "８", "8", "９", "9", "－", "-", "Ｘ", "X")

// groups are what stands between groups of digits.
var groups = strings.NewReplacer(" ", "", "-", "")

// replace masks whatever has a form and stands alone: a number inside of a longer one is none.
func replace(s string, form *regexp.Regexp, mask func(string) string) string {
	var b strings.Builder
	at := 0
	for _, m := range form.FindAllStringIndex(s, -1) {
		if inside(s, m[0], m[1]) {
			continue
		}
		b.WriteString(s[at:m[0]])
		shown := mask(s[m[0]:m[1]])
		if shown == Hidden {
			shown = mask(groups.Replace(s[m[0]:m[1]]))
		}
		b.WriteString(shown)
		at = m[1]
	}
	b.WriteString(s[at:])
	return b.String()
}

// inside reports whether a longer word or number goes on before or behind s[from:to].
func inside(s string, from, to int) bool {
	return from > 0 && isWord(s[from-1]) && isWord(s[from]) || to < len(s) && isWord(s[to])
}

func isWord(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_'
}

// plateOf masks a plate with or without the dot that is painted on it.
func plateOf(s string) string { return Plate(strings.ReplaceAll(s, "·", "")) }
