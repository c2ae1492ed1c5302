package qr

// modules are the greys of a code's modules, row by row.
type modules struct {
	dim  int
	grey []float64
}

// sample looks at the middle of every module. In big ones several places count.
func (g *grid) sample() modules {
	m := modules{dim: g.dim, grey: make([]float64, g.dim*g.dim)}
	spread := 0.0
	if g.module() > 3 {
		spread = 0.2
	}
	for y := range g.dim {
		for x := range g.dim {
			cx, cy := float64(x)+0.5, float64(y)+0.5
			q := g.at(cx, cy)
			v := g.p.at(q.x, q.y)
			if spread > 0 {
				for _, d := range [4]point{{-spread, -spread}, {spread, -spread}, {-spread, spread}, {spread, spread}} {
					q := g.at(cx+d.x, cy+d.y)
					v += g.p.at(q.x, q.y)
				}
				v /= 5
			}
			m.grey[y*g.dim+x] = v
		}
	}
	return m
}

// sharp takes from every module a part of what its neighbours lent it: blur is mostly that.
func (m modules) sharp(part float64) modules {
	out := modules{dim: m.dim, grey: make([]float64, len(m.grey))}
	for i, v := range m.grey {
		x, y := i%m.dim, i/m.dim
		sum, n := 0.0, 0.0
		for _, d := range [4][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
			if nx, ny := x+d[0], y+d[1]; nx >= 0 && ny >= 0 && nx < m.dim && ny < m.dim {
				sum += m.grey[ny*m.dim+nx]
				n++
			}
		}
		out.grey[i] = v + part*(v-sum/n)
	}
	return out
}

// limits gives for every module the grey that parts dark from light around it, as far as r modules: the mean there.
func (m modules) limits(r int) []float64 {
	w := m.dim + 1
	sum := make([]float64, w*w)
	for y := range m.dim {
		row := 0.0
		for x := range m.dim {
			row += m.grey[y*m.dim+x]
			sum[(y+1)*w+x+1] = sum[y*w+x+1] + row
		}
	}
	out := make([]float64, len(m.grey))
	for y := range m.dim {
		for x := range m.dim {
			x0, y0, x1, y1 := max(x-r, 0), max(y-r, 0), min(x+r+1, m.dim), min(y+r+1, m.dim)
			n := float64((x1 - x0) * (y1 - y0))
			out[y*m.dim+x] = (sum[y1*w+x1] - sum[y0*w+x1] - sum[y1*w+x0] + sum[y0*w+x0]) / n
		}
	}
	return out
}

// one gives the one limit for all modules that parts them best.
func (m modules) one() []float64 {
	var histogram [256]int
	for _, v := range m.grey {
		histogram[int(min(max(v, 0), 255))]++
	}
	limit := float64(parting(histogram[:])) + 0.999
	out := make([]float64, len(m.grey))
	for i := range out {
		out[i] = limit
	}
	return out
}

// looks says how much of what is the same in all codes of its size a code has: 1 all of it, 0.5 by chance.
func (m modules) looks(limits []float64) float64 {
	right, n := 0, 0
	for i, v := range m.grey {
		if k := known(i%m.dim, i/m.dim, m.dim); k != 0 {
			n++
			if (k > 0) == (v < limits[i]) {
				right++
			}
		}
	}
	return float64(right) / float64(n)
}

// likely is how much a grid must look like a code to be worth the trouble of reading it, hopeful to be worth that of bending it, and sure
// to be one, so that it is bent in other ways too.
const (
	sure    = 0.9
	likely  = 0.8
	hopeful = 0.68
)

// text gives what the code says, if any way to part dark from light makes one of it, and how much it looks like a code.
func (m modules) text() (text string, looks float64, ok bool) {
	for _, part := range [3]float64{0, 0.6, 1.2} {
		s := m
		if part > 0 {
			s = m.sharp(part)
		}
		for _, limits := range [3][]float64{s.limits(6), s.one(), s.limits(3)} {
			like := s.looks(limits)
			if looks = max(looks, like); like < likely {
				continue
			}
			if text, ok := decode(s, limits); ok {
				return text, looks, true
			}
		}
		if looks < likely {
			break
		}
	}
	return "", looks, false
}

// known gives what a module is in every code of this size: 1 dark, -1 light, 0 either. Alignment patterns are left out.
func known(x, y, dim int) int {
	colour := func(dark bool) int {
		if dark {
			return 1
		}
		return -1
	}
	for _, c := range [3][2]int{{3, 3}, {dim - 4, 3}, {3, dim - 4}} {
		switch r := max(abs(x-c[0]), abs(y-c[1])); {
		case r <= 4:
			return colour(r != 2 && r != 4)
		}
	}
	if (x == 6 || y == 6) && x < dim-8 && y < dim-8 {
		return colour((x+y)%2 == 0)
	}
	if r := max(abs(x-(dim-7)), abs(y-(dim-7))); dim > 21 && r <= 2 {
		return colour(r != 1)
	}
	return 0
}
