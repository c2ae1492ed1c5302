package ledpanel

import (
	"strings"

	"halledge/drivers/device"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/onbon"
)

// cellWidth is the width of a half-width character of the card's own 16-pixel font.
const cellWidth = 8

// stay is how long a page stands, in half seconds, before the next; a row has one page.
const stay = 10

// layout places lines of text on the panel.
type layout struct {
	width     int // pixels
	rows      int
	rowHeight int // pixels
	speed     byte
	colour    onbon.Colour
}

func readLayout(o *registry.Options) layout {
	l := layout{
		width:     o.Int("width", 128, 8, 4096),
		rows:      o.Int("rows", 1, 1, 8),
		rowHeight: o.Int("row_height", 16, 16, 128),
		speed:     byte(o.Int("speed", 4, 0, 24)),
	}
	if l.width%8 != 0 {
		o.Reject("width", "must be a multiple of 8")
	}
	switch o.OneOf("colour", "card", "card", "red", "green", "yellow") {
	case "red":
		l.colour = onbon.Red
	case "green":
		l.colour = onbon.Green
	case "yellow":
		l.colour = onbon.Yellow
	}
	return l
}

// lines puts a frame's lines on the rows: one each, and on the last row all that is left, so that nothing is lost.
func (l layout) lines(f device.Frame) []string {
	rows := make([]string, 0, l.rows)
	for _, line := range f.Lines {
		line = strings.Join(strings.Fields(line), " ")
		switch {
		case line == "":
		case len(rows) < l.rows:
			rows = append(rows, line)
		default:
			rows[l.rows-1] += "  " + line
		}
	}
	return rows
}

// update draws a frame. A line that is too long for its row runs through it; in a frame that shall draw the eye the others move in
// from below.
func (l layout) update(f device.Frame) onbon.Update {
	var u onbon.Update
	lines := l.lines(f)
	for row := range l.rows {
		if row >= len(lines) {
			u.Delete = append(u.Delete, byte(row))
			continue
		}
		a := onbon.Area{
			ID: byte(row), Y: row * l.rowHeight, Width: l.width, Height: l.rowHeight,
			Effect: onbon.Static, Stay: stay, Text: onbon.Text{S: lines[row], Colour: l.colour},
		}
		switch {
		case onbon.Cells(lines[row])*cellWidth > l.width:
			a.Effect, a.Speed, a.Stay = onbon.Left, l.speed, 0
		case f.Flash:
			a.Effect, a.Mode = onbon.Up, onbon.StayLast
		}
		u.Areas = append(u.Areas, a)
	}
	return u
}
