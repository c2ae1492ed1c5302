// Package leak gives a test that seeds a whole hall with people who do not exist, and looks for them in everything the programs leave behind.
package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// seed is something of a person that nobody may find again.
type seed struct {
	text  string
	forms map[string][]byte // what to look for, by what it is
}

// newSeed makes a seed with all the forms in which a program could write its text.
func newSeed(text string) seed {
	s := seed{text: text, forms: map[string][]byte{"UTF-8": []byte(text), "URL": []byte(url.QueryEscape(text))}}
	for name, enc := range map[string]interface{ String(string) (string, error) }{
		"GBK": simplifiedchinese.GBK.NewEncoder(), "GB18030": simplifiedchinese.GB18030.NewEncoder(),
	} {
		if coded, err := enc.String(text); err == nil {
			s.add(name, []byte(coded))
		}
	}
	var wide []byte
	escaped := ""
	for _, u := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(u), byte(u>>8))
		if u < 0x80 {
			escaped += string(rune(u))
		} else {
			escaped += fmt.Sprintf(`\u%04x`, u)
		}
	}
	s.add("UTF-16", wide)
	s.forms["escaped"], s.forms["Escaped"] = []byte(escaped), []byte(strings.ReplaceAll(strings.ToUpper(escaped), `\U`, `\u`))
	quoted, _ := json.Marshal(text) // a text always has a JSON form
	s.forms["JSON"] = quoted[1 : len(quoted)-1]
	return s
}

// add takes bytes, and what they look like in hexadecimal and in base64 at each place that they may begin in a longer text.
func (s seed) add(name string, coded []byte) {
	s.forms[name] = coded
	for name, coded := range map[string][]byte{name: coded, "UTF-8": []byte(s.text)} {
		s.forms["hex of "+name] = []byte(hex.EncodeToString(coded))
		s.forms["HEX of "+name] = []byte(strings.ToUpper(hex.EncodeToString(coded)))
		for shift := range 3 {
			padded := append(make([]byte, shift), coded...)
			from, to := (shift*8+5)/6, len(padded)*8/6 // characters that depend on nothing before or behind
			for alphabet, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
				s.forms[fmt.Sprint(alphabet, " of ", name, " at ", shift)] = []byte(enc.EncodeToString(padded)[from:to])
			}
		}
	}
}

// in gives the form in which a seed is in data, or "".
func (s seed) in(data []byte) string {
	for name, form := range s.forms {
		if bytes.Contains(data, form) {
			return name
		}
	}
	return ""
}
