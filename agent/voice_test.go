package agent

import (
	"slices"
	"testing"

	"halledge/agent/internal/config"
)

func TestSpeakersCallForThePlaceTheyStandAt(t *testing.T) {
	plan := &config.Plan{Screens: []config.Screen{{ID: "1"}, {ID: "2", Windows: []string{"3", "4"}}}}
	for place, want := range map[config.Place][]string{
		{Kind: "hall"}: nil, {Kind: "window", ID: "7"}: {"7"}, {Kind: "screen", ID: "1"}: nil, {Kind: "screen", ID: "2"}: {"3", "4"}, {Kind: "desk", ID: "1"}: nil,
	} {
		if got := windowsOf(plan, place); !slices.Equal(got, want) {
			t.Errorf("%s calls for %q, want %q", place, got, want)
		}
	}
}
