package config_test

import (
	"reflect"
	"slices"
	"testing"

	"halledge/agent/internal/config"
)

// loaded gives the samples.
func loaded(t *testing.T) *config.Config {
	t.Helper()
	c, problems := config.Load(site(t))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return c
}

// Whatever a plan says survives being written by an edit that changes nothing.
func TestEditedKeepsWhatItDoesNotChange(t *testing.T) {
	c := loaded(t)
	text, problems, err := c.Edited(c.Plan.Editable())
	if err != nil || problems.Err() != nil {
		t.Fatal(err, problems)
	}
	next, problems := c.WithPlan("hall.yaml", text)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	want := c.Plan
	want.Revision++
	if !reflect.DeepEqual(next.Plan.Editable(), want.Editable()) || next.Plan.Revision != want.Revision {
		t.Errorf("got %+v, want %+v", next.Plan, want)
	}
	for i := range want.Queues {
		if got, want := next.Plan.OrderOf(next.Plan.Queues[i]), want.OrderOf(want.Queues[i]); !reflect.DeepEqual(got, want) {
			t.Errorf("order of queue %d is %+v, was %+v", i, got, want)
		}
		got, want := next.Plan.Queues[i].Admission, want.Queues[i].Admission
		got.Hours, want.Hours = nil, nil // compared above; no hours may be written as an empty list
		if !reflect.DeepEqual(got, want) {
			t.Errorf("admission of queue %d is %+v, was %+v", i, got, want)
		}
	}
	if got := next.Plan.Rules; got.CallGapS != want.Rules.CallGapS || got.MaxOpen != want.Rules.MaxOpen || !reflect.DeepEqual(got.Calendar, want.Rules.Calendar) {
		t.Errorf("rules are %+v, were %+v", got, want.Rules)
	}
	if !reflect.DeepEqual(next.Plan.Kiosks, want.Kiosks) || !reflect.DeepEqual(next.Plan.Staff, want.Staff) {
		t.Errorf("kiosks %+v, staff %+v", next.Plan.Kiosks, next.Plan.Staff)
	}
}

func TestEditedChangesAndIsChecked(t *testing.T) {
	c := loaded(t)
	e := c.Plan.Editable()
	e.Queues[0].Name, e.Queues[0].Quota = "综合受理（一楼）", 40
	e.Staff = append(e.Staff, config.StaffEdit{ID: "li", Name: "李示例", Role: "clerk", Windows: []string{"2"}, PIN: c.Plan.Staff[0].PIN})
	text, problems, err := c.Edited(e)
	if err != nil || problems.Err() != nil {
		t.Fatal(err, problems)
	}
	next, _ := c.WithPlan("hall.yaml", text)
	if q := next.Plan.Queues[0]; q.Name != "综合受理（一楼）" || q.Admission.Quota != 40 || q.Admission.Closing != c.Plan.Queues[0].Admission.Closing {
		t.Errorf("queue %+v", q)
	}
	if n := len(next.Plan.Staff); n != len(c.Plan.Staff)+1 || next.Plan.Staff[n-1].PIN == "" {
		t.Errorf("staff %+v", next.Plan.Staff)
	}
	e = c.Plan.Editable()
	e.Calendar.Holidays = append(e.Calendar.Holidays, "2026-09-24")
	text, problems, err = c.Edited(e)
	if err != nil || problems.Err() != nil {
		t.Fatal(err, problems)
	}
	days, _ := c.WithPlan("hall.yaml", text)
	if got := days.Plan.Rules.Calendar; !slices.Contains(got.Holidays, "2026-09-24") || len(got.Workdays) != len(c.Plan.Rules.Calendar.Workdays) {
		t.Errorf("calendar %+v", got)
	}
	e.Calendar = nil
	if text, _, err = c.Edited(e); err != nil {
		t.Fatal(err)
	}
	if same, _ := c.WithPlan("hall.yaml", text); !reflect.DeepEqual(same.Plan.Rules.Calendar, c.Plan.Rules.Calendar) {
		t.Errorf("calendar %+v, was %+v", same.Plan.Rules.Calendar, c.Plan.Rules.Calendar)
	}
	for name, spoil := range map[string]func(*config.Edit){
		"a queue twice":              func(e *config.Edit) { e.Queues = append(e.Queues, e.Queues[0]) },
		"no window":                  func(e *config.Edit) { e.Windows = nil },
		"an unknown queue":           func(e *config.Edit) { e.Windows[0].Queues = []string{"ZZ"} },
		"a day that is none":         func(e *config.Edit) { e.Calendar.Holidays = []string{"2026-02-30"} },
		"hours nobody understands":   func(e *config.Edit) { e.Queues[0].Hours = []string{"always"} },
		"somebody without a PIN":     func(e *config.Edit) { e.Staff = append(e.Staff, config.StaffEdit{ID: "x", Name: "无", Role: "clerk"}) },
		"a name with a line's end":   func(e *config.Edit) { e.Queues[0].Name = "a\nb" },
		"a role that does not exist": func(e *config.Edit) { e.Staff[0].Role = "king" },
	} {
		e := c.Plan.Editable()
		spoil(&e)
		if _, problems, err := c.Edited(e); err != nil || problems.Err() == nil {
			t.Errorf("%s is taken: %v", name, err)
		}
	}
}
