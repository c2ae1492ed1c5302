package agent

import (
	"testing"

	"halledge/agent/internal/config"
	"halledge/firmware-protocols/hallsync"
)

// A pad has digits only: those of somebody's number are enough while nobody else at the window has them.
func TestWhoseNumberItIs(t *testing.T) {
	a := &Agent{}
	a.plan.Store(&config.Plan{Staff: []config.Staff{
		{ID: "w018"}, {ID: "w020", Windows: []string{"2"}}, {ID: "x020", Windows: []string{"3"}}, {ID: "1001"}, {ID: "a7"}, {ID: "b7"}, {ID: "7"}, {ID: "a9"}, {ID: "b9"},
	}})
	for _, c := range []struct {
		window hallsync.WindowID
		number string
		want   hallsync.StaffID
	}{
		{"1", "018", "w018"}, {"1", "1001", "1001"}, {"2", "020", "w020"}, {"3", "020", "x020"}, {"1", "7", "7"},
		{"1", "020", ""}, {"1", "18", "w018"}, {"1", "0", ""}, {"1", "9", ""}, {"1", "", ""},
	} {
		if id, ok := a.staffBy(c.window, c.number); ok != (c.want != "") || ok && id != c.want {
			t.Errorf("%q at window %s is %q, %v; want %q", c.number, c.window, id, ok, c.want)
		}
	}
}
