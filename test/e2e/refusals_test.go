package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/test/demo"
)

// problem is an RFC 9457 answer.
type problem struct {
	Status                      int
	Code, Title, Detail, Advice string
	State                       string
}

// refused sends a request and wants a problem with a code and a Chinese sentence.
func refused(t *testing.T, d *demo.Demo, token, path string, body any, header map[string]string, status int, code string) problem {
	t.Helper()
	a, err := d.Do(d.Agent.URL, token, http.MethodPost, path, body, header)
	if err != nil {
		t.Fatal(err)
	}
	var p problem
	if a.Status != status || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("POST %s: %d %s, want %d\n%s", path, a.Status, a.Header.Get("Content-Type"), status, a.Body)
	}
	a.Into(t, &p)
	if p.Code != code || p.Status != status || !chinese(p.Detail) {
		t.Errorf("POST %s: %+v, want code %s and a Chinese sentence", path, p, code)
	}
	return p
}

func chinese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x4E00 && r <= 0x9FFF })
}

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	staff, kiosk := d.Agent.Tokens["staff"], d.Agent.Tokens["kiosk"]
	d.Verb(t, "1", "open", nil)
	before := d.Hall(t).Seq
	take := map[string]any{"queue": "A", "channel": "kiosk"}

	refused(t, d, "", "/api/v1/tickets", take, nil, 401, "sign_in")
	refused(t, d, "wrong", "/api/v1/tickets", take, nil, 401, "sign_in")
	refused(t, d, d.Agent.Tokens["screen"], "/api/v1/tickets", take, nil, 403, "not_allowed")
	refused(t, d, kiosk, "/api/v1/windows/1/open", map[string]any{}, nil, 403, "not_allowed")
	refused(t, d, kiosk, "/api/v1/tickets", take, map[string]string{"Idempotency-Key": ""}, 400, "idempotency_key_missing")
	refused(t, d, kiosk, "/api/v1/tickets", map[string]any{"queue": "Z", "channel": "kiosk"}, nil, 404, "unknown_queue")
	refused(t, d, kiosk, "/api/v1/tickets", []byte(`{"queue":`), nil, 400, "json_syntax")
	refused(t, d, kiosk, "/api/v1/tickets", []byte(`{"queue":"A","channel":"kiosk","number":"A001"}`), nil, 400, "field_unknown")
	refused(t, d, staff, "/api/v1/windows/9/call-next", map[string]any{}, nil, 404, "unknown_window")
	refused(t, d, staff, "/api/v1/windows/2/call-next", map[string]any{}, nil, 409, "window_closed")
	refused(t, d, staff, "/api/v1/windows/1/finish", map[string]any{"ticket": "nobody"}, nil, 404, "unknown_ticket")
	refused(t, d, kiosk, "/api/v1/scans", map[string]any{"payload": "what is this"}, nil, 422, "scan_unknown")
	if told := toldSince(t, d, before); len(told) > 0 {
		t.Errorf("refusals wrote %v", told)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	kiosk := d.Agent.Tokens["kiosk"]
	take := map[string]any{"queue": "A", "channel": "kiosk"}
	header := map[string]string{"Idempotency-Key": demo.Key()}
	send := func() demo.Answer {
		t.Helper()
		a, err := d.Do(d.Agent.URL, kiosk, http.MethodPost, "/api/v1/tickets", take, header)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, second := send(), send()
	if first.Status != http.StatusCreated || second.Status != first.Status || string(second.Body) != string(first.Body) {
		t.Errorf("answers differ: %d %s, %d %s", first.Status, first.Body, second.Status, second.Body)
	}
	if first.Header.Get("Idempotency-Replayed") != "" || second.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replayed: %q, %q", first.Header.Get("Idempotency-Replayed"), second.Header.Get("Idempotency-Replayed"))
	}
	refused(t, d, kiosk, "/api/v1/tickets", map[string]any{"queue": "B", "channel": "kiosk"}, header, 422, "idempotency_key_reused")
	if got := d.Hall(t).Queues[0].Waiting; got != 1 {
		t.Errorf("%d people wait", got)
	}
}

func TestIllegalTransitionSaysTheState(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	d.Verb(t, "1", "open", nil)
	d.Take(t, "A")
	d.Verb(t, "1", "call-next", nil)
	d.Verb(t, "1", "start", nil)
	if p := refused(t, d, d.Agent.Tokens["staff"], "/api/v1/windows/1/pass", map[string]any{}, nil, 409, "ticket_state"); p.State != "serving" {
		t.Errorf("state %q", p.State)
	}
	if p := refused(t, d, d.Agent.Tokens["staff"], "/api/v1/windows/1/pause", map[string]any{}, nil, 409, "window_busy"); p.Code == "" {
		t.Error("no code")
	}
}

func TestBrokenConfigurationNamesEveryProblem(t *testing.T) {
	bin := demo.Programs(t)
	d := &demo.Demo{Bin: bin}
	dir := t.TempDir()
	site := filepath.Join(dir, "agent.yaml")
	text := "schema: 1\nhall: {code: \"123\", name: x, profile: palace}\ndata: " + dir + "/data\nplan: hall.yaml\nweb: {listen: 127.0.0.1:0}\n" +
		"devices:\n  - {name: kiosk-1.printer, model: no-such-model, connect: {serial: /dev/null}}\n  - {name: nonsense, model: escpos-80, connct: {}}\n"
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hall.yaml"), []byte("schema: 1\nrevision: 1\nqueues: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"check", "run"} {
		out, err := d.Run("hall-agent", command, "--config", site)
		if code := exitCode(err); code != 2 {
			t.Errorf("%s: exit code %d, want 2\n%s", command, code, out)
		}
		for _, want := range []string{"agent.yaml:2:", "agent.yaml:8:", "123", "palace", "connct"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not name %q:\n%s", command, want, out)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "hall.db")); err == nil {
		t.Error("a broken configuration made a database")
	}
}

func TestWrongUsageEndsWithTwo(t *testing.T) {
	d := &demo.Demo{Bin: demo.Programs(t)}
	for _, line := range []string{
		"hall-agent nonsense", "hall-agent run --nonsense", "hall-agent test", "hall-cloud nonsense", "hall-cloud run --nonsense",
		"hall-sim nonsense", "hall-sim unplug", "hall-sim tap-card --nonsense",
	} {
		words := strings.Fields(line)
		out, err := d.Run(words[0], words[1:]...)
		if code := exitCode(err); code != 2 {
			t.Errorf("%s: exit code %d, want 2\n%s", line, code, out)
		}
	}
}

func TestDoctorNamesTheUnpluggedPrinter(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	doctor := func() (string, int) {
		out, err := d.Run("hall-agent", "doctor", "--config", d.Agent.Config)
		return out, exitCode(err)
	}
	demo.Until(t, demo.Patience, "an all-green doctor", func() error {
		if out, code := doctor(); code != 0 || strings.Contains(out, "!") {
			return fmt.Errorf("exit code %d\n%s", code, out)
		}
		return nil
	})
	d.Sim(t, "unplug", "kiosk-1.printer")
	demo.Until(t, demo.Patience, "the doctor names the printer", func() error {
		out, code := doctor()
		if code != 1 || !strings.Contains(out, "✗ 设备 kiosk-1.printer") || !strings.Contains(out, "→") {
			return fmt.Errorf("exit code %d\n%s", code, out)
		}
		return nil
	})
	d.Sim(t, "plug", "kiosk-1.printer")
	demo.Until(t, demo.Patience, "all green again", func() error {
		if out, code := doctor(); code != 0 {
			return fmt.Errorf("exit code %d\n%s", code, out)
		}
		return nil
	})
}
