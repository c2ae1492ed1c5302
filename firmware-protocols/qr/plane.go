package qr

import "math"

// point is a place in a picture, in pixels, or in a code, in modules.
type point struct{ x, y float64 }

func (p point) plus(q point) point               { return point{p.x + q.x, p.y + q.y} }
func (p point) minus(q point) point              { return point{p.x - q.x, p.y - q.y} }
func (p point) times(f float64) point            { return point{p.x * f, p.y * f} }
func (p point) length() float64                  { return math.Hypot(p.x, p.y) }
func (p point) towards(q point, f float64) point { return p.plus(q.minus(p).times(f)) }

// pair says where a place of the code is in the picture.
type pair struct {
	code, picture point
	weight        float64
}

// plane is how a flat code lies in a picture: a projective map from modules to pixels.
type plane [8]float64

func (m *plane) at(x, y float64) point {
	d := m[6]*x + m[7]*y + 1
	return point{(m[0]*x + m[1]*y + m[2]) / d, (m[3]*x + m[4]*y + m[5]) / d}
}

// fit gives the plane that comes nearest to the pairs. Without perspective four of its numbers less are asked of them, which three
// pairs can answer. It fails when they stand in a line.
func fit(pairs []pair, dim float64, perspective bool) (plane, bool) {
	// Modules are scaled to about 1 and pixels moved to about 0: else the sums lose their digits.
	var middle point
	for _, p := range pairs {
		middle = middle.plus(p.picture)
	}
	middle = middle.times(1 / float64(len(pairs)))
	n := 8
	if !perspective {
		n = 6
	}
	var sums [8][9]float64
	add := func(row [9]float64, weight float64) {
		for i := range n {
			for k := range n {
				sums[i][k] += weight * row[i] * row[k]
			}
			sums[i][8] += weight * row[i] * row[8]
		}
	}
	for _, p := range pairs {
		x, y := p.code.x/dim, p.code.y/dim
		to := p.picture.minus(middle)
		add([9]float64{x, y, 1, 0, 0, 0, -x * to.x, -y * to.x, to.x}, p.weight)
		add([9]float64{0, 0, 0, x, y, 1, -x * to.y, -y * to.y, to.y}, p.weight)
	}
	got, ok := solve(&sums, n)
	if !ok {
		return plane{}, false
	}
	m := plane(got)
	for i := range 3 { // the middle goes back, and the scale
		m[i] += middle.x * [3]float64{m[6], m[7], 1}[i]
		m[3+i] += middle.y * [3]float64{m[6], m[7], 1}[i]
	}
	for _, i := range []int{0, 1, 3, 4, 6, 7} {
		m[i] /= dim
	}
	return m, true
}

// solve solves n linear equations by elimination.
func solve(a *[8][9]float64, n int) (x [8]float64, ok bool) {
	for c := range n {
		best := c
		for r := c + 1; r < n; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[best][c]) {
				best = r
			}
		}
		a[c], a[best] = a[best], a[c]
		if math.Abs(a[c][c]) < 1e-9 {
			return x, false
		}
		for r := c + 1; r < n; r++ {
			f := a[r][c] / a[c][c]
			for k := c; k < 9; k++ {
				a[r][k] -= f * a[c][k]
			}
		}
	}
	for c := n - 1; c >= 0; c-- {
		x[c] = a[c][8]
		for k := c + 1; k < n; k++ {
			x[c] -= a[c][k] * x[k]
		}
		x[c] /= a[c][c]
	}
	return x, true
}
