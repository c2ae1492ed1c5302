package codes

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"halledge/agent/internal/config"
)

// Rule says how one kind of foreign code looks. The first rule that matches decides. A payload is only compared, never opened.
type Rule struct {
	Kind    Kind
	Prefix  string         // the payload begins with it
	Pattern *regexp.Regexp // and the whole of it matches; nil: anything
}

func (r *Rule) matches(text string) bool {
	if !strings.HasPrefix(text, r.Prefix) {
		return false
	}
	return r.Pattern == nil || r.Pattern.FindString(text) == text
}

// FromConfig gives the rules and the resolver that the site's configuration, which is checked, asks for.
func FromConfig(c config.Codes) ([]Rule, Resolver, error) {
	var rules []Rule
	for i, cr := range c.Rules {
		rule := Rule{Kind: Kind(cr.Kind), Prefix: cr.Prefix}
		if cr.Pattern != "" {
			re, err := regexp.Compile(cr.Pattern)
			if err != nil {
				return nil, nil, fmt.Errorf("codes: rule %d: %w", i+1, err)
			}
			re.Longest()
			rule.Pattern = re
		}
		rules = append(rules, rule)
	}
	switch c.Resolver {
	case "sim":
		return append(rules, SimRules()...), Sim{}, nil
	case "", "none":
		return rules, None{}, nil
	}
	return nil, nil, fmt.Errorf("codes: unknown resolver %q", c.Resolver)
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
