package huidu

import (
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/panel"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/huidu"
)

// stay is that of the maker's demonstration.
const stay = 30

// colour is a colour by its word.
type colour struct {
	word string
	rgb  uint32
}

func colours() []colour {
	return []colour{
		{"red", 0xFF0000}, {"green", 0x00FF00}, {"yellow", 0xFFFF00}, {"blue", 0x0000FF}, {"white", 0xFFFFFF}, {"cyan", 0x00FFFF},
		{"purple", 0xFF00FF}, {"orange", 0xFF8000},
	}
}

func rgb(word string) uint32 {
	for _, c := range colours() {
		if c.word == word {
			return c.rgb
		}
	}
	return 0xFFFFFF
}

// layout places lines of text on the screen.
type layout struct {
	width     int // pixels
	rows      int
	rowHeight int // pixels
	size      int // of letters, in pixels
	font      string
	speed     int
	colour    string
	colours   panel.PerScene
	flash     panel.Flash // lively: they come in from below
}

func readLayout(o *registry.Options) layout {
	var words []string
	for _, c := range colours() {
		words = append(words, c.word)
	}
	l := layout{
		width:     o.Int("width", 128, 8, 4096),
		rows:      o.Int("rows", 2, 1, 8),
		rowHeight: o.Int("row_height", 32, 8, 1024),
		font:      o.String("font", "SimSun"),
		speed:     o.Int("speed", 4, 0, 20),
		colour:    o.OneOf("colour", "red", words...),
		flash:     panel.FlashOf(o.OneOf("flash", "move", "move", "blink", "none"), o.Duration("flash_for", 4*time.Second, time.Second, time.Minute)),
	}
	l.size = o.Int("size", min(l.rowHeight, 16), 8, 1024)
	if l.size > l.rowHeight {
		o.Reject("size", "is higher than a row")
	}
	if len(l.font) > 64 {
		o.Reject("font", "is longer than 64 bytes")
	}
	var err error
	if l.colours, err = panel.ParsePerScene(o.String("colours", ""), words); err != nil {
		o.Reject("colours", err.Error())
	}
	return l
}

func (l layout) fit(f device.Frame) []panel.Row {
	return panel.Rows{Count: l.rows, Cells: 2 * l.width / l.size, Runs: true}.Fit(f)
}

// picture draws a frame, and how it flashes.
func (l layout) picture(f device.Frame) (panel.Picture[huidu.Program], error) {
	return panel.Draw(f, l.fit(f), l.flash, func(as panel.Look) (huidu.Program, error) {
		p := l.program(f, as)
		return p, fits(p)
	})
}

// program draws a frame: every row has its area, and a row without text a space. A line that is too long for its row runs through it.
func (l layout) program(f device.Frame, as panel.Look) huidu.Program {
	var p huidu.Program
	rows := l.fit(f)
	for i := range l.rows {
		a := huidu.Area{
			Y: i * l.rowHeight, Width: l.width, Height: l.rowHeight, Text: " ", Font: l.font, Size: l.size, Colour: rgb(l.colour),
			Stay: stay, SingleLine: true,
		}
		if i < len(rows) {
			l.fill(&a, rows[i], f.Scene, as)
		}
		p.Areas = append(p.Areas, a)
	}
	return p
}

// fill puts a row of a frame into its area.
func (l layout) fill(a *huidu.Area, row panel.Row, scene device.Scene, as panel.Look) {
	if row.More || as != panel.Dark {
		a.Text = row.Text
	}
	if !row.More {
		a.Colour = rgb(l.colours.Of(scene, l.colour))
	}
	switch {
	case row.Runs:
		a.Effect, a.Speed = huidu.RunLeft, l.speed
	case as == panel.Lively && !row.More:
		a.Effect, a.Speed = huidu.MoveUp, l.speed
	}
}
