package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/test/demo"
	"halledge/test/fakes/province"
)

// scanned is an answer about a code.
type scanned struct {
	Kind, Code, Identity, Detail, Served string
	Actions                              []string
	Ticket                               *demo.Ticket
	Waiting                              []string
}

// scan shows a code at the kiosk (or wherever the role stands) and wants a status.
func scan(t *testing.T, d *demo.Demo, role, payload string, want int) (a scanned) {
	t.Helper()
	d.Post(t, role, "/api/v1/scans", map[string]any{"payload": payload}, want).Into(t, &a)
	return a
}

func takeWith(t *testing.T, d *demo.Demo, identity, queue string, want int) (a struct{ Ticket demo.Ticket }) {
	t.Helper()
	body := map[string]any{"queue": queue, "channel": "kiosk", "identity": identity}
	d.Post(t, "kiosk", "/api/v1/tickets", body, want).Into(t, &a)
	return a
}

// takenFact waits for the fact of a ticket in the cloud.
func takenFact(t *testing.T, d *demo.Demo, ticket string) (p struct {
	Ticket, Proof, Person string
	Identity              string `json:"identity_state"`
}) {
	t.Helper()
	demo.Until(t, demo.Patience, "the fact in the cloud", func() error {
		for _, f := range inCloud(t, d) {
			if f.Kind == "ticket.taken" && json.Unmarshal(f.Payload, &p) == nil && p.Ticket == ticket {
				return nil
			}
		}
		return fmt.Errorf("no fact of %s", ticket)
	})
	return p
}

// A code goes hall → centre → province and back; it is worth one ticket, at one place, and nobody keeps it.
func TestACodeIsWorthOneTicket(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	const code, firm = "YSS-SIM-7301994417", "YSH-SIM-7301994418"
	first := scan(t, d, "kiosk", code, http.StatusOK)
	twice := scan(t, d, "kiosk", code, http.StatusOK) // the scanner read it twice
	if first.Kind != "yss_code" || first.Identity == "" || twice.Identity == "" {
		t.Fatalf("%+v %+v", first, twice)
	}
	ticket := takeWith(t, d, first.Identity, "A", http.StatusCreated).Ticket
	takeWith(t, d, twice.Identity, "B", http.StatusUnprocessableEntity)
	again := scan(t, d, "kiosk", code, http.StatusOK)
	if again.Ticket == nil || again.Ticket.ID != ticket.ID || again.Identity != "" {
		t.Errorf("the code gives %+v, not its ticket", again)
	}
	if other := scan(t, d, "staff", code, http.StatusConflict); other.Code != "code_used" {
		t.Errorf("elsewhere it gives %+v", other)
	}
	if fact := takenFact(t, d, ticket.ID); fact.Proof != "yss_code" || fact.Identity != "" || len(fact.Person) != 32 {
		t.Errorf("%+v", fact)
	}
	if a := scan(t, d, "kiosk", firm, http.StatusOK); a.Kind != "ysh_code" || a.Identity == "" {
		t.Errorf("%+v", a)
	}
	for payload, want := range map[string]string{
		"YSS-SIM-EXPIRED-1": "code_expired", "YSS-SIM-REFUSED-1": "code_refused", "YSS-SIM-NOBODY-1": "code_not_registered",
		"YSS-SIM-BARRED-1": "code_forbidden", "91650400761136527G": "code_uscc",
	} {
		if a := scan(t, d, "kiosk", payload, http.StatusUnprocessableEntity); a.Code != want || a.Detail == "" {
			t.Errorf("%s: %+v", payload, a)
		}
	}
	leftNowhere(t, d, code, firm, province.Number(code), province.Number(firm))
}

// leftNowhere searches everything the programs wrote, databases and logs, for what nobody may keep.
func leftNowhere(t *testing.T, d *demo.Demo, secrets ...string) {
	t.Helper()
	read := 0
	err := filepath.WalkDir(d.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(raw, []byte(s)) {
				t.Errorf("%s holds %s", path, s)
			}
		}
		if ext := filepath.Ext(path); ext == ".db" || ext == ".log" {
			read++
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if read < 3 {
		t.Errorf("only %d databases and logs found: does the search still work?", read)
	}
}

// When the province is slow a citizen waits a moment; when it is silent or wrong he may have a ticket all the same, and the window
// looks at his card.
func TestAProvinceThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	d.Sim(t, "province", "slow", "--delay", "100ms")
	if a := scan(t, d, "kiosk", "YSS-SIM-SLOW-1", http.StatusOK); a.Identity == "" {
		t.Fatalf("%+v", a)
	}
	for i, tc := range []struct{ mode, want string }{
		{"silent", "resolver_timeout"}, {"wrong", "resolver_offline"}, {"forged", "resolver_offline"}, {"down", "resolver_offline"},
	} {
		d.Sim(t, "province", tc.mode)
		code := fmt.Sprintf("YSS-SIM-830199441%d", i)
		a := scan(t, d, "kiosk", code, http.StatusServiceUnavailable)
		if a.Code != tc.want || a.Detail == "" || a.Identity == "" || strings.Join(a.Actions, " ") != "show_card take" {
			t.Fatalf("%s: %+v", tc.mode, a)
		}
		ticket := takeWith(t, d, a.Identity, "A", http.StatusCreated).Ticket
		if again := scan(t, d, "kiosk", code, http.StatusOK); again.Ticket == nil || again.Ticket.ID != ticket.ID {
			t.Errorf("%s: shown again it gives %+v", tc.mode, again)
		}
		if i == 0 {
			if fact := takenFact(t, d, ticket.ID); fact.Proof != "yss_code" || fact.Identity != "pending" || fact.Person != "" {
				t.Errorf("%+v", fact)
			}
		}
	}
	d.Sim(t, "stop", "cloud")
	a := scan(t, d, "kiosk", "YSS-SIM-8301994419", http.StatusServiceUnavailable)
	if a.Code != "resolver_offline" || a.Identity == "" {
		t.Errorf("without the centre: %+v", a)
	}
	d.Sim(t, "start", "cloud")
	d.Sim(t, "province", "good")
	demo.Until(t, demo.Patience, "the province again", func() error { // the breakers rest a while
		got, err := d.Do(d.Agent.URL, d.Agent.Tokens["kiosk"], http.MethodPost, "/api/v1/scans", map[string]any{"payload": "YSS-SIM-8301994420"}, nil)
		if err == nil && got.Status != http.StatusOK {
			err = fmt.Errorf("%d %s", got.Status, got.Body)
		}
		return err
	})
	leftNowhere(t, d, "83019944")
}

// 窗口亮码: at a window a code says whether its holder is the one who is served there.
func TestAWindowSeesWhoShowsACode(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	clerk := d.Agent.Staff[0]
	page := "window-" + clerk.Window
	in, err := d.Do(d.Agent.URL, "", http.MethodPost, "/sign-in", map[string]string{"user": clerk.User, "pin": clerk.PIN, "page": page}, nil)
	if err != nil || in.Status != http.StatusNoContent {
		t.Fatalf("%d %s %v", in.Status, in.Body, err)
	}
	cookie, _, _ := strings.Cut(in.Header.Get("Set-Cookie"), ";")
	show := func(payload string) (a scanned) {
		t.Helper()
		got, err := d.Do(d.Agent.URL, "", http.MethodPost, "/api/v1/scans?as="+page, map[string]any{"payload": payload}, map[string]string{"Cookie": cookie})
		if err != nil || got.Status != http.StatusOK {
			t.Fatalf("%d %s %v", got.Status, got.Body, err)
		}
		got.Into(t, &a)
		return a
	}
	identity := scan(t, d, "kiosk", "YSS-SIM-9401", http.StatusOK).Identity
	ticket := takeWith(t, d, identity, "A", http.StatusCreated).Ticket
	if a := show("YSS-SIM-9401.1"); a.Served != "" || len(a.Waiting) != 1 || a.Waiting[0] != ticket.ID {
		t.Errorf("before the call: %+v", a)
	}
	d.Verb(t, clerk.Window, "open", nil)
	d.Verb(t, clerk.Window, "call-next", nil)
	if a := show("YSS-SIM-9401.2"); a.Served != "same" || a.Kind != "yss_code" {
		t.Errorf("the one who was called: %+v", a)
	}
	if a := show("YSS-SIM-9402"); a.Served != "other" || len(a.Waiting) != 0 {
		t.Errorf("somebody else: %+v", a)
	}
	fresh := scan(t, d, "kiosk", "YSS-SIM-9401.3", http.StatusOK)
	var refused struct{ Code, Ticket string }
	body := map[string]any{"queue": "A", "channel": "kiosk", "identity": fresh.Identity}
	d.Post(t, "kiosk", "/api/v1/tickets", body, http.StatusConflict).Into(t, &refused)
	if refused.Code != "already_waiting" || refused.Ticket != ticket.ID {
		t.Errorf("a second ticket for one thing: %+v", refused)
	}
}

// New rules hold at once; a broken file changes nothing and says where it is broken.
func TestRulesOfCodesChangeWhileTheHallWorks(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	file := filepath.Join(filepath.Dir(d.Agent.Config), "codes.yaml")
	write := func(text string) {
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	condition := func() string {
		var h demo.Hall
		d.Get(t, "staff", "/api/v1/hall").Into(t, &h)
		for _, c := range h.Health {
			if c.Code == "code_rules_bad" {
				return c.Advice
			}
		}
		return ""
	}
	if a := scan(t, d, "kiosk", "PAY-1", http.StatusUnprocessableEntity); a.Code != "scan_unknown" {
		t.Fatalf("%+v", a)
	}
	write("schema: 1\nrules:\n  - {kind: foreign, prefix: PAY-}\n  - {kind: yss_code, prefix: YSS-SIM-}\n")
	demo.Until(t, demo.Patience, "the new rule", func() error {
		if a := scan(t, d, "kiosk", "PAY-1", http.StatusUnprocessableEntity); a.Code != "code_foreign" {
			return fmt.Errorf("%+v", a)
		}
		return nil
	})
	write("schema: 1\nrules:\n  - {kind: yss_code, pattern: '['}\n")
	demo.Until(t, demo.Patience, "the condition", func() error {
		if advice := condition(); !strings.Contains(advice, "codes.yaml:3:31") {
			return fmt.Errorf("it says %q", advice)
		}
		return nil
	})
	if out, err := d.Run("hall-agent", "check", "--config", d.Agent.Config); err == nil || !strings.Contains(out, "codes.yaml:3:31") {
		t.Errorf("check says %q, %v", out, err)
	}
	if a := scan(t, d, "kiosk", "PAY-1", http.StatusUnprocessableEntity); a.Code != "code_foreign" {
		t.Errorf("a broken file changed the rules: %+v", a)
	}
	write("schema: 1\nrules: []\n")
	demo.Until(t, demo.Patience, "the mended file", func() error {
		if advice := condition(); advice != "" {
			return fmt.Errorf("it says %q", advice)
		}
		return nil
	})
}
