// Package mask gives what may be shown of a person's data: one function for each kind, and Text for what people write freely. What is
// masked is still about a person, and no more than eight digits of a number are left.
//
// No program has a field for somebody's name or address: Name and Address are for the first that gets one.
package mask

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Hidden is shown of whatever is not of the kind that it is said to be.
const Hidden = "***"

// Name masks a person's name: 张* of two characters, 张*三 of three, 欧**娜 of more; of a name in Latin letters the first one.
func Name(s string) string {
	s = tidy(s)
	if latinName.MatchString(s) {
		return string([]rune(s)[:1]) + Hidden
	}
	if !chineseName.MatchString(s) {
		return Hidden
	}
	name := []rune(s)
	if len(name) == 2 {
		return string(name[:1]) + "*"
	}
	return string(name[:1]) + strings.Repeat("*", len(name)-2) + string(name[len(name)-1:])
}

// ID masks an identity number of 18 or 15 characters to 4 and 4, or 4 and 3: never the date of birth. A last x is written X.
func ID(s string) string {
	s = strings.ToUpper(tidy(s))
	switch {
	case id18.MatchString(s):
		return s[:4] + strings.Repeat("*", 10) + s[14:]
	case id15.MatchString(s):
		return s[:4] + strings.Repeat("*", 8) + s[12:]
	}
	return Hidden
}

// Phone masks a mobile phone number of the mainland: 138****8000.
func Phone(s string) string {
	s = tidy(s)
	if !mobile.MatchString(s) {
		return Hidden
	}
	return s[:3] + "****" + s[7:]
}

// Landline masks the last four digits of a telephone number, which may have its area code before it: 0668-288****.
func Landline(s string) string {
	s = tidy(s)
	if !landline.MatchString(s) {
		return Hidden
	}
	return s[:len(s)-4] + "****"
}

// Passport masks the number of a Chinese passport: E1******78.
func Passport(s string) string { return ends(s, passport) }

// Permit masks the number of a permit of people from Hong Kong, Macao or Taiwan: H1******78.
func Permit(s string) string { return ends(s, permit) }

// Plate masks a vehicle's number: 粤K***45.
func Plate(s string) string { return ends(s, plate) }

// Mail masks an address of electronic mail: z***@, and where it goes.
func Mail(s string) string {
	s = tidy(s)
	if !mail.MatchString(s) {
		return Hidden
	}
	name, place, _ := strings.Cut(s, "@")
	return name[:1] + Hidden + "@" + place
}

// Address masks a postal address down to its district: 广东省茂名市茂南区***.
func Address(s string) string {
	shown := ""
	for _, part := range address.FindStringSubmatch(tidy(s))[1:] {
		if nearer.MatchString(part) {
			break
		}
		shown += part
	}
	return shown + Hidden
}

// ends leaves the first two and the last two characters of a number of a form.
func ends(s string, form *regexp.Regexp) string {
	s = strings.ToUpper(tidy(s))
	if !form.MatchString(s) {
		return Hidden
	}
	all := []rune(s)
	return string(all[:2]) + strings.Repeat("*", len(all)-4) + string(all[len(all)-2:])
}

// The forms that are known; what was masked already has the form of what it was.
var (
	chineseName = regexp.MustCompile(`^\p{Han}(?:\*|(?:[\p{Han}·]{0,30}|\*{1,30})\p{Han})$`)
	latinName   = regexp.MustCompile(`^\p{Latin}(?:[\p{Latin} .,'-]{0,60}|\*{3})$`)
	id18        = regexp.MustCompile(`^[1-9]\d{3}(?:\d{10}|\*{10})\d{3}[\dX]$`)
	id15        = regexp.MustCompile(`^[1-9]\d{3}(?:\d{8}|\*{8})\d{3}$`)
	mobile      = regexp.MustCompile(`^1[3-9]\d(?:\d{4}|\*{4})\d{4}$`)
	landline    = regexp.MustCompile(`^(?:0\d{2,3}-?)?[2-9]\d{2,3}(?:\d{4}|\*{4})$`)
	passport    = regexp.MustCompile(`^[A-Z][A-Z0-9](?:\d{5,7}|\*{5,7})\d{2}$`)
	permit      = regexp.MustCompile(`^[A-Z0-9]\d(?:\d{4,8}|\*{4,8})\d{2}$`)
	plate       = regexp.MustCompile(`^\p{Han}[A-Z](?:[A-Z0-9]{3,4}|\*{3,4})[A-Z0-9][A-Z0-9\p{Han}]$`)
	mail        = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,63}|\*{3})@[A-Za-z-]{1,63}(?:\.[A-Za-z-]{2,63}){1,4}$`)

	// Province, city and district, each where there is one: it matches every text.
	address = regexp.MustCompile(`^(\p{Han}{2,10}?(?:省|自治区|特别行政区))?(\p{Han}{2,10}?(?:市|自治州|地区|盟))?(\p{Han}{1,10}?(?:区|县|旗|市))?`)
	// What ends like one of them and lies nearer: some houses, or a street whose name goes on with 市场.
	nearer = regexp.MustCompile(`[社小园校片景山院]区$|[路街道巷弄村镇乡号]`)
)

// tidy gives a text as it is compared: composed, without blanks around it. Characters that work on others make it a text of no kind.
func tidy(s string) string {
	s = strings.TrimSpace(norm.NFC.String(s))
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return ""
	}
	return s
}
