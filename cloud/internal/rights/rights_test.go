package rights_test

import (
	"errors"
	"testing"

	"halledge/cloud/internal/rights"
	"halledge/firmware-protocols/hallsync"
)

// No role gives what belongs to another one: above all, who makes users neither sees pictures nor the audit by that.
func TestRolesGiveTheLeast(t *testing.T) {
	for role, want := range map[rights.Role]rights.Right{
		rights.Viewer:     rights.Halls | rights.Day | rights.Devices | rights.Cameras,
		rights.Clerk:      rights.Halls | rights.Day,
		rights.Manager:    rights.Halls | rights.Day | rights.People | rights.Devices | rights.Cameras | rights.Notices,
		rights.Maintainer: rights.Halls | rights.Devices | rights.Cameras | rights.Notices,
		rights.Auditor:    rights.Audit,
		rights.Video:      rights.Halls | rights.Cameras | rights.Watch,
		rights.Admin:      rights.Users,
		"boss":            0,
	} {
		var got rights.Right
		for bit := rights.Halls; bit <= rights.Notices; bit <<= 1 {
			if (rights.Roles{role}).May(bit) {
				got |= bit
			}
		}
		if got != want {
			t.Errorf("%s: %b, want %b", role, got, want)
		}
	}
	if (rights.Roles{rights.Auditor, rights.Admin}).May(rights.Watch) || !(rights.Roles{rights.Auditor, rights.Admin}).May(rights.Users|rights.Watch) {
		t.Error("roles do not add up")
	}
}

func TestRolesAreReadAndWritten(t *testing.T) {
	got, err := rights.ParseRoles("video,viewer,video")
	if err != nil || got.String() != "viewer,video" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := rights.ParseRoles(""); err != nil || len(got) != 0 || got.String() != "" {
		t.Errorf("none: %s, %v", got, err)
	}
	var unknown *rights.UnknownError
	if _, err := rights.ParseRoles("viewer,boss"); !errors.As(err, &unknown) || unknown.Name != "boss" {
		t.Error(err)
	}
	if e := rights.Earlier("admin"); e.String() != "viewer,manager,maintainer,auditor,video,admin" {
		t.Error(e)
	}
	if e := rights.Earlier(""); e.String() != "viewer,video" {
		t.Error(e)
	}
}

// A clerk is one of halls, by their whole codes: not of a region, and not of whatever hall is built there next.
func TestClerksAreOfHalls(t *testing.T) {
	for text, want := range map[string]bool{"": true, "440900000000001": true, "440900000000001,441000000000001": true, "4409": false, "all": false, "44090000000000": false, "440900000000001,4410": false} {
		s, err := rights.ParseScope(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := (rights.Roles{rights.Viewer, rights.Clerk}).Fit(s); got != want {
			t.Errorf("a clerk of %q: %t", text, got)
		}
		if !(rights.Roles{rights.Viewer, rights.Manager}).Fit(s) {
			t.Errorf("others of %q", text)
		}
	}
}

func TestScopes(t *testing.T) {
	const hall = hallsync.HallID("440900000000001")
	for text, want := range map[string]struct {
		written string
		covers  bool
	}{
		"all": {"all", true}, "": {"", false}, "4409": {"4409", true}, "4401,4409": {"4401,4409", true}, "4409,44,4410": {"44", true},
		"440900000000001": {"440900000000001", true}, "440900000000002": {"440900000000002", false}, "4401,all": {"all", true},
	} {
		s, err := rights.ParseScope(text)
		if err != nil || s.String() != want.written || s.Covers(hall) != want.covers {
			t.Errorf("%q: %q covers %t, %v", text, s, s.Covers(hall), err)
		}
	}
	for _, text := range []string{"4", "44a", "44 ", "4409000000000011", "*", "44%"} {
		var bad *rights.PrefixError
		if s, err := rights.ParseScope(text); !errors.As(err, &bad) {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
	for _, c := range []struct {
		in, out string
		within  bool
	}{{"4409", "44", true}, {"44", "4409", false}, {"4409,4401", "4409", false}, {"all", "44", false}, {"44", "all", true}, {"", "44", false}, {"", "all", true}, {"all", "all", true}} {
		in, _ := rights.ParseScope(c.in)
		out, _ := rights.ParseScope(c.out)
		if in.Within(out) != c.within {
			t.Errorf("%s within %s: %t", c.in, c.out, !c.within)
		}
	}
}
