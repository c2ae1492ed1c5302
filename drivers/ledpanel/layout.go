package ledpanel

import (
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/panel"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/onbon"
)

// cellWidth is the width of a half-width character of the card's own 16-pixel font.
const cellWidth = 8

// stay is how long a page stands, in half seconds, before the next; a row has one page.
const stay = 10

// layout places lines of text on the panel.
type layout struct {
	x, y      int // pixels, of the first row
	width     int // pixels
	rows      int
	first     int  // area of the first row
	shared    bool // other devices have areas on this card
	rowHeight int  // pixels
	speed     byte
	colour    string
	colours   panel.PerScene
	flash     panel.Flash // lively: they come in from below
}

func readLayout(o *registry.Options) layout {
	words := []string{"card", "red", "green", "yellow"}
	l := layout{
		x:         o.Int("x", 0, 0, 4088),
		y:         o.Int("y", 0, 0, 4095),
		width:     o.Int("width", 128, 8, 4096),
		rows:      o.Int("rows", 1, 1, 8),
		rowHeight: o.Int("row_height", 16, 16, 128),
		first:     o.Int("first_area", 0, 0, 0xFF-8),
		shared:    o.Bool("shared", false),
		speed:     byte(o.Int("speed", 4, 0, 24)),
		colour:    o.OneOf("colour", "card", words...),
		flash:     panel.FlashOf(o.OneOf("flash", "move", "move", "blink", "none"), o.Duration("flash_for", 4*time.Second, time.Second, time.Minute)),
	}
	if l.width%8 != 0 {
		o.Reject("width", "must be a multiple of 8")
	}
	if l.x%8 != 0 {
		o.Reject("x", "must be a multiple of 8")
	}
	var err error
	if l.colours, err = panel.ParsePerScene(o.String("colours", ""), words); err != nil {
		o.Reject("colours", err.Error())
	}
	return l
}

func colourOf(word string) onbon.Colour {
	switch word {
	case "red":
		return onbon.Red
	case "green":
		return onbon.Green
	case "yellow":
		return onbon.Yellow
	}
	return onbon.DefaultColour
}

// picture draws a frame, and how it flashes.
func (l layout) picture(f device.Frame) (panel.Picture[onbon.Request], error) {
	return panel.Draw(f, l.fit(f), l.flash, func(as panel.Look) (onbon.Request, error) { return l.update(f, as).Request() })
}

// area is the card's number of a row.
func (l layout) area(row int) byte { return byte(l.first + row) }

// wipe empties the card, or what is ours of it.
func (l layout) wipe() onbon.Update {
	if !l.shared {
		return onbon.Update{DeleteAll: true}
	}
	var u onbon.Update
	for row := range l.rows {
		u.Delete = append(u.Delete, l.area(row))
	}
	return u
}

func (l layout) fit(f device.Frame) []panel.Row {
	return panel.Rows{Count: l.rows, Cells: l.width / cellWidth, Runs: true}.Fit(f)
}

// update draws a frame. A line that is too long for its row runs through it.
func (l layout) update(f device.Frame, as panel.Look) onbon.Update {
	var u onbon.Update
	rows := l.fit(f)
	for i := range l.rows {
		if i >= len(rows) || as == panel.Dark && !rows[i].More {
			u.Delete = append(u.Delete, l.area(i))
			continue
		}
		row, colour := rows[i], l.colours.Of(f.Scene, l.colour)
		if row.More {
			colour = l.colour
		}
		a := onbon.Area{
			ID: l.area(i), X: l.x, Y: l.y + i*l.rowHeight, Width: l.width, Height: l.rowHeight,
			Effect: onbon.Static, Stay: stay, Text: onbon.Text{S: row.Text, Colour: colourOf(colour)},
		}
		switch {
		case row.Runs:
			a.Effect, a.Speed, a.Stay = onbon.Left, l.speed, 0
		case as == panel.Lively && !row.More:
			a.Effect, a.Mode = onbon.Up, onbon.StayLast
		}
		u.Areas = append(u.Areas, a)
	}
	return u
}
