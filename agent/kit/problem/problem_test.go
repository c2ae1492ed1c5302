package problem_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"halledge/agent/kit/problem"
)

const messages = `
window_closed:
  title: 窗口未开
  detail: "{window}号窗口还没有开窗。"
  advice: 请先点“开窗”。
ticket_state:
  title: 现在不能这样操作
`

func catalog(t *testing.T) *problem.Catalog {
	t.Helper()
	c, err := problem.ParseCatalog([]byte(messages))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWriteIsAProblemDocument(t *testing.T) {
	p := catalog(t).Problem(http.StatusConflict, "window_closed", map[string]string{"window": "3{x}"}).With("state", "closed")
	rec := httptest.NewRecorder()
	problem.Write(rec, p)
	if rec.Code != http.StatusConflict || rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, type %q", rec.Code, rec.Header().Get("Content-Type"))
	}
	if rec.Header().Get("Cache-Control") != "no-store" {
		t.Error("a problem may be cached")
	}
	var got map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "urn:halledge:problem:window_closed", "title": "窗口未开", "status": 409.0, "code": "window_closed",
		"detail": "3{x}号窗口还没有开窗。", "advice": "请先点“开窗”。", "state": "closed",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestExtraMembersNeverWin(t *testing.T) {
	p := problem.Problem{Status: 404, Code: "not_found", Extra: map[string]any{"code": "x", "status": 200, "advice": "x"}}
	if got := string(p.Body()); got != `{"code":"not_found","detail":"","status":404,"title":"","type":"urn:halledge:problem:not_found"}` {
		t.Error(got)
	}
}

func TestWithLeavesTheFirstAlone(t *testing.T) {
	a := problem.Problem{Code: "x"}.With("one", 1)
	b := a.With("two", 2)
	if len(a.Extra) != 1 || len(b.Extra) != 2 {
		t.Errorf("a %v, b %v", a.Extra, b.Extra)
	}
}

func TestBodyDropsWhatJSONCannotHold(t *testing.T) {
	p := problem.Problem{Status: 500, Code: "internal"}.With("bad", func() {})
	if got := string(p.Body()); !strings.Contains(got, `"code":"internal"`) {
		t.Error(got)
	}
}

func TestProblemIsAnError(t *testing.T) {
	var p problem.Problem
	if err := error(problem.Problem{Status: 409, Code: "window_busy"}); !errors.As(err, &p) || err.Error() != "409 window_busy" {
		t.Error(err)
	}
}

func TestCatalogTexts(t *testing.T) {
	c := catalog(t)
	if got := c.Say("window_closed", nil); got != "…号窗口还没有开窗。请先点“开窗”。" {
		t.Error(got)
	}
	if got, ok := c.Text("ticket_state", nil); !ok || got.Detail != "现在不能这样操作" {
		t.Error("a missing detail is not the title:", got)
	}
	if got, ok := c.Text("nobody", nil); ok || got.Title != "nobody" {
		t.Error("unknown code:", got, ok)
	}
	if got := c.Codes(); !slices.Equal(got, []string{"ticket_state", "window_closed"}) {
		t.Error(got)
	}
	if got := c.Args("window_closed"); !slices.Equal(got, []string{"window"}) {
		t.Error(got)
	}
}

func TestSentencesHoldOnlyWhatIsSeen(t *testing.T) {
	if got := problem.Plain("3 号\u3000窗口\u202e\u2066\u200b\x00\x1b[0m\r\n下一行"); got != "3 号 窗口\ufffd\ufffd\ufffd\ufffd\ufffd[0m  下一行" {
		t.Errorf("%q", got)
	}
	if got := catalog(t).Say("window_closed", map[string]string{"window": "3\u202e"}); got != "3\ufffd号窗口还没有开窗。请先点“开窗”。" {
		t.Errorf("%q", got)
	}
}

func TestParseCatalogRefusesFaults(t *testing.T) {
	for name, text := range map[string]string{
		"no title":     "a: {detail: x}",
		"unknown key":  "a: {title: x, titel: y}",
		"twice":        "a: {title: x}\na: {title: y}",
		"open brace":   "a: {title: '{x'}",
		"closed brace": "a: {title: 'x}'}",
		"empty name":   "a: {title: '{}'}",
		"no mapping":   "- a",
	} {
		if _, err := problem.ParseCatalog([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
