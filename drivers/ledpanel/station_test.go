package ledpanel

import (
	"testing"

	"halledge/drivers/registry"
)

// A card is one station, and one that is shared as many as it has areas.
func TestStation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options map[string]string
		want    registry.Station
		ok      bool
	}{
		"as it comes":  {nil, registry.Station{Among: "onbon", Option: "screen", Number: 1}, true},
		"numbered":     {map[string]string{"screen": "0x12", "rows": "2"}, registry.Station{Among: "onbon", Option: "screen", Number: 18}, true},
		"no number":    {map[string]string{"screen": "left"}, registry.Station{}, false},
		"shared":       {map[string]string{"shared": "true"}, registry.Station{Among: "onbon", Option: "screen", Number: 1, Part: "first_area"}, true},
		"second areas": {map[string]string{"shared": "true", "first_area": "8", "rows": "2"}, registry.Station{Among: "onbon", Option: "screen", Number: 1, Part: "first_area", First: 8, Last: 9}, true},
	} {
		if got, ok := Station(c.options); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}
