package ledstrip

import (
	"testing"

	"halledge/drivers/registry"
)

// A strip is known by the address in its template and, where it has more rows than one device shows, by its rows.
func TestStation(t *testing.T) {
	t.Parallel()
	const at, rows = "40 {address} {text} 0D", "40 {address} {row} {text} 0D"
	for name, c := range map[string]struct {
		options map[string]string
		want    registry.Station
		ok      bool
	}{
		"as it comes":    {map[string]string{"template": at}, registry.Station{Among: "strip " + at, Option: "address", Number: 1}, true},
		"with address":   {map[string]string{"template": at, "address": "7"}, registry.Station{Among: "strip " + at, Option: "address", Number: 7}, true},
		"lower rows":     {map[string]string{"template": rows, "rows": "2", "first_row": "3"}, registry.Station{Among: "strip " + rows, Option: "address", Number: 1, Part: "first_row", First: 3, Last: 4}, true},
		"none":           {map[string]string{"template": "{text} 0D", "address": "7"}, registry.Station{Among: "strip {text} 0D"}, true},
		"bad template":   {map[string]string{"template": "{"}, registry.Station{}, false},
		"without a word": {nil, registry.Station{}, false},
	} {
		if got, ok := Station(c.options); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}
