package leak

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Whatever way somebody is written down in, he is found; and nobody else is.
func TestSeedsAreFoundInEveryForm(t *testing.T) {
	for _, text := range []string{"欧阳测试娜", "991101199003070016", "13900009911"} {
		s := newSeed(text)
		gbk, err := simplifiedchinese.GBK.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]string{"text": "名<" + text})
		if err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{
			text, "a" + text + "b", gbk, hex.EncodeToString([]byte("x" + text)), strings.ToUpper(hex.EncodeToString([]byte(gbk))), url.QueryEscape("名" + text), string(body),
			base64.StdEncoding.EncodeToString([]byte(text)), base64.StdEncoding.EncodeToString([]byte("a" + text + "z")), base64.URLEncoding.EncodeToString([]byte("ab" + gbk)),
		} {
			if s.in([]byte(hidden)) == "" {
				t.Errorf("%s is not found in %q", text, hidden)
			}
		}
		if form := s.in([]byte("欧阳测试 99110119900307001 1390000991 " + base64.StdEncoding.EncodeToString([]byte("测试")))); form != "" {
			t.Errorf("%s is found as %s where it is not", text, form)
		}
	}
}
