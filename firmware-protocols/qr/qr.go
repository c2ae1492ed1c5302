// Package qr reads the codes that pictures show: QR codes (ISO/IEC 18004) and Code 128 (ISO/IEC 15417), as cameras see them on paper
// slips and on phones.
//
// Finding a code is ours: finders are looked for in the picture made black and white in several ways, a grid is laid over each three
// that may be a code's and bent until it fits, and modules are measured in grey. What a grid of modules says is gozxing's work.
package qr

import (
	"cmp"
	"image"
	"slices"
	"sync"
)

// Symbology is the kind of a code.
type Symbology string

// The kinds.
const (
	QR      Symbology = "qr_code"
	Code128 Symbology = "code_128"
)

// Code is one code of a picture.
type Code struct {
	Text      string
	Symbology Symbology
	Area      image.Rectangle // where it is, about; empty for bars
}

// Sight is what a picture shows.
type Sight struct {
	Codes []Code // the biggest first
	Shown bool   // there is a QR code, read or not
}

// longSide is the longest side of a picture, in pixels, that is looked at as it is. Bigger ones are halved: no camera shows codes so
// small in them that this loses one, and all looks take a quarter of the time.
const longSide = 2800

// shortSide is up to where the smallest codes that can be made out are looked at twice as big. In bigger pictures they come from a camera
// that shows them bigger, and the memory of a doubled one is that of a small machine.
const shortSide = 800

// Read reads the codes of a picture. more is asked from time to time whether there is time for another try; with nil all are made,
// which takes a second or more where there is no code.
func Read(img *image.Gray, more func() bool) Sight {
	if more == nil {
		more = func() bool { return true }
	}
	full := pictureOf(img)
	if full.w < 16 || full.h < 8 {
		return Sight{}
	}
	scale := 1.0
	for max(full.w, full.h) > longSide {
		full, scale = full.half(), scale/2
	}
	r := reading{more: more}
	for _, try := range tries(full, scale) {
		if !more() {
			break
		}
		if try(&r); len(r.sight.Codes) > 0 {
			break
		}
	}
	slices.SortStableFunc(r.sight.Codes, func(a, b Code) int {
		return b.Area.Dx()*b.Area.Dy() - a.Area.Dx()*a.Area.Dy()
	})
	return r.sight
}

// tries gives the ways to look at a picture, the likeliest and cheapest first. Bending grids takes longer than looking for flat ones.
func tries(full *picture, scale float64) []func(*reading) {
	// looked at more than once, and made when they are
	half, negative := sync.OnceValue(full.half), sync.OnceValue(full.inverted)
	far := wide(full)
	return []func(*reading){
		func(r *reading) { r.qr(full, far, scale) },
		func(r *reading) { r.qr(half(), wide(half()), scale/2) },
		func(r *reading) { r.qr(half(), narrow, scale/2) },
		func(r *reading) { r.bars(full) },
		func(r *reading) { r.bend() },
		func(r *reading) { r.qr(full.soft(1), far, scale) },
		func(r *reading) { r.qr(full, narrow, scale) },
		func(r *reading) { r.qr(negative(), far, scale) },
		func(r *reading) { r.bend() },
		func(r *reading) {
			if max(full.w, full.h) <= shortSide {
				r.qr(full.twice(), far, scale*2)
			}
		},
		func(r *reading) { r.qr(full, 0, scale) },
		func(r *reading) { r.qr(half(), 0, scale/2) },
		func(r *reading) { r.qr(full.sharp(4), narrow, scale) },
		func(r *reading) { r.qr(negative(), narrow, scale) },
		func(r *reading) { r.bend() },
	}
}

// narrow is how far a pixel is compared with others, in pixels, where modules are small; wide where they may be big.
const narrow = 12

func wide(p *picture) int { return max(16, min(p.w, p.h)/16) }

// reading is what one picture came to until now.
type reading struct {
	more   func() bool
	sight  Sight
	unread []candidate // grids that look like codes
}

// candidate is a grid that may be a code's, if it is bent.
type candidate struct {
	*grid
	scale float64
	worth float64 // how much it looks like a code's, less what speaks against its finders
	bent  bool
}

// threes is how many threes of finders are tried in one view of a picture.
const threes = 8

// qr looks for flat QR codes in a view of the picture. radius is how far a pixel is compared with those around it, 0: with all. scale
// says how big the view is beside the picture that was given.
func (r *reading) qr(p *picture, radius int, scale float64) {
	if p.w < 21 || p.h < 21 {
		return
	}
	var b *binary
	if radius > 0 {
		b = p.local(p.sums(), radius)
	} else {
		b = p.global()
	}
	var used []finder
	for i, t := range triples(b.finders()) {
		if i >= threes || !r.more() {
			break
		}
		if slices.ContainsFunc(used, func(f finder) bool { return f == t.corner || f == t.right || f == t.below }) {
			continue
		}
		if r.read(p, t, i == 0, scale) {
			used = append(used, t.corner, t.right, t.below)
		}
	}
}

// flats is how many grids of three finders are read as they are.
const flats = 3

// read reads the code that three finders belong to. Where there is none it keeps the grids that may be bent to one; surest says that no
// other three finders are likelier to be a code's.
func (r *reading) read(p *picture, t triple, surest bool, scale float64) bool {
	for i, l := range p.grids(t) {
		flat := i < flats && l.timing > 0.5
		if !flat && !surest {
			break
		}
		m := l.sample()
		looks := m.looks(m.limits(6))
		if flat && looks >= hopeful {
			l.align()
			text, like, ok := l.sample().text()
			if ok {
				r.add(Code{Text: text, Symbology: QR, Area: l.area(scale)})
				return true
			}
			looks = max(looks, like)
		}
		r.sight.Shown = r.sight.Shown || looks >= likely
		if looks >= hopeful {
			r.keep(candidate{grid: l.grid, scale: scale, worth: looks - t.bad/10})
		}
	}
	return false
}

// keep keeps a grid to be bent, of several that lie on the same finders the one that looks best.
func (r *reading) keep(c candidate) {
	i := slices.IndexFunc(r.unread, c.same)
	switch {
	case i < 0:
		r.unread = append(r.unread, c)
	case r.unread[i].bent:
	case r.unread[i].worth < c.worth:
		r.unread[i] = c
	}
}

// same reports whether two grids of one view have the same size and lie on the same finders.
func (c candidate) same(d candidate) bool {
	if c.dim != d.dim || c.p != d.p {
		return false
	}
	near := c.module()
	for i, q := range c.centres {
		if q.minus(d.centres[i]).length() > near {
			return false
		}
	}
	return true
}

// bends is how many grids are bent at most before other views are looked at.
const bends = 6

// bend bends the grids that were not read, those first that look most like codes.
func (r *reading) bend() {
	slices.SortStableFunc(r.unread, func(a, b candidate) int { return cmp.Compare(b.worth, a.worth) })
	left := bends
	for i := range r.unread {
		g := &r.unread[i]
		if g.bent {
			continue
		}
		if left--; left < 0 || !r.more() {
			return
		}
		g.bent = true
		bending := g.bending()
		for _, move := range [3]float64{0.34, 0.45, 0.24} { // what leads one search astray does not lead another
			bending.straighten(move)
			text, looks, ok := g.sample().text()
			r.sight.Shown = r.sight.Shown || looks >= likely
			if ok {
				r.add(Code{Text: text, Symbology: QR, Area: g.area(g.scale)})
				return
			}
			if looks < sure || !r.more() {
				break
			}
		}
	}
}

func (r *reading) bars(p *picture) {
	if text, ok := p.bars(r.more); ok {
		r.add(Code{Text: text, Symbology: Code128})
	}
}

// add takes a code, once however often it was found.
func (r *reading) add(c Code) {
	r.sight.Shown = r.sight.Shown || c.Symbology == QR
	if !slices.ContainsFunc(r.sight.Codes, func(d Code) bool { return d.Text == c.Text }) {
		r.sight.Codes = append(r.sight.Codes, c)
	}
}

// area is where the grid is in the picture that was given, of whose size this view is a multiple.
func (g *grid) area(scale float64) image.Rectangle {
	var out image.Rectangle
	d := float64(g.dim)
	for _, c := range [4]point{{0, 0}, {d, 0}, {0, d}, {d, d}} {
		q := g.at(c.x, c.y).times(1 / scale)
		out = out.Union(image.Rect(int(q.x), int(q.y), int(q.x)+1, int(q.y)+1))
	}
	return out
}
