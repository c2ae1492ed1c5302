package ledstrip

import (
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/panel"
	"halledge/drivers/registry"
)

// blink is how long a blinking text is there, and then is not.
const blink = 500 * time.Millisecond

// line is what one row shows. Colour is the word for it, empty for strips that have one only.
type line struct {
	text   string
	colour string
	flash  bool
}

// look is how the rows of a frame's own lines appear.
type look int

const (
	steady   look = iota
	flashing      // the strip itself makes them flash
	dark          // they are not there
)

// face is how a strip looks.
type face struct {
	rows     panel.Rows
	colour   string
	colours  panel.PerScene
	flash    string // strip, blink or none
	flashFor time.Duration

	values  map[string]int64 // of colours by word; nil: the strip has one only
	flashes map[string]int64 // on and off; nil: it cannot flash by itself
}

func readFace(o *registry.Options) face {
	f := face{
		rows: panel.Rows{
			Count: o.Int("rows", 1, 1, 8), Cells: o.Int("cells", 8, 2, 128), Runs: o.OneOf("long", "cut", "cut", "runs") == "runs",
		},
		values:   values(o, "colour_values"),
		flashes:  values(o, "flash_values", "on", "off"),
		colour:   o.String("colour", ""),
		flashFor: o.Duration("flash_for", 4*time.Second, time.Second, time.Minute),
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
	if f.flash = o.OneOf("flash", usual, "strip", "blink", "none"); f.flash == "strip" && f.flashes == nil {
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

// picture draws a frame, and how it flashes. A running line draws the eye by itself, and would begin anew with each picture.
func (f *face) picture(frame device.Frame) panel.Picture[[]line] {
	out := panel.Picture[[]line]{Rest: f.lines(frame, steady)}
	for _, row := range f.rows.Fit(frame) {
		if row.Runs {
			return out
		}
	}
	switch {
	case frame.Flash && f.flash == "strip":
		out.Flash, out.Each = [][]line{f.lines(frame, flashing)}, f.flashFor
	case frame.Flash && f.flash == "blink":
		out.Each = blink
		for n := time.Duration(0); n < f.flashFor; n += 2 * blink {
			out.Flash = append(out.Flash, out.Rest, f.lines(frame, dark))
		}
	}
	return out
}

// lines gives a line for each row.
func (f *face) lines(frame device.Frame, as look) []line {
	out := f.blank()
	for i, row := range f.rows.Fit(frame) {
		switch {
		case row.More:
			out[i].text = row.Text
		case as != dark:
			out[i] = line{text: row.Text, colour: f.colours.Of(frame.Scene, f.colour), flash: as == flashing}
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
