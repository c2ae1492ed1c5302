package codes

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"halledge/configs"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

func sampleRules(t testing.TB) []byte {
	t.Helper()
	data, err := fs.ReadFile(configs.FS(), "samples/codes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTheSampleKnowsWhatItSays(t *testing.T) {
	rules, problems := parseRules("codes.yaml", sampleRules(t))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	r := New(Options{Signer: signer(t), Rules: func() []Rule { return rules }, Resolver: None{}, Log: slog.New(slog.DiscardHandler)})
	for payload, want := range map[string]struct {
		kind    Kind
		booking hallsync.BookingID
		code    Code
	}{
		"AP20260108000045": {KindAppointment, "AP20260108000045", ""},
		"https://yy.example.cn/b?no=AP20260108000045":      {KindAppointment, "AP20260108000045", ""},
		"https://yy.example.cn/b?no=AP20260108000045&x=1":  {"", "", Unknown},
		"https://yy.example.cn.evil.cn/?no=AP202601080000": {"", "", Unknown},
		"https://yss.example.cn/c/1":                       {"", "", Unsupported}, // known: nobody to ask here
		"HTTPS://YSS.EXAMPLE.CN/C/1":                       {"", "", Unsupported}, // as keyboards write it
		"https://yss.example.cn:8443/c":                    {"", "", Unsupported},
		"https://user@yss.example.cn/c":                    {"", "", Unknown},
		"ftp://yss.example.cn/c":                           {"", "", Unknown},
		"https://evil.cn/yss.example.cn":                   {"", "", Unknown},
		"YSS-abcd-1234":                                    {"", "", Unsupported},
		"YSS-abcd 1234":                                    {"", "", Unknown},
		"YSH0001":                                          {"", "", Unsupported},
		"https://cun.example.cn/1":                         {"", "", Village},
		"281234567890123456":                               {"", "", Foreign},
		"991101199003070016":                               {KindIDNumber, "", ""},
		"91650400761136527G":                               {"", "", Credit},
		"11440100007483172Q":                               {"", "", Credit},
		"11440100007483172R":                               {"", "", Unknown},
	} {
		res, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret(payload))
		if codeOf(err) != want.code || res.Kind != want.kind || res.Booking != want.booking {
			t.Errorf("%s: %+v %v", payload, res, err)
		}
	}
}

// A number of a person must not be sent away because a rule is too wide.
func TestANumberIsNeverSentAway(t *testing.T) {
	far := &flaky{}
	r := New(Options{Signer: signer(t), Resolver: far, Log: slog.New(slog.DiscardHandler), Rules: func() []Rule {
		return []Rule{{Kind: KindYSS, Pattern: regexp.MustCompile(`\A[0-9A-Z]{18}\z`)}}
	}})
	for _, number := range []string{"991101199003070016", "91650400761136527G"} {
		if _, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret(number)); far.asked.Load() != 0 {
			t.Errorf("asked about %s: %v", number, err)
		}
	}
}

func TestFaultsOfRulesAreFoundWhereTheyAre(t *testing.T) {
	for name, tc := range map[string]struct{ rules, where, code string }{
		"no schema":     {"rules: []", "1:1", "config_schema_new"},
		"schema":        {"schema: 2\nrules: []", "1:9", "config_schema_new"},
		"kind":          {"schema: 1\nrules:\n  - kind: yys_code\n    prefix: Y", "3:11", "config_not_allowed"},
		"no kind":       {"schema: 1\nrules:\n  - prefix: Y", "3:5", "config_not_allowed"},
		"no condition":  {"schema: 1\nrules:\n  - kind: yss_code", "3:5", "config_missing"},
		"pattern":       {"schema: 1\nrules:\n  - kind: yss_code\n    pattern: '[0-9'", "4:14", "config_pattern"},
		"half a group":  {"schema: 1\nrules:\n  - kind: yss_code\n    pattern: 'a)|(b'", "4:14", "config_pattern"},
		"host":          {"schema: 1\nrules:\n  - kind: yss_code\n    hosts: [a.cn, 'b.cn/x']", "4:19", "config_address"},
		"long":          {"schema: 1\nrules:\n  - kind: yss_code\n    prefix: " + strings.Repeat("Y", maxPart+1), "4:13", "config_too_long"},
		"unknown":       {"schema: 1\nrules:\n  - kind: yss_code\n    prefix: Y\n    suffix: X", "5:5", "config_unknown_key"},
		"too many":      {"schema: 1\nrules:" + strings.Repeat("\n  - {kind: foreign, prefix: Y}", maxRules+1), "3:3", "config_out_of_range"},
		"no YAML":       {"schema: [", "1:9", "config_syntax"},
		"all of a file": {"schema: 1\nrules:\n  - kind: a\n    prefix: Y\n  - kind: yss_code\n    pattern: '('", "6:14", "config_pattern"},
	} {
		rules, problems := parseRules("codes.yaml", []byte(tc.rules))
		if problems.Err() == nil || rules != nil {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		last := problems[len(problems)-1]
		if last.Where() != "codes.yaml:"+tc.where || string(last.Code) != tc.code {
			t.Errorf("%s: %s %s", name, last.Where(), last.Code)
		}
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none.yaml"), t.TempDir()} {
		if _, _, problems := LoadRules(path); len(problems) != 1 || problems[0].Code != "config_unreadable" {
			t.Errorf("%v", problems)
		}
	}
}

// book opens a book over a file and runs it.
func book(t *testing.T, file, data string) *Book {
	t.Helper()
	b := OpenBook(file, data, SimRules(), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return b
}

func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func TestRulesChangeWhileTheHallWorks(t *testing.T) {
	dir := t.TempDir()
	file, data := filepath.Join(dir, "codes.yaml"), filepath.Join(dir, "data")
	rule := func(prefix string) string { return "schema: 1\nrules:\n  - {kind: yss_code, prefix: " + prefix + "}\n" }
	save(t, file, rule("A"))
	b := book(t, file, data)
	first := func() string {
		if r := b.Rules(); len(r) == 1+len(SimRules()) {
			return r[0].Prefix
		}
		return ""
	}
	if first() != "A" || b.Trouble() != "" {
		t.Fatalf("%+v %s", b.Rules(), b.Trouble())
	}
	save(t, file, rule("BB"))
	await.That(t, "the new rules", func() bool { return first() == "BB" })
	save(t, file, "schema: 1\nrules:\n  - {kind: yss_code, pattern: '('}\n")
	await.That(t, "the trouble", func() bool { return b.Trouble() == file+":3:31" })
	if first() != "BB" {
		t.Error("a broken file changed the rules")
	}
	if again := book(t, file, data); again.Rules()[0].Prefix != "BB" || again.Trouble() == "" {
		t.Errorf("after a restart: %+v %s", again.Rules(), again.Trouble())
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the missing file", func() bool { return b.Trouble() == file+":1:1" })
	save(t, file, rule("CCC"))
	await.That(t, "the mended file", func() bool { return first() == "CCC" && b.Trouble() == "" })
	if fresh := book(t, filepath.Join(dir, "none.yaml"), filepath.Join(dir, "empty")); len(fresh.Rules()) != 2 || fresh.Trouble() == "" {
		t.Errorf("%+v %s", fresh.Rules(), fresh.Trouble())
	}
	if none := book(t, "", data); len(none.Rules()) != 2 || none.Trouble() != "" {
		t.Errorf("%+v %s", none.Rules(), none.Trouble())
	}
}

func FuzzRules(f *testing.F) {
	f.Add(string(sampleRules(f)), "AP20260108000045")
	f.Add("schema: 1\nrules:\n  - {kind: appointment, pattern: '(?P<booking>x)?y'}", "y")
	f.Fuzz(func(t *testing.T, file, payload string) {
		rules, problems := parseRules("codes.yaml", []byte(file))
		if problems.Err() != nil && rules != nil {
			t.Fatal("rules of a bad file")
		}
		if r, found := match(rules, payload); found {
			if r.Pattern != nil && r.Pattern.FindString(payload) != payload {
				t.Fatalf("%q matches a part of %q", r.Pattern, payload)
			}
			if !strings.HasPrefix(payload, r.Prefix) || len(r.booking(payload)) > len(payload) {
				t.Fatalf("%+v took %q", r, payload)
			}
		}
	})
}
