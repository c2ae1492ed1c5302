package qr

import (
	"cmp"
	"math"
	"slices"
)

// finder is one of the three big squares of a code: its centre, and its width across a row and down a column, in pixels.
type finder struct {
	x, y  float64
	w, h  float64
	votes int // rows that found it
}

func (f finder) size() float64 { return (f.w + f.h) / 2 }

// most is how many finders of a picture are looked at: text and patterned tables have many that are none.
const most = 24

// finders gives what looks like a finder, the surest first.
func (b *binary) finders() []finder {
	var found []finder
	step := 1
	if b.h > 400 {
		step = 2
	}
	var ends []int
	for y := step / 2; y < b.h; y += step {
		ends = b.runs(y, ends[:0])
		for i := 0; i+5 < len(ends); i += 2 { // ends[i] is where a dark run begins
			if !fiveRuns(ends[i : i+6]) {
				continue
			}
			x := (ends[i+2] + ends[i+3]) / 2
			if f, ok := b.check(x, y, ends[i+5]-ends[i]); ok {
				found = merge(found, f)
			}
		}
	}
	found = slices.DeleteFunc(found, func(f finder) bool { return f.votes < 2 }) // noise
	slices.SortStableFunc(found, func(a, b finder) int { return cmp.Compare(b.votes, a.votes) })
	return found[:min(len(found), most)]
}

// runs appends where the runs of row y begin and end: dark from ends[0] to ends[1], light to ends[2], and so on.
func (b *binary) runs(y int, ends []int) []int {
	row := b.dark[y*b.w : (y+1)*b.w]
	dark := false
	for x, d := range row {
		if d != dark {
			ends = append(ends, x)
			dark = d
		}
	}
	if dark {
		ends = append(ends, b.w)
	}
	return ends
}

// fiveRuns reports whether five runs are like 1:1:3:1:1 (ISO/IEC 18004, 6.3.3). Blur and ink make dark runs wider or narrower: the
// two light ones and the two dark ones beside the middle are therefore looked at in pairs too.
func fiveRuns(ends []int) bool {
	total := ends[5] - ends[0]
	if total < 7 {
		return false
	}
	unit := float64(total) / 7
	for i := range 5 {
		run, want := float64(ends[i+1]-ends[i]), unit
		if i == 2 {
			want = 3 * unit
		}
		slack := 0.75 * unit
		if i == 2 {
			slack = 1.5 * unit
		}
		if math.Abs(run-want) > slack+0.5 {
			return false
		}
	}
	return true
}

// check looks at what may be the middle of a finder in all directions.
func (b *binary) check(x, y, across int) (finder, bool) {
	limit := 2 * across
	fy, h, ok := b.cross(float64(x)+0.5, float64(y)+0.5, 0, 1, limit)
	if !ok || h > 2.6*float64(across) || float64(across) > 2.6*h {
		return finder{}, false
	}
	cy := float64(y) + 0.5 + fy
	fx, w, ok := b.cross(float64(x)+0.5, cy, 1, 0, limit)
	if !ok {
		return finder{}, false
	}
	cx := float64(x) + 0.5 + fx
	_, _, down := b.cross(cx, cy, 1, 1, limit)
	_, _, up := b.cross(cx, cy, 1, -1, limit)
	if !down && !up {
		return finder{}, false
	}
	return finder{x: cx, y: cy, w: w, h: h, votes: 1}, true
}

// cross walks from a point in the middle of a finder to both sides and gives how far its centre is away and how wide it is, in
// steps.
func (b *binary) cross(x, y, dx, dy float64, limit int) (centre, width float64, ok bool) {
	var out [2][3]int // to either side: the rest of the middle, the light ring, the dark ring
	for side, sign := range [2]float64{1, -1} {
		px, py := int(x), int(y)
		want := true
		for ring := range 3 {
			for {
				sx, sy := px, py
				if sx < 0 || sy < 0 || sx >= b.w || sy >= b.h {
					if ring == 2 && out[side][2] > 0 {
						break
					}
					return 0, 0, false
				}
				if b.dark[sy*b.w+sx] != want {
					break
				}
				if out[side][ring]++; out[side][ring] > limit {
					return 0, 0, false
				}
				px += int(sign * dx)
				py += int(sign * dy)
			}
			if out[side][ring] == 0 {
				return 0, 0, false
			}
			want = !want
		}
	}
	p, n := out[0], out[1]
	ends := []int{0, n[2], n[2] + n[1], n[2] + n[1] + n[0] + p[0] - 1}
	ends = append(ends, ends[3]+p[1], ends[3]+p[1]+p[2])
	if !fiveRuns(ends) {
		return 0, 0, false
	}
	return float64(p[0]-n[0]) / 2, float64(ends[5]), true
}

// merge adds a finder to those found, or its vote to the one that is the same. They were found from top to bottom.
func merge(found []finder, f finder) []finder {
	for i, g := range slices.Backward(found) {
		if f.y-g.y > 2*f.size() {
			break
		}
		near := 0.25 * g.size()
		if math.Abs(g.x-f.x) < near && math.Abs(g.y-f.y) < near && f.size() < 1.7*g.size() && g.size() < 1.7*f.size() {
			n := float64(g.votes)
			found[i] = finder{
				x: (g.x*n + f.x) / (n + 1), y: (g.y*n + f.y) / (n + 1),
				w: (g.w*n + f.w) / (n + 1), h: (g.h*n + f.h) / (n + 1), votes: g.votes + 1,
			}
			return found
		}
	}
	return append(found, f)
}

// triple is three finders as they may stand in one code.
type triple struct {
	corner, right, below finder // top left, top right, bottom left; in a mirrored code right and below are changed over
	bad                  float64
}

// triples gives the threes of finders that may be a code's, the likeliest first.
func triples(all []finder) []triple {
	var found []triple
	for i := range all {
		for k := i + 1; k < len(all); k++ {
			for l := k + 1; l < len(all); l++ {
				for _, t := range [3]triple{{all[i], all[k], all[l], 0}, {all[k], all[l], all[i], 0}, {all[l], all[i], all[k], 0}} {
					if t, ok := t.upright(); ok {
						found = append(found, t)
					}
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b triple) int { return cmp.Compare(a.bad, b.bad) })
	return found
}

// upright puts right and below in order and says how bad the three would be as those of one code; ok is false if they cannot be.
func (t triple) upright() (_ triple, ok bool) {
	a := t.corner
	u, v := point{t.right.x - a.x, t.right.y - a.y}, point{t.below.x - a.x, t.below.y - a.y}
	if u.x*v.y-u.y*v.x < 0 {
		t.right, t.below = t.below, t.right
		u, v = v, u
	}
	across, down := u.length(), v.length()
	ma, mb := moduleAlong(a, u.times(1/across)), moduleAlong(t.right, u.times(1/across))
	mc, md := moduleAlong(a, v.times(1/down)), moduleAlong(t.below, v.times(1/down))
	small, big := min(a.size(), t.right.size(), t.below.size()), max(a.size(), t.right.size(), t.below.size())
	cos := math.Abs(u.x*v.x+u.y*v.y) / (across * down)
	modules, others := across/(ma+mb)*2, down/(mc+md)*2 // both are the same but for perspective
	stretch := max(modules, others) / min(modules, others)
	// 14 modules from centre to centre in the smallest code, 170 in the biggest
	if big > 2.5*small || cos > 0.75 || stretch > 2 || min(modules, others) < 9 || max(modules, others) > 230 {
		return t, false
	}
	t.bad = (big/small - 1) + 0.7*(stretch-1) + cos + 1.5/float64(min(a.votes, t.right.votes, t.below.votes))
	return t, true
}
