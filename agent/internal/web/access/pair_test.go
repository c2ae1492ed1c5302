package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/kit/problem"
)

// asks sends POST /pair for a page.
func asks(t *testing.T, c *http.Client, base, page string, header ...string) (*http.Response, pairAnswer) {
	t.Helper()
	res, body := ask(t, c, "POST", base+"/pair", `{"page":"`+page+`"}`, header...)
	var answer pairAnswer
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return res, answer
}

var operator = Who{Role: Ops, Credential: "token/ops//0123"}

func TestADeviceIsPaired(t *testing.T) {
	var lines bytes.Buffer
	o := options(t)
	o.Log = slog.New(slog.NewTextHandler(&lines, nil))
	d, srv := openWith(t, o)
	kiosk, thief := browser(t), browser(t)
	res, first := asks(t, kiosk, srv.URL, "kiosk-1")
	if !regexp.MustCompile(`^[2-9AC-HJKMNPQRTV-Y]{8}$`).MatchString(first.Code) || first.Seconds < 590 || first.Seconds > 600 || first.Page != "" {
		t.Fatalf("%+v", first)
	}
	cookie := res.Header.Get("Set-Cookie")
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Errorf("cookie %s", cookie)
	}
	if _, again := asks(t, kiosk, srv.URL, "kiosk-1"); again.Code != first.Code {
		t.Errorf("another code each time: %s, %s", first.Code, again.Code)
	}
	// It turns out to be the second kiosk.
	one, err := d.Approve(operator, " "+strings.ToLower(first.Code[:4])+"-"+first.Code[4:], "kiosk-2")
	if err != nil || one.Place != "kiosk-2" || one.By != "ops" || one.From != "127.0.0.1" {
		t.Fatalf("%+v, %v", one, err)
	}
	if _, err := d.Approve(operator, first.Code, "kiosk-1"); !refusedBy(err, PairCode) {
		t.Errorf("the code is good twice: %v", err)
	}
	if _, other := asks(t, thief, srv.URL, "kiosk-1"); other.Page != "" || other.Code == first.Code {
		t.Errorf("somebody else's browser: %+v", other)
	}
	if _, done := asks(t, kiosk, srv.URL, "kiosk-1"); done.Page != "kiosk-2" || done.Code != "" {
		t.Fatalf("%+v", done)
	}
	who := func(c *http.Client, base, page string) string {
		_, body := ask(t, c, "GET", base+"/who?as="+page, "")
		return body
	}
	for page, is := range map[string]string{"kiosk-2": "kiosk kiosk-2  ", "kiosk-1": "", "screen-2": "", "window-2": "", "ops": "", "desk": ""} {
		if got := who(kiosk, srv.URL, page); got != is {
			t.Errorf("at %s it is %q, want %q", page, got, is)
		}
	}

	// Nothing that lets anybody in is kept or told.
	raw, err := os.ReadFile(filepath.Join(o.Data, pairedFile))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(o.Data, pairedFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	_, secret, _ := strings.Cut(strings.Split(cookie, ";")[0], "=")
	for _, said := range []string{string(raw), lines.String()} {
		if strings.Contains(said, secret) || strings.Contains(said, first.Code) {
			t.Errorf("a secret is kept: %s", said)
		}
	}
	if !strings.Contains(lines.String(), "device paired") || !strings.Contains(lines.String(), "by=ops") {
		t.Errorf("log: %s", lines.String())
	}

	// It lives through a restart, until it is shut out.
	next, again := openWith(t, o)
	if who(kiosk, again.URL, "kiosk-2") != "kiosk kiosk-2  " {
		t.Error("a restart shuts the kiosk out")
	}
	gone := next.Revoked()
	if _, err := next.Revoke(operator, one.ID); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	default:
		t.Error("nobody is told that a device was shut out")
	}
	if got := who(kiosk, again.URL, "kiosk-2"); got != "" {
		t.Errorf("shut out, it is %q", got)
	}
	if _, err := next.Revoke(operator, one.ID); !refusedBy(err, PairUnknown) {
		t.Errorf("%v", err)
	}
	last, _ := openWith(t, o)
	if left, _ := last.Devices(); len(left) > 0 {
		t.Errorf("after a restart there is %+v", left)
	}
}

func refusedBy(err error, code problem.Code) bool {
	var known *PairError
	return errors.As(err, &known) && known.Code == code
}

// Only machines are paired, whoever asks and whatever was entered.
func TestACodeIsNoWayToTheStaffsPages(t *testing.T) {
	d, srv := open(t)
	kiosk := browser(t)
	_, got := asks(t, kiosk, srv.URL, "kiosk-1")
	for _, page := range []string{"ops", "board", "desk", "window-1", "staff", "staff-1", "ops-1", "kiosk", "kiosk-", "kiosk-1;x", "", "pair-kiosk-1"} {
		if res, _ := ask(t, kiosk, "POST", srv.URL+"/pair", `{"page":"`+page+`"}`); res.StatusCode != 400 {
			t.Errorf("asked for %q: %d", page, res.StatusCode)
		}
		if one, err := d.Approve(operator, got.Code, page); !refusedBy(err, PairPlace) {
			t.Errorf("paired as %q: %+v, %v", page, one, err)
		}
	}
	for _, body := range []string{"", "{", `{"page":"kiosk-1","code":"x"}`, `{"page":"` + strings.Repeat("x", 2000) + `"}`} {
		if res, _ := ask(t, kiosk, "POST", srv.URL+"/pair", body); res.StatusCode != 400 {
			t.Errorf("%.40s: %d", body, res.StatusCode)
		}
	}
	if res, _ := ask(t, kiosk, "POST", srv.URL+"/pair", `{"page":"kiosk-1"}`, "Origin", "http://evil.example"); res.StatusCode != 403 {
		t.Errorf("another site's page asks: %d", res.StatusCode)
	}
}

func TestCodesAreNotGuessed(t *testing.T) {
	d, srv := open(t)
	_, got := asks(t, browser(t), srv.URL, "kiosk-1")
	for i := range wrongCodes {
		if _, err := d.Approve(operator, fmt.Sprintf("WRNG222%d", i), "kiosk-1"); !refusedBy(err, PairCode) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if _, err := d.Approve(operator, got.Code, "kiosk-1"); !refusedBy(err, PairTries) {
		t.Errorf("after %d wrong codes: %v", wrongCodes, err)
	}
	if _, err := d.Approve(Who{Role: Manager, Staff: "m01", Credential: "staff/m01/ops"}, got.Code, "kiosk-1"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

// Whoever asks without end keeps nobody else from it for long, and fills nothing.
func TestFewMachinesWait(t *testing.T) {
	d, srv := open(t)
	full := 0
	for range maxWaitFrom + 2 {
		if res, _ := ask(t, browser(t), "POST", srv.URL+"/pair", `{"page":"kiosk-1"}`); res.StatusCode == 429 && res.Header.Get("Retry-After") != "" {
			full++
		}
	}
	if _, n := d.Devices(); n != maxWaitFrom || full != 2 {
		t.Errorf("%d wait, %d were sent away", n, full)
	}
	for i := range 2 * maxWaiting {
		d.pairs.begin(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32))
	}
	if _, n := d.Devices(); n != maxWaiting {
		t.Errorf("%d wait", n)
	}
}

func TestCodesEnd(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p, err := openPairs(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		answer, secret := p.begin(netip.Prefix{})
		time.Sleep(codeTime - time.Second)
		if now, known := p.ask(secret); !known || now.Code != answer.Code || now.Seconds != 1 {
			t.Errorf("%+v, %v", now, known)
		}
		time.Sleep(time.Second)
		if now, known := p.ask(secret); known {
			t.Errorf("past its time: %+v", now)
		}
		if _, waits := p.list(); waits != 0 {
			t.Errorf("%d wait", waits)
		}
	})
}

// A device that gives its secret out for another page's is not let in there.
func TestASecretIsOfOnePlace(t *testing.T) {
	d, _ := open(t)
	answer, secret := d.pairs.begin(netip.MustParsePrefix("10.0.0.1/32"))
	if _, err := d.Approve(operator, answer.Code, "screen-1"); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"screen-1", "screen-2", "kiosk-1", "rate-1", "window-1", "desk", "board", "ops", ""} {
		if who, err := d.pairs.find(secret, page); (err == nil) != (page == "screen-1") {
			t.Errorf("at %q: %+v, %v", page, who, err)
		}
	}
}

// When a device was there last is kept, without a write for every request.
func TestTheFileKnowsWhenADeviceWasThere(t *testing.T) {
	o := options(t)
	d, _ := openWith(t, o)
	answer, secret := d.pairs.begin(netip.MustParsePrefix("10.0.0.1/32"))
	if _, err := d.Approve(operator, answer.Code, "rate-1"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(o.Data, pairedFile)
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	who, err := d.pairs.find(secret, "rate-1")
	if err != nil || who.Role != Rater || who.Window != "1" || who.Place() != "rate-1" {
		t.Fatalf("%+v, %v", who, err)
	}
	after, err := os.Stat(file)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("written for a request: %v", err)
	}
	for _, x := range d.pairs.devices {
		x.kept = x.kept.Add(-seenEvery)
	}
	if _, err := d.pairs.find(secret, "rate-1"); err != nil {
		t.Fatal(err)
	}
	if after, err = os.Stat(file); err != nil || os.SameFile(before, after) {
		t.Errorf("not written after %v: %v", seenEvery, err)
	}
}

func TestAPairedFileThatIsBroken(t *testing.T) {
	for name, text := range map[string]string{"cut": `[{"id":"A"`, "null": `[null]`, "other": `{}`} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			file := filepath.Join(o.Data, pairedFile)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			d, srv := openWith(t, o)
			if list, _ := d.Devices(); len(list) > 0 {
				t.Errorf("%+v", list)
			}
			if kept, err := os.ReadFile(file + ".bad"); err != nil || string(kept) != text {
				t.Errorf("put aside: %q, %v", kept, err)
			}
			if _, answer := asks(t, browser(t), srv.URL, "screen-1"); answer.Code == "" {
				t.Errorf("%+v", answer)
			}
		})
	}
	o := options(t)
	by := `[{"id":"A","place":"ops","digest":"` + digest("secret") + `"}]`
	if err := os.WriteFile(filepath.Join(o.Data, pairedFile), []byte(by), 0o600); err != nil {
		t.Fatal(err)
	}
	d, _ := openWith(t, o)
	if who, err := d.pairs.find("secret", "ops"); err == nil {
		t.Errorf("a line written by hand lets in %+v", who)
	}
}

// What cannot be written down is not done.
func TestADiskThatIsFull(t *testing.T) {
	o := options(t)
	d, _ := openWith(t, o)
	answer, secret := d.pairs.begin(netip.MustParsePrefix("10.0.0.1/32"))
	one, err := d.Approve(operator, answer.Code, "screen-1")
	if err != nil {
		t.Fatal(err)
	}
	next, _ := d.pairs.begin(netip.MustParsePrefix("10.0.0.2/32"))
	d.pairs.file = filepath.Join(o.Data, "no", "such", "folder")
	if _, err := d.Approve(operator, next.Code, "screen-1"); err == nil || errors.As(err, new(*PairError)) {
		t.Errorf("%v", err)
	}
	if _, err := d.Revoke(operator, one.ID); err == nil || errors.As(err, new(*PairError)) {
		t.Errorf("%v", err)
	}
	if _, err := d.pairs.find(secret, "screen-1"); err != nil {
		t.Errorf("half shut out: %v", err)
	}
	if list, n := d.Devices(); len(list) != 1 || n != 1 {
		t.Errorf("%+v, %d", list, n)
	}
}
