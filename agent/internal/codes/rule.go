package codes

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Rule says how one kind of code looks; what it leaves empty is of no account. The first rule that matches decides. A payload is only
// compared, an address in it never opened.
type Rule struct {
	Kind    Kind
	Prefix  string         // the payload begins with it
	Hosts   []string       // it is a web address of one of these hosts
	Pattern *regexp.Regexp // the whole of it matches
}

// groupBooking is the group of a pattern that is the number of an appointment; without it the whole payload is.
const groupBooking = "booking"

func (r *Rule) matches(text string) bool {
	return strings.HasPrefix(text, r.Prefix) && (len(r.Hosts) == 0 || slices.Contains(r.Hosts, hostOf(text))) &&
		(r.Pattern == nil || r.Pattern.MatchString(text))
}

// booking gives the number of the appointment in a payload that matches.
func (r *Rule) booking(text string) string {
	if r.Pattern != nil {
		if i := r.Pattern.SubexpIndex(groupBooking); i > 0 {
			return r.Pattern.FindStringSubmatch(text)[i]
		}
	}
	return text
}

// match gives the first rule that knows a payload.
func match(rules []Rule, text string) (*Rule, bool) {
	for i := range rules {
		if rules[i].matches(text) {
			return &rules[i], true
		}
	}
	return nil, false
}

// hostOf gives the host of a web address without its port, or "" for what is none.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// isIDNumber reports whether text is a citizen's identity number by its form, its date and its check character
// (GB 11643-1999: ISO 7064 MOD 11-2).
func isIDNumber(text string) bool {
	if len(text) != 18 {
		return false
	}
	const check = "10X98765432"
	sum, weight := 0, 1<<17
	for i := range 17 {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
		sum += int(text[i]-'0') * (weight % 11)
		weight >>= 1
	}
	if last := text[17]; last != check[sum%11] && (last != 'x' || check[sum%11] != 'X') {
		return false
	}
	_, err := time.Parse("20060102", text[6:14])
	return err == nil
}

// isCreditCode reports whether text is a unified social credit code by its form and its check character (GB 32100-2015: ISO 7064
// MOD 31-3 over an alphabet without I, O, S, V and Z).
func isCreditCode(text string) bool {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	if len(text) != 18 {
		return false
	}
	sum, weight := 0, 1
	for i := range 17 {
		value := strings.IndexByte(alphabet, text[i])
		if value < 0 {
			return false
		}
		sum += value * weight
		weight = weight * 3 % 31
	}
	return text[17] == alphabet[(31-sum%31)%31]
}
