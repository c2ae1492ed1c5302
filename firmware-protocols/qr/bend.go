package qr

import "math"

// bend is how far a code's paper is from flat, in pixels: first as nine places say, three rows of three, with parabolas between them,
// then as twenty-five more say of what is left, with straight lines between them.
type bend struct {
	round [9]point
	fine  [25]point
}

// at gives the bend at (x, y), both from 0 to 1 over the code.
func (b *bend) at(x, y float64) point {
	var d point
	wx, wy := parabola(x), parabola(y)
	for i, k := range b.round {
		d = d.plus(k.times(wx[i%3] * wy[i/3]))
	}
	fx, fy := hats(x), hats(y)
	for i, k := range b.fine {
		if w := fx[i%5] * fy[i/5]; w != 0 {
			d = d.plus(k.times(w))
		}
	}
	return d
}

// parabola gives the weights of the values at 0, 1/2 and 1 for the value at t (Lagrange).
func parabola(t float64) [3]float64 {
	return [3]float64{2 * (t - 0.5) * (t - 1), -4 * t * (t - 1), 2 * t * (t - 0.5)}
}

// hats gives the weights of the values at 0, 1/4, 1/2, 3/4 and 1 for the value at t, on straight lines.
func hats(t float64) (w [5]float64) {
	for i := range w {
		w[i] = max(0, 1-math.Abs(4*t-float64(i)))
	}
	return w
}

// bending is a search for the bend of a grid.
type bending struct {
	g      *grid
	at     []point // of each module, as bent until now
	known  []int
	grey   []float64
	limits []float64 // between dark and light, of each module
	u, v   point     // a module to the right and down
}

// straighten bends the grid until its modules are as clearly dark or light as they can be.
func (g *grid) straighten() {
	d := float64(g.dim)
	n := g.dim * g.dim
	g.bend = &bend{}
	s := &bending{g: g, at: make([]point, n), known: make([]int, n), grey: make([]float64, n)}
	s.u = g.flat.at(d/2+0.5, d/2).minus(g.flat.at(d/2-0.5, d/2))
	s.v = g.flat.at(d/2, d/2+0.5).minus(g.flat.at(d/2, d/2-0.5))
	for i := range s.at {
		s.at[i] = g.flat.at(float64(i%g.dim)+0.5, float64(i/g.dim)+0.5)
		s.known[i] = known(i%g.dim, i/g.dim, g.dim)
		s.grey[i] = g.p.at(s.at[i].x, s.at[i].y)
	}
	s.limits = modules{dim: g.dim, grey: s.grey}.limits(5)
	round, fine := make([][3]float64, g.dim), make([][5]float64, g.dim)
	for i := range g.dim {
		t := (float64(i) + 0.5) / d
		round[i], fine[i] = parabola(t), hats(t)
	}
	weights := make([]float64, g.dim*2)
	for _, step := range []float64{0.6, 0.3, 0.6, 0.3, 0.15} {
		for k := range g.bend.round {
			for i := range g.dim {
				weights[i], weights[g.dim+i] = round[i][k%3], round[i][k/3]
			}
			s.improve(&g.bend.round[k], step, weights[:g.dim], weights[g.dim:])
		}
	}
	s.limits = modules{dim: g.dim, grey: s.grey}.limits(5) // what was seen beside its place is seen at it now
	for _, step := range []float64{0.6, 0.3, 0.6, 0.3, 0.15} {
		for k := range g.bend.fine {
			for i := range g.dim {
				weights[i], weights[g.dim+i] = fine[i][k%5], fine[i][k/5]
			}
			s.improve(&g.bend.fine[k], step, weights[:g.dim], weights[g.dim:])
		}
	}
}

// little is a weight that moves a module by less than a tenth of a pixel or so.
const little = 0.03

// improve moves one place of the bend by step modules to the side that makes the code clearer, if one does. A module goes with it as
// much as its column and row weigh.
func (s *bending) improve(place *point, step float64, columns, rows []float64) {
	for _, axis := range [2]point{s.u, s.v} {
		for _, sign := range [2]float64{step, -step} {
			move := axis.times(sign)
			gain := 0.0
			for y, wy := range rows {
				for x, wx := range columns {
					if w := wx * wy; w > little || w < -little {
						i := y*len(columns) + x
						gain += s.clear(i, s.g.p.at(s.at[i].x+move.x*w, s.at[i].y+move.y*w)) - s.clear(i, s.grey[i])
					}
				}
			}
			if gain <= 0 {
				continue
			}
			*place = place.plus(move)
			for i := range s.at {
				if w := rows[i/len(columns)] * columns[i%len(columns)]; w != 0 {
					s.at[i] = s.at[i].plus(move.times(w))
					s.grey[i] = s.g.p.at(s.at[i].x, s.at[i].y)
				}
			}
			break
		}
	}
}

// clear is how far a module is from the grey between. One that is the same in all codes must be what it is; what others should be is
// not known, only that they are not in between.
func (s *bending) clear(i int, grey float64) float64 {
	d := grey - s.limits[i]
	if k := s.known[i]; k != 0 {
		return -3 * float64(k) * d
	}
	return math.Abs(d)
}
