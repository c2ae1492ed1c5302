package ledstrip

import (
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/panel"
	"halledge/drivers/registry"
)

// line is what one row shows. Colour is the word for it, empty for strips that have one only.
type line struct {
	text   string
	colour string
	flash  bool
}

// face is how a strip looks.
type face struct {
	rows    panel.Rows
	colour  string
	colours panel.PerScene
	flash   panel.Flash // lively: the strip itself makes them flash

	values  map[string]int64 // of colours by word; nil: the strip has one only
	flashes map[string]int64 // on and off; nil: it cannot flash by itself
}

func readFace(o *registry.Options) face {
	f := face{
		rows: panel.Rows{
			Count: o.Int("rows", 1, 1, 8), Cells: o.Int("cells", 8, 2, 128), Runs: o.OneOf("long", "cut", "cut", "runs") == "runs",
		},
		values:  values(o, "colour_values"),
		flashes: values(o, "flash_values", "on", "off"),
		colour:  o.String("colour", ""),
	}
	var words []string
	for word := range f.values {
		words = append(words, word)
	}
	var err error
	if f.colours, err = panel.ParsePerScene(o.String("colours", ""), words); err != nil {
		o.Reject("colours", err.Error())
	}
	if _, known := f.values[f.colour]; known != (f.values != nil || f.colour != "") {
		o.Reject("colour", "must be one of colour_values")
	}
	usual := "blink"
	if f.flashes != nil {
		usual = "strip"
	}
	f.flash = panel.FlashOf(o.OneOf("flash", usual, "strip", "blink", "none"), o.Duration("flash_for", 4*time.Second, time.Second, time.Minute))
	if f.flash.Look == panel.Lively && f.flashes == nil {
		o.Reject("flash", "flash_values must say how the strip does it")
	}
	return f
}

// values reads numbers by name, such as "red=0x31 green=0x32"; nil when there are none. If names are given, all of them must be there
// and no others.
func values(o *registry.Options, key string, names ...string) map[string]int64 {
	text := o.String(key, "")
	if text == "" {
		return nil
	}
	out := map[string]int64{}
	for _, part := range strings.Fields(text) {
		name, number, _ := strings.Cut(part, "=")
		n, err := parseNumber(number)
		if _, twice := out[name]; err != nil || twice || name == "" {
			o.Reject(key, part+": want a name, =, and a number from 0 to 0xFFFF, each name once")
			return nil
		}
		out[name] = n
	}
	for _, name := range names {
		if _, ok := out[name]; !ok || len(out) != len(names) {
			o.Reject(key, "must give "+strings.Join(names, " and "))
			return nil
		}
	}
	return out
}

// lines gives a line for each row.
func (f *face) lines(frame device.Frame, as panel.Look) []line {
	out := f.blank()
	for i, row := range f.rows.Fit(frame) {
		switch {
		case row.More:
			out[i].text = row.Text
		case as != panel.Dark:
			out[i] = line{text: row.Text, colour: f.colours.Of(frame.Scene, f.colour), flash: as == panel.Lively}
		}
	}
	return out
}

func (f *face) blank() []line {
	out := make([]line, f.rows.Count)
	for i := range out {
		out[i].colour = f.colour
	}
	return out
}
