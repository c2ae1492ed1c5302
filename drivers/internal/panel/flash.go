package panel

import (
	"slices"
	"time"

	"halledge/drivers/device"
)

// Look is how the rows of a frame's own lines appear.
type Look int

// The looks.
const (
	Plain  Look = iota
	Lively      // they move in, or the card itself makes them flash
	Dark        // they are not there
)

// blink is how long a blinking text is there, and then is not.
const blink = 500 * time.Millisecond

// Flash is how a new frame draws the eye for a time: Lively throughout, or Dark by turns. Plain does not.
type Flash struct {
	Look Look
	For  time.Duration
}

// FlashOf gives a flash by its word: none, blink, or whatever the card calls what it does itself.
func FlashOf(word string, long time.Duration) Flash {
	switch word {
	case "none":
		return Flash{}
	case "blink":
		return Flash{Dark, long}
	}
	return Flash{Lively, long}
}

// Draw draws a frame that comes to these rows, and how it flashes. A running line draws the eye by itself, and would begin anew with each
// picture. It fails as draw does.
func Draw[P any](f device.Frame, rows []Row, flash Flash, draw func(Look) (P, error)) (p Picture[P], err error) {
	if p.Rest, err = draw(Plain); err != nil || !f.Flash || flash.Look == Plain || slices.ContainsFunc(rows, func(r Row) bool { return r.Runs }) {
		return p, err
	}
	other, err := draw(flash.Look)
	if flash.Look == Lively {
		p.Flash, p.Each = []P{other}, flash.For
		return p, err
	}
	p.Each = blink
	for n := time.Duration(0); n < flash.For; n += 2 * blink {
		p.Flash = append(p.Flash, p.Rest, other)
	}
	return p, err
}
