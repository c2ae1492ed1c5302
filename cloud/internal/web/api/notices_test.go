package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
	"halledge/firmware-protocols/hallsync"
)

// notice is what a browser publishes for the screens of hall A.
func notice(items string) string {
	return `{"halls":["` + string(hallA) + `"],"group":"hall","until":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `","items":[` + items + `]}`
}

func picture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 36))))
	return b.Bytes()
}

// says has hall A report what its screens show.
func (f *fixture) says(notices ...hallsync.NoticeStatus) {
	f.t.Helper()
	report, err := json.Marshal(hallsync.Report{Hall: hallA, Boot: "b1", Online: true, At: start, Notices: append([]hallsync.NoticeStatus{}, notices...)})
	must(f.t, err)
	must(f.t, f.board.Report(hallA, report))
}

func (f *fixture) notices(query string) []api.Notice {
	f.t.Helper()
	a := f.do(http.MethodGet, "/api/v1/notices"+query, "")
	var page api.Page[api.Notice]
	a.into(f.t, &page)
	return page.Items
}

func TestANoticeIsPublished(t *testing.T) {
	f := begin(t)
	if len(f.notices("")) != 0 {
		t.Error("there are notices before the first")
	}
	body := notice(`{"title":" 停电通知 ","text":"明天上午检修\n请下午来"},{"name":"海报.PNG","data":"` + base64.StdEncoding.EncodeToString(picture(t)) + `"}`)
	a := f.do(http.MethodPost, "/api/v1/notices", body)
	var done api.NoticePublished
	a.into(t, &done)
	if a.status != http.StatusCreated || done.Halls != 1 || len(done.NoScreen) != 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	list := f.notices("")
	if len(list) != 1 || list[0].Heading != "停电通知" || list[0].Items != 2 || list[0].State != "unknown" || list[0].Screens != nil || list[0].Actor != "demo" {
		t.Fatalf("%+v", list)
	}
	var d api.NoticeDetail
	f.do(http.MethodGet, "/api/v1/notices/"+string(hallA)+"/hall", "").into(t, &d)
	if len(d.Content) != 2 || d.Content[0].Text != "停电通知\n明天上午检修\n请下午来" || d.Content[1].Type != "image/png" || d.Content[1].Text != "" {
		t.Fatalf("%+v", d)
	}
	at := func(version int64, path string) answer {
		return f.do(http.MethodGet, fmt.Sprintf("/api/v1/notices/%s/hall/%d/%s", hallA, version, path), "")
	}
	if got := at(d.Version, d.Content[1].Path); got.status != http.StatusOK || !bytes.Equal(got.body, picture(t)) || got.header.Get("Content-Type") != "image/png" {
		t.Errorf("the picture: %d %s", got.status, got.header)
	}
	for _, no := range []answer{at(d.Version-1, d.Content[1].Path), at(d.Version, "03.png"), at(d.Version, "..%2f01.txt")} {
		if no.status != http.StatusNotFound || no.code(t) != "notice_unknown" {
			t.Errorf("%d %s", no.status, no.body)
		}
	}
	var lines api.Page[api.AuditLine]
	f.do(http.MethodGet, "/api/v1/audit?action=notice_publish", "", asAdmin).into(t, &lines)
	if l := lines.Items; len(l) != 1 || l[0].User != "demo" || l[0].By != "token" || l[0].Subject != string(hallA) || l[0].Remote == "" {
		t.Errorf("%+v", l)
	}
}

// The list tells how it is in the hall, by what the hall says itself.
func TestNoticesStandAsTheHallSays(t *testing.T) {
	f := begin(t)
	f.says(hallsync.NoticeStatus{Group: "hall", Screens: 2})
	f.do(http.MethodPost, "/api/v1/notices", notice(`{"title":"停电通知"}`))
	version := f.notices("")[0].Version
	for _, c := range []struct {
		want string
		is   hallsync.NoticeStatus
	}{
		{"pending", hallsync.NoticeStatus{Group: "hall", Screens: 2}},
		{"pending", hallsync.NoticeStatus{Group: "hall", Screens: 2, Shows: version - 1, Latest: version - 1}},
		{"waiting", hallsync.NoticeStatus{Group: "hall", Screens: 2, Latest: version}},
		{"showing", hallsync.NoticeStatus{Group: "hall", Screens: 2, Shows: version, Latest: version}},
		{"refused", hallsync.NoticeStatus{Group: "hall", Screens: 2, Shows: version - 1, Latest: version - 1, Code: "notice_refused"}},
		{"altered", hallsync.NoticeStatus{Group: "hall", Screens: 2, Latest: version, Code: "notice_altered"}},
		{"altered", hallsync.NoticeStatus{Group: "hall", Screens: 2, Shows: version, Latest: version, Code: "notice_altered"}}, // one of the screens
		{"no_screen", hallsync.NoticeStatus{Group: "hall", Latest: version, Shows: version}},
		{"no_screen", hallsync.NoticeStatus{Group: "gate", Screens: 1}},
	} {
		f.says(c.is)
		if n := f.notices("?state=" + c.want); len(n) != 1 || n[0].State != c.want || n[0].Shows == nil {
			t.Errorf("%+v: %+v, want %s", c.is, f.notices(""), c.want)
		}
	}
	f.says(hallsync.NoticeStatus{Group: "hall", Screens: 2, Shows: version, Latest: version})
	a := f.do(http.MethodPost, "/api/v1/notices/withdrawals", `{"halls":["`+string(hallA)+`"],"group":"hall"}`)
	var gone api.NoticeWithdrawn
	a.into(t, &gone)
	if n := f.notices(""); len(gone.Halls) != 1 || n[0].State != "withdrawing" || n[0].WithdrawnAt == nil {
		t.Errorf("%s, %+v", a.body, n)
	}
	f.says(hallsync.NoticeStatus{Group: "hall", Screens: 2})
	if n := f.notices(""); n[0].State != "withdrawn" {
		t.Errorf("%+v", n)
	}
	for query, want := range map[string]int{"?q=停电": 1, "?q=停水": 0, "?hall=" + string(hallB): 0, "?group=gate": 0, "?group=hall": 1} {
		if n := f.notices(query); len(n) != want {
			t.Errorf("%s: %+v", query, n)
		}
	}
	if bad := f.do(http.MethodGet, "/api/v1/notices?state=lost", ""); bad.status != http.StatusBadRequest {
		t.Errorf("%d", bad.status)
	}
}

// Who publishes for a group that no screen is of is told so, before and after.
func TestPublishersAreToldOfGroupsWithoutScreens(t *testing.T) {
	f := begin(t)
	f.says(hallsync.NoticeStatus{Group: "gate", Screens: 1}, hallsync.NoticeStatus{Group: "hall", Latest: 7})
	var groups api.NoticeGroups
	f.do(http.MethodGet, "/api/v1/notices/groups", "").into(t, &groups)
	if g := groups.Groups; len(g) != 1 || g[0].Group != "gate" || g[0].Screens != 1 || !slices.Equal(g[0].Halls, []hallsync.HallID{hallA}) || !slices.Equal(groups.Said, g[0].Halls) {
		t.Errorf("%+v", groups)
	}
	body := strings.Replace(notice(`{"title":"停电通知"}`), `["`, `["`+string(hallB)+`","`, 1)
	var done api.NoticePublished
	f.do(http.MethodPost, "/api/v1/notices", body).into(t, &done)
	if done.Halls != 2 || !slices.Equal(done.NoScreen, []hallsync.HallID{hallA}) { // of the other hall nobody knows
		t.Errorf("%+v", done)
	}
}

func TestWhatIsNotPublished(t *testing.T) {
	f := begin(t)
	text := `{"title":"停电通知"}`
	many := strings.Repeat(text+",", 12) + text
	for name, c := range map[string]struct {
		body, code string
		status     int
	}{
		"no halls":         {strings.Replace(notice(text), `["`+string(hallA)+`"]`, `[]`, 1), "notice_no_halls", 422},
		"an unknown hall":  {strings.Replace(notice(text), string(hallA), "440900000000009", 1), "hall_unknown", 404},
		"a bad group":      {strings.Replace(notice(text), `"group":"hall"`, `"group":"../x"`, 1), "notice_group", 422},
		"over already":     {strings.Replace(notice(text), `"until":"2`, `"until":"1`, 1), "notice_period", 422},
		"for ever":         {strings.Replace(notice(text), `"until":"2`, `"until":"3`, 1), "notice_period", 422},
		"over at once":     {strings.Replace(notice(text), `"group"`, `"from":"2999-01-01T00:00:00Z","group"`, 1), "notice_period", 422},
		"nothing":          {notice(``), "notice_items", 422},
		"too much":         {notice(many), "notice_items", 422},
		"no heading":       {notice(`{"text":"x"}`), "notice_item", 422},
		"two headings":     {notice(`{"title":"x\ny"}`), "notice_item", 422},
		"a text too long":  {notice(`{"title":"x","text":"` + strings.Repeat("长", 601) + `"}`), "notice_item", 422},
		"hidden letters":   {notice(`{"title":"x\u202ey"}`), "notice_item", 422},
		"a page":           {notice(`{"name":"x.html","data":"PHA+"}`), "notice_item", 422},
		"no picture":       {notice(`{"name":"x.png","data":"PHA+"}`), "notice_item", 422},
		"text and picture": {notice(`{"title":"x","name":"x.png","data":"PHA+"}`), "notice_item", 422},
		"something else":   {notice(`{"title":"x","url":"http://x"}`), "body_invalid", 400},
	} {
		if a := f.do(http.MethodPost, "/api/v1/notices", c.body); a.status != c.status || a.code(t) != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if len(f.notices("")) != 0 {
		t.Error("something was published")
	}
	for n := range 8 {
		if a := f.do(http.MethodPost, "/api/v1/notices", strings.Replace(notice(text), `"hall"`, fmt.Sprintf(`"g%d"`, n), 1)); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := f.do(http.MethodPost, "/api/v1/notices", notice(text)); a.status != 422 || a.code(t) != "notice_groups" {
		t.Errorf("a ninth group: %d %s", a.status, a.body)
	}
	large := `{"name":"x.png","data":"` + strings.Repeat("A", 25<<20) + `"}`
	if a := f.do(http.MethodPost, "/api/v1/notices", notice(large)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A manager of one county publishes there, and does not learn that there is another.
func TestNoticesKeepToTheScope(t *testing.T) {
	f := begin(t)
	must(t, f.st.Write(t.Context(), func(tx *store.Tx) error {
		u, _, err := tx.User("li")
		if err != nil {
			return err
		}
		u.Roles, u.Scope = rights.Roles{rights.Manager}, rights.Scope{string(hallB)}
		return tx.PutUser(u)
	}))
	f.do(http.MethodPost, "/api/v1/notices", notice(`{"title":"停电通知"}`))
	visit := f.browser()
	visit(http.MethodPost, "/api/v1/session", `{"user":"li","password":"right"}`)
	for path, body := range map[string]string{
		"/api/v1/notices": notice(`{"title":"插播"}`), "/api/v1/notices/withdrawals": `{"halls":["` + string(hallB) + `","` + string(hallA) + `"],"group":"hall"}`,
	} {
		if a := visit(http.MethodPost, path, body); a.status != http.StatusNotFound || a.code(t) != "hall_unknown" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	var page api.Page[api.Notice]
	visit(http.MethodGet, "/api/v1/notices", "").into(t, &page)
	if page.Total != 0 || len(f.notices("")) != 1 || f.notices("")[0].Heading != "停电通知" {
		t.Errorf("%+v", page)
	}
	if a := visit(http.MethodPost, "/api/v1/notices", strings.Replace(notice(`{"title":"停水通知"}`), string(hallA), string(hallB), 1)); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}
