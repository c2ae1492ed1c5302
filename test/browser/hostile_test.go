package browser_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"halledge/firmware-protocols/hallsync"
	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// evils are what somebody writes where a name, a reason or a number belongs. Whatever of it ran would set window.ran, ask somebody
// else, leave an element behind or show 1337.
var evils = []string{
	`<img src=x onerror="window.ran=1">`, `"><svg onload="window.ran=1">`, `</script><script>window.ran=1</script>`, `javascript:window.ran=1`,
	`{{7*191}}${7*191}#{7*191}<%= 7*191 %>`, `' onmouseover='window.ran=1' x='`, "\" autofocus onfocus=\"window.ran=1", "\u202e\u2066倒着写\u2069\u202c", "一行\r\nSet-Cookie: x=1\r\n\r\n<x-evil>下一行",
	`<iframe src=https://elsewhere.example></iframe>`, `<base href=https://elsewhere.example>`, `<a href="javascript:window.ran=1">点</a>`, strings.Repeat("长", 400), strings.Repeat("W", 2000),
}

// ran says what of hostile texts has become more than text.
const ran = `(() => {
	const out = [];
	if (window.ran) out.push('a script ran');
	const odd = document.querySelectorAll('img[src="x"], svg[onload], [onerror], [onmouseover], [onfocus], script:not([src]):not([type="application/json"]), iframe, object, embed, base, a[href^="javascript:" i], x-evil');
	for (const e of odd) out.push(e.outerHTML.slice(0, 200));
	if (document.body.innerText.replaceAll('7*191', '').includes('1337')) out.push('a sum was done');
	for (const r of performance.getEntriesByType('resource')) if (!r.name.startsWith(location.origin) && !r.name.startsWith('data:') && !r.name.startsWith('blob:')) out.push(r.name);
	return out;
})()`

// harmless wants that nothing hostile on a page has run, and that it is drawn as pages are.
func harmless(t *testing.T, p *chrome.Page, what string) {
	t.Helper()
	for _, odd := range chrome.Eval[[]string](p, ran) {
		t.Errorf("%s: %s", what, odd)
	}
	for _, flaw := range p.Flaws() {
		if !strings.Contains(flaw, "beyond the right edge") { // what is too long goes on behind an ellipsis; the page is not wider for it
			t.Errorf("%s: %.300s", what, flaw)
		}
	}
}

// evil gives one of the hostile texts, another for each number.
func evil(n int) string { return evils[n%len(evils)] }

// short is what of a hostile text has room in an address.
func short(n int) string { return string([]rune(evil(n))[:min(len([]rune(evil(n))), 120)]) }

// hostileBox is a hall's box that somebody has taken over: it tells the centre whatever he likes.
func hostileBox(t *testing.T, broker, hall, password string) {
	t.Helper()
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetProtocolVersion(4).SetAutoReconnect(false).SetClientID(hall).SetUsername(hall).SetPassword(password))
	done := func(tok paho.Token) {
		t.Helper()
		if !tok.WaitTimeout(demo.Patience) || tok.Error() != nil {
			t.Fatal("the broker: ", tok.Error())
		}
	}
	done(client.Connect())
	t.Cleanup(func() { client.Disconnect(0) })
	acks := make(chan hallsync.Ack, 16)
	done(client.Subscribe(hallsync.Topic(hallsync.HallID(hall), "down/acks"), 1, func(_ paho.Client, m paho.Message) {
		var a hallsync.Ack
		if json.Unmarshal(m.Payload(), &a) == nil {
			acks <- a
		}
	}))
	say := func(leaf string, v any) {
		t.Helper()
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		done(client.Publish(hallsync.Topic(hallsync.HallID(hall), leaf), 1, leaf == hallsync.UpState, raw))
	}
	say(hallsync.UpHello, hallsync.Hello{Hall: hallsync.HallID(hall), Epoch: "e1", First: 1, Next: 1, Boot: "b1", ClockMS: time.Now().UnixMilli()})
	now := time.Now()
	report := hallsync.Report{Hall: hallsync.HallID(hall), Boot: "b1", Online: true, At: now, Version: evil(0), Name: evil(1), Profile: evil(2), Log: hallsync.LogStatus{Epoch: "e1", Last: 4}}
	for n := range evils {
		id := fmt.Sprint(n + 1)
		report.Queues = append(report.Queues, hallsync.QueueStatus{ID: hallsync.QueueID(id), Name: evil(n)})
		report.Windows = append(report.Windows, hallsync.WindowStatus{ID: hallsync.WindowID(id), Name: evil(n)})
		report.Devices = append(report.Devices, hallsync.DeviceStatus{Name: evil(n), Class: evil(n + 1), Model: evil(n + 2), State: "offline", Code: evil(n + 3), Advice: evil(n + 4), Identity: evil(n + 5), Since: now})
		report.Health = append(report.Health, hallsync.Condition{Code: evil(n), Subject: evil(n + 1), Severity: "error", Title: evil(n + 2), Advice: evil(n + 3), Since: now})
	}
	report.Cameras = []hallsync.CameraStatus{{Code: hall + "-CM001", Name: evil(0), State: "offline", Reason: evil(1), Codec: evil(2), Since: now}}
	say(hallsync.UpState, report)
	staff := hallsync.By{Kind: "staff", Staff: hallsync.StaffID(evil(0))}
	facts := []hallsync.Payload{hallsync.DayOpened{BusinessDay: now.Format(time.DateOnly)}}
	for n := range evils {
		id := fmt.Sprint(n + 1)
		facts = append(facts, hallsync.TicketTaken{Ticket: hallsync.TicketID("T" + id), Number: evil(n), BusinessDay: now.Format(time.DateOnly), Queue: hallsync.QueueID(id),
			Class: hallsync.Normal, Channel: hallsync.AtKiosk, Proof: hallsync.ProofNone},
			hallsync.WindowWasOpened{Window: hallsync.WindowID(id), By: staff},
			hallsync.TicketCalled{Ticket: hallsync.TicketID("T" + id), Number: evil(n), Queue: hallsync.QueueID(id), Window: hallsync.WindowID(id), How: "next", By: staff, Reason: evil(n)})
	}
	var batch hallsync.Batch
	for n, f := range facts {
		e, err := hallsync.NewEvent(hallsync.HallID(hall), "e1", hallsync.Seq(n+1), now, f)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		batch.Events = append(batch.Events, raw)
	}
	say(hallsync.UpEvents, batch)
	for deadline := time.After(demo.Patience); ; {
		select {
		case a := <-acks:
			if a.UpTo == hallsync.Seq(len(facts)) {
				return
			}
		case <-deadline:
			t.Fatal("the centre has not taken the facts")
		}
	}
}

// consoleSees is what of the hostile texts each page of the console shows, by the name of its route: nothing for those that show nothing that
// others wrote. A page that is not here fails.
var consoleSees = map[string][]string{
	"sign-in-return": nil, "sign-in": nil, "first": nil, "refused": nil, "lost": nil,
	"halls": {evils[0], evils[1]}, "hall": {evils[0], evils[1], evils[4]}, "hall-tickets": {evils[0], evils[4]},
	"cameras": {evils[0]}, "camera": {evils[0]}, "audit": {evils[0]}, "users": {evils[0]}, "account": {evils[0]},
	"notices": {evils[0]}, "notice-new": {evils[0]}, "notice": nil,
}

// Threat 19: whatever a box, a visitor or a colleague has called himself and his things, and whatever stands in an address, each page of
// the console shows it as it is written, and nothing of it runs.
func TestThreat19HostileNamesInTheCentre(t *testing.T) {
	t.Parallel()
	const hall, user = "449900000000001", "mallory"
	quoted := func(s string) string { // JSON is YAML
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	c := startCentre(t, nil, "  - {code: \""+hall+"\", name: "+quoted(evils[0])+", region: "+quoted(evils[4])+", password: 'PASSWORD', cameras: [{code: "+hall+"-CM001, name: "+quoted(evils[0])+", scene: 1}]}\n",
		"sign_in: {second_factor: \"off\"}\n")
	c.command(t, firstPassword, "user", "add", user, "--full-name", evils[0], "--role", "viewer,manager,maintainer,auditor,video,admin")
	hostileBox(t, c.mqtt, hall, firstPassword)
	p := c.open(t, "/sign-in?next="+url.QueryEscape("//elsewhere.example/"+evils[0]))
	p.Allow("404 (Not Found)")
	p.Allow("400 (Bad Request)")
	signInAs(p, evils[0], evils[1]) // a name that is none, which the audit notes somehow
	p.Sees("用户名或密码不对")
	harmless(t, p, "sign-in")
	signInAs(p, user, firstPassword)
	p.Sees("请先改成自己的密码")
	p.Fill("现在的密码", firstPassword)
	p.Fill("新密码", ownPassword)
	p.Fill("再输一遍新密码", ownPassword)
	p.Click("button", "修改密码")
	p.Has("button", "退出")
	if at := p.Address(); !strings.HasPrefix(at, c.url+"/") {
		t.Errorf("after the sign-in one is at %s", at)
	}

	type route struct{ Name, Path string }
	routes := chrome.Eval[[]route](p, `document.getElementById('app').__vue_app__.config.globalProperties.$router.getRoutes().filter((r) => r.name).map((r) => ({ Name: String(r.name), Path: r.path }))`)
	if len(routes) < 10 {
		t.Fatalf("only %v found: does the search still work?", routes)
	}
	query := url.Values{}
	for n, name := range []string{"q", "state", "severity", "page", "size", "sort", "next", "action", "user", "from", "to", "day", "queue", "window", "number", "hall", "live", "code", "error", "error_description"} {
		query.Set(name, short(n))
	}
	for _, r := range routes {
		shows, known := consoleSees[r.Name]
		if !known {
			t.Errorf("nobody has said what the page %s (%s) shows", r.Name, r.Path)
		}
		there := strings.NewReplacer(":rest(.*)*", "nothing", ":id", hall, ":hall", hall, ":code", hall+"-CM001", ":group", "hall").Replace(r.Path)
		if strings.Contains(there, ":") {
			t.Errorf("what belongs into %s?", r.Path)
		}
		p.Go(c.url + there)
		p.Sees(shows...)
		harmless(t, p, r.Name)
		if slices.Contains([]string{"sign-in", "sign-in-return"}, r.Name) {
			p.Go(c.url + there + "?" + query.Encode() + "#" + url.PathEscape(evils[0]))
			harmless(t, p, r.Name+" with a query")
			continue
		}
		p.Go(c.url + there + "?" + query.Encode() + "#" + url.PathEscape(evils[0]))
		p.Has("button", "退出")
		harmless(t, p, r.Name+" with a query")
		if there != r.Path {
			for _, n := range []int{0, 2, 3, 8, 13} {
				part := url.PathEscape(short(n))
				p.Go(c.url + strings.NewReplacer(":rest(.*)*", part, ":id", part, ":hall", part, ":code", part, ":group", part).Replace(r.Path))
				p.SeesAny("退出", "找不到这个地址") // what ends as the names of files do is none that is there
				harmless(t, p, fmt.Sprintf("%s of %.40q", r.Name, evil(n)))
			}
		}
	}
	if found := chrome.Eval[[]string](p, "(document.body.append(document.createElement('x-evil')), "+ran+")"); len(found) != 1 {
		t.Errorf("of a text that became an element the search finds %q", found)
	}
	if got := chrome.Eval[string](p, "document.cookie"); got != "" {
		t.Errorf("scripts can read the cookie %q", got)
	}
}
