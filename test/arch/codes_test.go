package arch

import (
	"fmt"
	"go/constant"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"halledge/configs"
)

// codesInUse gives every constant of a type named Code (problem.Code, queue.Code, health.Code, …) and every device.Fault, with a
// place that uses it. Literals passed where a Code is wanted are constants of that type too. Codecs have codes of their own; they never
// reach people.
func codesInUse(m *module) map[string]string {
	used := map[string]string{}
	for _, p := range m.packages {
		if strings.HasPrefix(p.path(), "firmware-protocols/") && p.path() != "firmware-protocols/hallsync" {
			continue
		}
		for e, tv := range m.info[p].Types {
			named, ok := tv.Type.(*types.Named)
			if !ok || tv.Value == nil || tv.Value.Kind() != constant.String || named.Obj().Pkg() == nil {
				continue
			}
			pkg, isOurs := strings.CutPrefix(named.Obj().Pkg().Path(), modulePath)
			if !isOurs || strings.HasPrefix(pkg, "firmware-protocols/") && pkg != "firmware-protocols/hallsync" {
				continue
			}
			code := constant.StringVal(tv.Value)
			switch {
			case code == "":
				continue
			case pkg == "drivers/device" && named.Obj().Name() == "Code":
				code = "device_" + code
			case pkg == "firmware-protocols/hallsync" && named.Obj().Name() == "TicketState":
				code = "state_" + code
			case pkg == "drivers/device" && named.Obj().Name() == "Fault":
			case named.Obj().Name() != "Code":
				continue
			}
			used[code] = m.where(e.Pos())
		}
	}
	return used
}

type text struct{ Title, Detail, Advice, Staff string }

func messages(t *testing.T) map[string]text {
	t.Helper()
	var all map[string]text
	if err := yaml.UnmarshalWithOptions(configs.Messages(), &all, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryCodeHasASentence(t *testing.T) {
	said := messages(t)
	used := codesInUse(theModule(t))
	for _, code := range slices.Sorted(maps.Keys(used)) {
		if _, ok := said[code]; !ok {
			t.Errorf("%s: the code %s has no text in configs/messages/zh-CN.yaml", used[code], code)
		}
	}
	if len(used) < 50 {
		t.Errorf("only %d codes found: does the search still work?", len(used))
	}
	for _, code := range slices.Sorted(maps.Keys(said)) {
		if _, ok := used[code]; !ok {
			t.Errorf("nobody uses the text %s", code)
		}
	}
}

func TestSentencesAreForPeople(t *testing.T) {
	for code, m := range messages(t) {
		if m.Title == "" || len([]rune(m.Title)) > 40 {
			t.Errorf("%s: the title is empty or longer than 40 characters", code)
		}
		for _, s := range []string{m.Title, m.Detail, m.Advice, m.Staff} {
			if s == "" {
				continue
			}
			if !slices.ContainsFunc([]rune(s), func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff }) {
				t.Errorf("%s: %q is not Chinese", code, s)
			}
			if strings.Contains(s, "err") || strings.Contains(s, "nil") {
				t.Errorf("%s: %q speaks to programmers", code, s)
			}
		}
		if strings.HasPrefix(code, "device_") && (m.Advice == "" || m.Detail == "") {
			t.Errorf("%s: an installer needs advice", code)
		}
	}
}

// atWindows are the refusals of the queue that only those who work here meet: their one sentence is for them.
var atWindows = map[string]bool{
	"unknown_window": true, "class_invalid": true, "channel_invalid": true, "target_required": true, "reason_required": true,
	"window_closed": true, "window_busy": true, "window_not_entitled": true, "no_ticket": true, "ticket_other_window": true,
	"ticket_just_called": true, "recall_too_soon": true, "recall_limit": true, "person_required": true, "booking_invalid": true,
	"window_changed": true, "queue_waiting": true, "clock_far": true, "plan_changed": true,
}

// A refusal of the queue tells the citizen what to do, and those who work here what they can do for him.
func TestRefusalsSpeakToCitizenAndStaff(t *testing.T) {
	said, m, n := messages(t), theModule(t), 0
	for _, p := range m.packages {
		if p.path() != "agent/internal/queue" {
			continue
		}
		for _, defined := range m.info[p].Defs {
			c, ok := defined.(*types.Const)
			if !ok || !strings.HasSuffix(c.Type().String(), "/queue.Code") {
				continue
			}
			n++
			code := constant.StringVal(c.Val())
			text := said[code]
			if text.Detail == "" || text.Advice == "" {
				t.Errorf("%s: whoever is refused is not told what is so and what to do", code)
			}
			if !atWindows[code] && (text.Staff == "" || text.Staff == text.Detail) {
				t.Errorf("%s: staff are not told what they can do", code)
			}
		}
	}
	if n < 37 {
		t.Errorf("only %d refusals found: does the search still work?", n)
	}
}

func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	sources(t, []string{".md"}, func(path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(data), "\n") {
			for _, part := range strings.Split(line, "](")[1:] {
				link, _, closed := strings.Cut(part, ")")
				link, _, _ = strings.Cut(link, "#")
				if !closed || link == "" || strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
					continue
				}
				if _, err := os.Stat(filepath.Join(filepath.Dir(path), link)); err != nil {
					t.Errorf("%s: %s", fmt.Sprintf("%s:%d", relative(abs(t, path)), i+1), err)
				}
			}
		}
	})
}
