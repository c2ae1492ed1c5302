package qr

import "math"

// bend is how far a code's paper is from flat, in pixels, at nodes that stand in rows over the code; between them it runs straight. The
// middles of finders are nodes.
type bend struct {
	n    int     // nodes of a row
	step float64 // modules from one to the next; the second is 3.5 modules from the code's edge
	off  []point
}

func newBend(dim int) *bend {
	const about = 2.5 // modules from node to node
	steps := math.Round((float64(dim) - 7) / about)
	b := &bend{n: int(steps) + 3, step: (float64(dim) - 7) / steps}
	b.off = make([]point, b.n*b.n)
	return b
}

// node gives where in the code a node is, in modules.
func (b *bend) node(i int) point {
	return point{3.5 + float64(i%b.n-1)*b.step, 3.5 + float64(i/b.n-1)*b.step}
}

// around gives the nodes at most reach rows and columns from node i, and i itself.
func (b *bend) around(i, reach int) (all []int) {
	x, y := i%b.n, i/b.n
	for k := max(y-reach, 0); k <= min(y+reach, b.n-1); k++ {
		for l := max(x-reach, 0); l <= min(x+reach, b.n-1); l++ {
			all = append(all, k*b.n+l)
		}
	}
	return all
}

// at gives the bend at (x, y), in modules.
func (b *bend) at(x, y float64) point {
	x, y = (x-3.5)/b.step+1, (y-3.5)/b.step+1
	i, k := min(max(int(x), 0), b.n-2), min(max(int(y), 0), b.n-2)
	fx, fy := x-float64(i), y-float64(k)
	row, next := b.off[k*b.n+i:], b.off[(k+1)*b.n+i:]
	return row[0].towards(row[1], fx).towards(next[0].towards(next[1], fx), fy)
}

// bending is a search for the bend of a grid. It begins at the finders, where the code's place is known, and goes on from node to node,
// each time to the one that is seen most clearly where those before it say it should be.
type bending struct {
	g     *grid
	p     *picture // the code's part of the picture, soft: a pixel is most of a module
	from  point    // where that part begins
	found []bool   // of each node
}

// How a node is looked for.
const (
	reach  = 3    // nodes from which others are expected, while the bend is made
	beside = 1    // and when it is made better
	sweeps = 2    // times that is done
	little = 0.24 // modules of the biggest move at once when it is made better
)

// straighten bends the grid until its modules are as clearly dark or light as they can be. A node moves by big modules at once at most
// while the bend is made.
func (s *bending) straighten(big float64) {
	g, b := s.g, s.g.bend
	clear(s.found)
	clarity := make([]float64, len(b.off))
	next := func(node int) {
		s.found[node] = true
		for _, i := range b.around(node, 1) {
			if !s.found[i] {
				clarity[i] = s.find(i, reach, big)
			}
		}
	}
	for i, f := range [3]int{b.n + 1, b.n + b.n - 2, (b.n-2)*b.n + 1} {
		at := b.node(f)
		b.off[f] = g.centres[i].minus(g.flat.at(at.x, at.y))
		next(f)
	}
	for {
		best := -1
		for i, c := range clarity {
			if c > 0 && !s.found[i] && (best < 0 || c > clarity[best]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		next(best)
	}
	for range sweeps {
		for i := range b.off {
			s.find(i, beside, little)
		}
	}
}

// bending makes the grid ready to be bent, and the part of the picture in which it may be.
func (g *grid) bending() *bending {
	g.bend = newBend(g.dim)
	d, margin := float64(g.dim), 0.15*float64(g.dim)
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, c := range [4]point{{-margin, -margin}, {d + margin, -margin}, {-margin, d + margin}, {d + margin, d + margin}} {
		q := g.flat.at(c.x, c.y)
		low, high = point{min(low.x, q.x), min(low.y, q.y)}, point{max(high.x, q.x), max(high.y, q.y)}
	}
	x0, y0 := int(within(low.x, g.p.w)), int(within(low.y, g.p.h))
	part := g.p.part(x0, y0, int(within(high.x, g.p.w))+1, int(within(high.y, g.p.h))+1)
	s := &bending{g: g, p: part, from: point{float64(x0), float64(y0)}, found: make([]bool, len(g.bend.off))}
	if r := int(0.3*g.module() + 0.5); r > 0 {
		s.p = part.soft(min(r, part.w, part.h))
	}
	return s
}

// grey gives the grey of the pixel at a place: in a soft picture those beside it are nearly the same.
func (s *bending) grey(q point) float64 {
	x, y := within(q.x-s.from.x, s.p.w), within(q.y-s.from.y, s.p.h)
	return float64(s.p.pix[int(y)*s.p.w+int(x)])
}

// frame is the code around a node as its neighbours say it lies: where the node is, and a module to the right and down.
type frame struct{ at, u, v point }

func (f frame) place(x, y float64) point { return f.at.plus(f.u.times(x)).plus(f.v.times(y)) }

// expect says where a node should be after those that were found within reach of it: on the plane nearest to their bends.
func (s *bending) expect(i, reach int) frame {
	b := s.g.bend
	var n, x, y, xx, yy, xy float64 // sums over the neighbours
	var z, zx, zy point
	for _, k := range b.around(i, reach) {
		if k == i || !s.found[k] {
			continue
		}
		dx, dy := float64(k%b.n-i%b.n), float64(k/b.n-i/b.n)
		w := 1 / (dx*dx + dy*dy)
		n, x, y = n+w, x+w*dx, y+w*dy
		xx, yy, xy = xx+w*dx*dx, yy+w*dy*dy, xy+w*dx*dy
		d := b.off[k].times(w)
		z, zx, zy = z.plus(d), zx.plus(d.times(dx)), zy.plus(d.times(dy))
	}
	const held = 0.3 // keeps the plane from leaning where few neighbours say how
	xx, yy, xy = xx-x*x/n+held, yy-y*y/n+held, xy-x*y/n
	zx, zy = zx.minus(z.times(x/n)), zy.minus(z.times(y/n))
	det := xx*yy - xy*xy
	right := zx.times(yy / det).minus(zy.times(xy / det))
	down := zy.times(xx / det).minus(zx.times(xy / det))
	off := z.minus(right.times(x)).minus(down.times(y)).times(1 / n)
	m, flat := b.node(i), &s.g.flat
	return frame{
		at: flat.at(m.x, m.y).plus(off),
		u:  flat.at(m.x+0.5, m.y).minus(flat.at(m.x-0.5, m.y)).plus(right.times(1 / b.step)),
		v:  flat.at(m.x, m.y+0.5).minus(flat.at(m.x, m.y-0.5)).plus(down.times(1 / b.step)),
	}
}

// find looks for a node around where those within reach say it should be, and says how clear the modules around it are: 1 is as clear as
// can be.
func (s *bending) find(i, reach int, step float64) float64 {
	f := s.expect(i, reach)
	w := s.window(i, f)
	const stiff = 0.5 // what a node loses that is a module from where it should be
	var best point    // modules from there
	most := w.clear(s, point{})
	for range 3 {
		from := best
		for _, d := range [8]point{{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {-1, -1}, {1, -1}, {-1, 1}} {
			to := from.plus(d.times(step))
			got := w.clear(s, f.place(to.x, to.y).minus(f.at)) - stiff*(to.x*to.x+to.y*to.y)
			if got > most {
				best, most = to, got
			}
		}
		step /= 2
	}
	m := s.g.bend.node(i)
	s.g.bend.off[i] = f.place(best.x, best.y).minus(s.g.flat.at(m.x, m.y))
	return most
}

// The window around a node, in modules.
const (
	windowSide = 7
	quiet      = 2 // of the code's light margin belong to it
)

// window is the modules around a node.
type window struct {
	modules         []windowed
	limit, contrast float64 // the grey between dark and light, and how far those are from it
}

type windowed struct {
	at    point
	known int  // 1 dark, -1 light, 0 either
	rim   bool // the last row or column: some of it is dark, else it is the margin
}

func (s *bending) window(i int, f frame) *window {
	m, dim := s.g.bend.node(i), s.g.dim
	x0, y0 := int(math.Floor(m.x))-windowSide/2, int(math.Floor(m.y))-windowSide/2
	w := &window{modules: make([]windowed, 0, windowSide*windowSide)}
	for y := max(y0, -quiet); y < min(y0+windowSide, dim+quiet); y++ {
		for x := max(x0, -quiet); x < min(x0+windowSide, dim+quiet); x++ {
			k := windowed{at: f.place(float64(x)+0.5-m.x, float64(y)+0.5-m.y), known: -1}
			if x >= 0 && y >= 0 && x < dim && y < dim {
				k.known = known(x, y, dim)
				k.rim = x == 0 || y == 0 || x == dim-1 || y == dim-1
			}
			w.modules = append(w.modules, k)
		}
	}
	w.measure(s)
	return w
}

// measure parts the greys of the window: the limit is in the middle between the mean of those above the mean and of those below.
func (w *window) measure(s *bending) {
	greys := make([]float64, len(w.modules))
	mean := 0.0
	for i, k := range w.modules {
		greys[i] = s.grey(k.at)
		mean += greys[i] / float64(len(greys))
	}
	var low, high, lows, highs float64
	for _, v := range greys {
		if v < mean {
			low, lows = low+v, lows+1
		} else {
			high, highs = high+v, highs+1
		}
	}
	if w.limit, w.contrast = mean, 1; lows > 0 {
		w.limit = (low/lows + high/highs) / 2
		w.contrast = max(1, (high/highs-low/lows)/2)
	}
}

// clear says how clearly dark or light the modules are if all lie off from where they should. One that is the same in all codes must be
// what it is; what others should be is not known, only that they are not in between.
func (w *window) clear(s *bending, off point) float64 {
	sum, all := 0.0, 0.0
	for _, k := range w.modules {
		d := s.grey(k.at.plus(off)) - w.limit
		switch {
		case k.known != 0:
			sum -= 2 * float64(k.known) * d
			all += 2
		case k.rim:
			sum += math.Abs(d) - 0.8*d
			all++
		default:
			sum += math.Abs(d)
			all++
		}
	}
	return sum / (all * w.contrast)
}
