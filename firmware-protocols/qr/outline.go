package qr

import "math"

// outline is a finder seen closely: where its four outer corners are, in the order of a code that stands upright (top left, top
// right, bottom right, bottom left), and the length of a module along both axes of the code.
type outline struct {
	corners [4]point
	u, v    float64
}

// outline follows the four outer sides of a finder in the grey picture, where they are found between pixels. u and v are the axes
// of the code, of length 1.
func (p *picture) outline(f finder, u, v point) outline {
	c := point{f.x, f.y}
	mu := moduleAlong(f, u)
	mv := moduleAlong(f, v)
	limit := p.limit(c, u.times(mu), v.times(mv))
	var lines [4]line // right, bottom, left, top
	for side, axes := range [4][2]point{{u.times(mu), v.times(mv)}, {v.times(mv), u.times(mu)}, {u.times(-mu), v.times(mv)}, {v.times(-mv), u.times(mu)}} {
		lines[side] = p.side(c, axes[0], axes[1], limit)
	}
	right, bottom, left, top := lines[0], lines[1], lines[2], lines[3]
	var o outline
	for i, two := range [4][2]line{{left, top}, {top, right}, {right, bottom}, {bottom, left}} {
		sign := [4]point{{-3.5, -3.5}, {3.5, -3.5}, {3.5, 3.5}, {-3.5, 3.5}}[i]
		guess := c.plus(u.times(mu * sign.x)).plus(v.times(mv * sign.y))
		o.corners[i] = guess
		if q, ok := two[0].meets(two[1]); ok && q.minus(guess).length() < 2*(mu+mv)/2 {
			o.corners[i] = q
		}
	}
	k := o.corners
	o.u = (k[1].minus(k[0]).length() + k[2].minus(k[3]).length()) / 14
	o.v = (k[3].minus(k[0]).length() + k[2].minus(k[1]).length()) / 14
	return o
}

// moduleAlong is a module's length along axis, of length 1, of a finder whose widths were measured along the picture's axes.
func moduleAlong(f finder, axis point) float64 {
	return f.size() / 7 * max(math.Abs(axis.x), math.Abs(axis.y))
}

// limit is the grey between the dark and the light of a finder.
func (p *picture) limit(c, u, v point) float64 {
	var dark, light float64
	for i := range 8 {
		sin, cos := math.Sincos(float64(i) * math.Pi / 4)
		for _, r := range [2]float64{0, 1} {
			q := c.plus(u.times(r * cos)).plus(v.times(r * sin))
			dark += p.at(q.x, q.y) / 16
		}
		// the light ring is a square: 2 modules away along the axes, and at the corners more
		r := 2 / max(math.Abs(cos), math.Abs(sin))
		q := c.plus(u.times(r * cos)).plus(v.times(r * sin))
		light += p.at(q.x, q.y) / 8
	}
	return (dark + light) / 2
}

// line is the line on which a·x + b·y = c.
type line struct {
	a, b, c float64
	ok      bool
}

func (l line) meets(k line) (point, bool) {
	d := l.a*k.b - k.a*l.b
	if !l.ok || !k.ok || math.Abs(d) < 0.1 {
		return point{}, false
	}
	return point{(l.c*k.b - k.c*l.b) / d, (l.a*k.c - k.a*l.c) / d}, true
}

// side finds the outer edge of a finder in direction out, from lines beside each other along.
func (p *picture) side(c, out, along point, limit float64) line {
	var edge []point
	for t := -2.75; t <= 2.75; t += 0.5 {
		from := c.plus(along.times(t))
		last := math.Inf(1)
		for r := 2.6; r < 4.6; r += 0.125 {
			q := from.plus(out.times(r))
			now := p.at(q.x, q.y)
			if last <= limit && now > limit {
				part := (limit - last) / (now - last)
				edge = append(edge, from.plus(out.times(r-0.125+0.125*part)))
				break
			}
			last = now
		}
	}
	if len(edge) < 5 {
		return line{}
	}
	l := through(edge)
	// what is far from the line belongs to something else, such as a crack
	var near []point
	for _, q := range edge {
		if math.Abs(l.a*q.x+l.b*q.y-l.c) < 0.35*out.length() {
			near = append(near, q)
		}
	}
	if len(near) < 4 {
		return line{}
	}
	return through(near)
}

// through gives the line nearest to points.
func through(points []point) line {
	var m point
	for _, q := range points {
		m = m.plus(q)
	}
	m = m.times(1 / float64(len(points)))
	var xx, xy, yy float64
	for _, q := range points {
		d := q.minus(m)
		xx, xy, yy = xx+d.x*d.x, xy+d.x*d.y, yy+d.y*d.y
	}
	sin, cos := math.Sincos(0.5 * math.Atan2(2*xy, xx-yy)) // along the points
	return line{a: -sin, b: cos, c: -sin*m.x + cos*m.y, ok: true}
}
