package qr

import (
	"cmp"
	"math"
	"slices"
)

// grid is a code found in a picture: which place of the picture each of its dim×dim modules has.
type grid struct {
	p    *picture
	dim  int
	flat plane
	bend *bend // nil: flat

	centres [3]point // of its finders: corner, right and below
}

// at gives the place of (x, y), in modules.
func (g *grid) at(x, y float64) point {
	q := g.flat.at(x, y)
	if g.bend != nil {
		q = q.plus(g.bend.at(x, y))
	}
	return q
}

// module is the length of a module in the picture, about.
func (g *grid) module() float64 {
	d := float64(g.dim)
	a, b, c := g.flat.at(0, 0), g.flat.at(d, d), g.flat.at(d, 0)
	e := g.flat.at(0, d)
	return (a.minus(b).length() + c.minus(e).length()) / (2 * math.Sqrt2 * d)
}

// grids gives the grids that three finders may belong to, the likeliest first.
func (p *picture) grids(t triple) []laid {
	a, b, c := point{t.corner.x, t.corner.y}, point{t.right.x, t.right.y}, point{t.below.x, t.below.y}
	u, v := b.minus(a), c.minus(a)
	u, v = u.times(1/u.length()), v.times(1/v.length())
	corner, right, below := p.outline(t.corner, u, v), p.outline(t.right, u, v), p.outline(t.below, u, v)
	across := b.minus(a).length() / ((corner.u + right.u) / 2)
	down := c.minus(a).length() / ((corner.v + below.v) / 2)
	var found []laid
	for _, dim := range dims((across+down)/2 + 7) {
		for _, perspective := range [2]bool{false, true} {
			if l, ok := p.lay(dim, perspective, [3]point{a, b, c}, [3]outline{corner, right, below}); ok {
				found = append(found, l)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b laid) int { return cmp.Compare(b.timing, a.timing) })
	return found
}

// dims gives the sizes a code may have that looks about as big as near: 21, 25, … 177 modules.
func dims(near float64) []int {
	reach := 4 + near/10
	var all []int
	for dim := 21; dim <= 177; dim += 4 {
		if math.Abs(float64(dim)-near) < reach {
			all = append(all, dim)
		}
	}
	return all
}

// laid is a grid and what it was laid on.
type laid struct {
	*grid
	pairs  []pair
	timing float64
}

// lay lays a grid of dim modules over three finders: corner, right and below.
func (p *picture) lay(dim int, perspective bool, centres [3]point, outlines [3]outline) (laid, bool) {
	far := float64(dim) - 7
	var pairs []pair
	for i, o := range outlines {
		from := [3]point{{0, 0}, {far, 0}, {0, far}}[i]
		pairs = append(pairs, pair{from.plus(point{3.5, 3.5}), centres[i], 2})
		for k, q := range o.corners {
			pairs = append(pairs, pair{from.plus([4]point{{0, 0}, {7, 0}, {7, 7}, {0, 7}}[k]), q, 1})
		}
	}
	flat, ok := fit(pairs, float64(dim), perspective)
	g := &grid{p: p, dim: dim, flat: flat, centres: centres}
	if !ok {
		return laid{}, false
	}
	return laid{g, pairs, g.timing()}, true
}

// align draws the grid to the alignment patterns that are found.
func (l laid) align() {
	for i, at := range alignments(l.dim) {
		weight, reach := 4.0, 2.5
		if i == 0 { // the farthest from the finders
			weight, reach = 12, 3+float64(l.dim)/12
		}
		q, ok := l.alignment(at, reach)
		if !ok {
			continue
		}
		l.pairs = append(l.pairs, pair{at, q, weight})
		if flat, ok := fit(l.pairs, float64(l.dim), true); ok {
			l.flat = flat
		}
	}
}

// alignments gives the middles of a code's alignment patterns (ISO/IEC 18004, annex E), the one opposite the corner first, then from
// there on.
func alignments(dim int) []point {
	version := (dim - 17) / 4
	if version == 1 {
		return nil
	}
	n := version/7 + 2
	step := 26 // the one version that does not follow the rule
	if version != 32 {
		step = (version*4 + n*2 + 1) / (n*2 - 2) * 2
	}
	lines := []int{6}
	for i := range n - 1 {
		lines = append(lines, dim-7-(n-2-i)*step)
	}
	var all []point
	for y := n - 1; y >= 0; y-- {
		for x := n - 1; x >= 0; x-- {
			if x == 0 && y == 0 || x == 0 && y == n-1 || x == n-1 && y == 0 {
				continue // finders stand there
			}
			all = append(all, point{float64(lines[x]) + 0.5, float64(lines[y]) + 0.5})
		}
	}
	return all
}

// alignment looks for the small square of a code around the place where it should be, up to reach modules away.
func (g *grid) alignment(at point, reach float64) (point, bool) {
	o := g.flat.at(at.x, at.y)
	u := g.flat.at(at.x+0.5, at.y).minus(g.flat.at(at.x-0.5, at.y))
	v := g.flat.at(at.x, at.y+0.5).minus(g.flat.at(at.x, at.y-0.5))
	if n := u.length() * v.length(); math.IsNaN(n) || n < 0.5 || n > 1e6 {
		return point{}, false
	}
	best, where := 0.0, point{}
	try := func(i, k float64) {
		q := o.plus(u.times(i)).plus(v.times(k))
		if q.x < 0 || q.y < 0 || q.x > float64(g.p.w) || q.y > float64(g.p.h) {
			return
		}
		if s := g.p.square(q, u, v) - 0.02*math.Hypot(i, k); s > best {
			best, where = s, point{i, k}
		}
	}
	for i := -reach; i <= reach; i += 0.5 {
		for k := -reach; k <= reach; k += 0.5 {
			try(i, k)
		}
	}
	if best < 0.45 {
		return point{}, false
	}
	coarse := where
	for i := -0.4; i <= 0.4; i += 0.1 {
		for k := -0.4; k <= 0.4; k += 0.1 {
			try(coarse.x+i, coarse.y+k)
		}
	}
	return o.plus(u.times(where.x)).plus(v.times(where.y)), true
}

// square says how much a place looks like the middle of an alignment pattern: 1 like one that is printed, 0 or less not at all.
func (p *picture) square(c, u, v point) float64 {
	var v25 [25]float64
	low, high := 255.0, 0.0
	for i := range v25 {
		q := c.plus(u.times(float64(i%5 - 2))).plus(v.times(float64(i/5 - 2)))
		s := p.at(q.x, q.y)
		v25[i], low, high = s, min(low, s), max(high, s)
	}
	if high-low < 12 {
		return 0
	}
	ring, light := 0.0, 0.0
	for i, s := range v25 {
		s = (s - low) / (high - low)
		switch max(abs(i%5-2), abs(i/5-2)) {
		case 2:
			ring += s / 16
		case 1:
			light += s / 8
		default:
			ring += 0.15 * s // the middle counts for more than one of sixteen
		}
	}
	return light - ring
}

func abs(i int) int { return max(i, -i) }

// timing says how well the two rows of modules that are dark and light by turns (row and column 6) are where the grid says: 1 all
// of them, 0.5 by chance.
func (g *grid) timing() float64 {
	right, n := 0, 0
	for _, along := range [2]bool{true, false} {
		var v []float64
		for i := 7; i < g.dim-7; i++ {
			x, y := float64(i)+0.5, 6.5
			if !along {
				x, y = y, x
			}
			q := g.at(x, y)
			v = append(v, g.p.at(q.x, q.y))
		}
		for i := 1; i+1 < len(v); i++ {
			between := (v[i-1] + v[i+1]) / 2
			if dark := (7+i)%2 == 0; dark == (v[i] < between) && v[i] != between {
				right++
			}
			n++
		}
	}
	return float64(right) / float64(n)
}
