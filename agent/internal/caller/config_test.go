package caller_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"halledge/agent/internal/caller"
	"halledge/agent/internal/caller/hotkey"
)

// write makes a configuration with its secrets beside it and gives its path.
func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"hall-caller.yaml": text, "token": "token-of-the-staff-1\n", "pin": "135790\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "hall-caller.yaml")
}

const head = "agent: http://127.0.0.1:8080\nwindow: \"3\"\n"

func TestTheKeysOfThePageAreTheUsualOnes(t *testing.T) {
	c, problems := caller.Load(write(t, head+"token: file:token\nkeys: {recall: Pause, pause: \"\"}\n"))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, b := range c.Keys.Bindings() {
		got = append(got, b.Verb+" "+b.Key.String())
	}
	usual := hotkey.Chord{Mods: hotkey.Defaults}.String()
	want := []string{"call-next " + usual + "F2", "recall Pause", "start " + usual + "F4", "finish " + usual + "F5", "pass " + usual + "F6", "hold " + usual + "F8"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if c.Token.Reveal() != "token-of-the-staff-1" {
		t.Error("the token was not read")
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"two verbs, one key": {head + "token: file:token\nkeys: {call-next: Ctrl+Shift+F9, pass: shift+ctrl+f9}\n", "$.keys.pass caller_key_twice"},
		"a usual key again":  {head + "token: file:token\nkeys: {open: " + (hotkey.Chord{Mods: hotkey.Defaults, Key: "F2"}).String() + "}\n", "$.keys.open caller_key_twice"},
		"no such key":        {head + "token: file:token\nkeys: {pass: Ctrl+F13}\n", "$.keys.pass caller_key_unknown"},
		"a letter":           {head + "token: file:token\nkeys: {pass: Shift+A}\n", "$.keys.pass caller_key_bare"},
		"of the system":      {head + "token: file:token\nkeys: {pass: Ctrl+Alt+F9}\n", "$.keys.pass caller_key_system"},
		"no such verb":       {head + "token: file:token\nkeys: {dance: F9}\n", "$.keys.dance config_unknown_key"},
		"no way in":          {head, "$.token caller_sign_in"},
		"two ways in":        {head + "token: file:token\nuser: \"1001\"\npin: file:pin\n", "$.token caller_sign_in"},
		"nobody's PIN":       {head + "pin: file:pin\n", "$.token caller_sign_in"},
		"a written token":    {head + "token: abc\n", "$.token config_secret_ref"},
		"an address":         {"agent: 127.0.0.1:8080\nwindow: \"3\"\ntoken: file:token\n", "$.agent caller_agent_url"},
		"a path":             {"agent: http://h/api\nwindow: \"3\"\ntoken: file:token\n", "$.agent caller_agent_url"},
		"a window":           {"agent: http://h\nwindow: 3/4\ntoken: file:token\n", "$.window caller_window"},
	} {
		_, problems := caller.Load(write(t, c.text))
		found := false
		for _, p := range problems {
			found = found || p.Path+" "+string(p.Code) == c.want
		}
		if !found || problems.Err() == nil {
			t.Errorf("%s: %v, want %s", name, problems, c.want)
		}
	}
	if _, problems := caller.Load(filepath.Join(t.TempDir(), "none.yaml")); problems.Err() == nil || !strings.Contains(string(problems[0].Code), "unreadable") {
		t.Errorf("%v", problems)
	}
}
