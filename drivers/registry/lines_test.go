package registry_test

import (
	"strings"
	"testing"

	"halledge/drivers/registry"
)

// area is a station of a driver whose devices may be parts of one panel.
func area(options map[string]string) (registry.Station, bool) {
	s, ok := registry.Numbered("panel", "screen", 1)(options)
	switch options["rows"] {
	case "upper":
		s.Part, s.First, s.Last = "first_row", 0, 1
	case "lower":
		s.Part, s.First, s.Last = "first_row", 2, 3
	case "middle":
		s.Part, s.First, s.Last = "first_row", 1, 2
	}
	return s, ok
}

func TestLines(t *testing.T) {
	mute := func(map[string]string) (registry.Station, bool) { return registry.Station{Among: "mute"}, true }
	r := registry.New(map[string]registry.Driver{
		"line":  {New: newScanner},
		"pad":   {New: newScanner, Bus: true, Station: registry.Numbered("acme", "unit", 3)},
		"rater": {New: newScanner, Bus: true, Station: registry.Numbered("acme", "unit", 3)},
		"panel": {New: newScanner, Bus: true, Station: area},
		"mute":  {New: newScanner, Bus: true, Station: mute},
		"any":   {New: newScanner, Bus: true},
	})
	preset, plain := model("pad"), model("any")
	plain.Connect = registry.Line{}
	preset.Options = map[string]string{"unit": "7"}
	type options = map[string]string
	for name, c := range map[string]struct {
		first, second registry.Model
		one, two      options
		baud          int
		flow          string
		want          registry.Reason
		says          string
	}{
		"no bus":                 {first: model("line"), second: model("line"), want: registry.LineTaken, says: "/dev/a belongs to window-1.x"},
		"a bus and none":         {first: model("pad"), second: model("line"), want: registry.LineTaken},
		"another speed":          {first: model("any"), second: model("any"), baud: 9600, want: registry.LineSpeed, says: "speed"},
		"no flow, written out":   {first: plain, second: plain, flow: "none"},
		"another flow":           {first: plain, second: plain, flow: "rtscts", want: registry.LineSpeed},
		"no stations":            {first: model("any"), second: model("any")},
		"the driver's address":   {first: model("pad"), second: model("rater"), want: registry.SameNumber, says: "unit 3 on /dev/a"},
		"the model's address":    {first: preset, second: model("pad"), two: options{"unit": "0x7"}, want: registry.SameNumber},
		"the site's address":     {first: preset, second: model("pad"), one: options{"unit": "8"}, two: options{"unit": "7"}},
		"no number":              {first: model("pad"), second: model("pad"), one: options{"unit": "first"}, two: options{"unit": "first"}},
		"another protocol":       {first: model("pad"), second: model("panel"), one: options{"unit": "1"}},
		"a panel twice":          {first: model("panel"), second: model("panel"), want: registry.SameNumber, says: "screen 1"},
		"halves of a panel":      {first: model("panel"), second: model("panel"), one: options{"rows": "upper"}, two: options{"rows": "lower"}},
		"halves of two panels":   {first: model("panel"), second: model("panel"), one: options{"rows": "upper"}, two: options{"rows": "upper", "screen": "2"}},
		"halves that overlap":    {first: model("panel"), second: model("panel"), one: options{"rows": "upper"}, two: options{"rows": "middle"}, want: registry.SamePart, says: "parts 1 to 2"},
		"a panel and its half":   {first: model("panel"), second: model("panel"), two: options{"rows": "upper"}, want: registry.SameNumber},
		"no addresses at all":    {first: model("mute"), second: model("mute"), want: registry.NoNumber, says: "hears all"},
		"one without an address": {first: model("mute"), second: model("pad")},
	} {
		t.Run(name, func(t *testing.T) {
			var lines registry.Lines
			site := registry.Site{Name: "window-1.x", Connect: registry.Connect{Serial: "/dev/a"}, Options: c.one}
			if clash := lines.Add(r, c.first, site); clash != nil {
				t.Fatal(clash)
			}
			site = registry.Site{Name: "window-2.x", Connect: registry.Connect{Serial: "/dev/a", Baud: c.baud, Flow: c.flow}, Options: c.two}
			switch clash := lines.Add(r, c.second, site); {
			case c.want == "" && clash != nil:
				t.Errorf("got %v", clash)
			case c.want != "" && (clash == nil || clash.Reason != c.want || clash.Owner != "window-1.x" || !strings.Contains(clash.Error(), c.says)):
				t.Errorf("got %v, want %s", clash, c.want)
			}
			site.Connect.Serial = "/dev/b"
			if clash := lines.Add(r, c.second, site); clash != nil {
				t.Errorf("on another line: %v", clash)
			}
		})
	}
}
