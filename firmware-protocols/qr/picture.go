package qr

import "image"

// picture is a grey picture: one byte a pixel, no padding. 0 is black.
type picture struct {
	w, h int
	pix  []uint8
}

// pictureOf takes over the pixels of a grey image.
func pictureOf(img *image.Gray) *picture {
	b := img.Bounds()
	p := &picture{w: b.Dx(), h: b.Dy()}
	if img.Stride == p.w {
		p.pix = img.Pix[:p.w*p.h]
		return p
	}
	p.pix = make([]uint8, 0, p.w*p.h)
	for y := range p.h {
		p.pix = append(p.pix, img.Pix[y*img.Stride:y*img.Stride+p.w]...)
	}
	return p
}

// at gives the grey at a point between pixels; pixel (0, 0) covers [0, 1). Outside the picture its edge goes on.
func (p *picture) at(x, y float64) float64 {
	x, y = within(x-0.5, p.w), within(y-0.5, p.h)
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, p.w-1), min(y0+1, p.h-1)
	fx, fy := x-float64(x0), y-float64(y0)
	top, bottom := p.pix[y0*p.w:], p.pix[y1*p.w:]
	a := float64(top[x0])*(1-fx) + float64(top[x1])*fx
	b := float64(bottom[x0])*(1-fx) + float64(bottom[x1])*fx
	return a*(1-fy) + b*fy
}

// within moves x to where there are pixels. Of a plane that has no answer, which is no number, it makes 0.
func within(x float64, n int) float64 {
	if !(x > 0) {
		return 0
	}
	return min(x, float64(n-1))
}

// half gives the picture at half its size, each pixel the mean of four: what is finer than a pixel of it, such as noise and the
// dots of a screen, is gone.
func (p *picture) half() *picture {
	q := &picture{w: p.w / 2, h: p.h / 2}
	q.pix = make([]uint8, q.w*q.h)
	for y := range q.h {
		a, b := p.pix[2*y*p.w:(2*y+1)*p.w], p.pix[(2*y+1)*p.w:(2*y+2)*p.w]
		to := q.pix[y*q.w : (y+1)*q.w]
		for x := range to {
			to[x] = uint8((int(a[2*x]) + int(a[2*x+1]) + int(b[2*x]) + int(b[2*x+1]) + 2) / 4)
		}
	}
	return q
}

// twice gives the picture at twice its size, for codes whose modules are a pixel or two.
func (p *picture) twice() *picture {
	q := &picture{w: 2 * p.w, h: 2 * p.h}
	q.pix = make([]uint8, q.w*q.h)
	for y := range q.h {
		for x := range q.w {
			q.pix[y*q.w+x] = uint8(p.at((float64(x)+0.5)/2, (float64(y)+0.5)/2) + 0.5)
		}
	}
	return q
}

// part copies the part of the picture from (x0, y0) to before (x1, y1).
func (p *picture) part(x0, y0, x1, y1 int) *picture {
	q := &picture{w: x1 - x0, h: y1 - y0}
	q.pix = make([]uint8, 0, q.w*q.h)
	for y := y0; y < y1; y++ {
		q.pix = append(q.pix, p.pix[y*p.w+x0:y*p.w+x1]...)
	}
	return q
}

// inverted gives the picture with light and dark changed over.
func (p *picture) inverted() *picture {
	q := &picture{w: p.w, h: p.h, pix: make([]uint8, len(p.pix))}
	for i, v := range p.pix {
		q.pix[i] = ^v
	}
	return q
}

// sums is a picture's table of sums: the sum of any rectangle takes four looks.
type sums struct {
	w   int // of a row: one more than the picture's
	sum []uint32
}

func (p *picture) sums() sums {
	s := sums{w: p.w + 1, sum: make([]uint32, (p.w+1)*(p.h+1))}
	for y := range p.h {
		row := uint32(0)
		above, to := s.sum[y*s.w+1:], s.sum[(y+1)*s.w+1:(y+2)*s.w]
		for x, v := range p.pix[y*p.w : (y+1)*p.w] {
			row += uint32(v)
			to[x] = above[x] + row
		}
	}
	return s
}

// of gives the sum of the rectangle from (x0, y0) to before (x1, y1). Sums may run over; their differences do not.
func (s sums) of(x0, y0, x1, y1 int) uint32 {
	return s.sum[y1*s.w+x1] - s.sum[y0*s.w+x1] - s.sum[y1*s.w+x0] + s.sum[y0*s.w+x0]
}

// sharp gives the picture with every pixel twice as far from the mean around it, as far as r pixels: what lies out of focus.
func (p *picture) sharp(r int) *picture {
	s := p.sums()
	q := &picture{w: p.w, h: p.h, pix: make([]uint8, len(p.pix))}
	for y := range p.h {
		y0, y1 := max(y-r, 0), min(y+r+1, p.h)
		for x := range p.w {
			x0, x1 := max(x-r, 0), min(x+r+1, p.w)
			mean := int(s.of(x0, y0, x1, y1)) / ((x1 - x0) * (y1 - y0))
			v := int(p.pix[y*p.w+x])
			q.pix[y*p.w+x] = uint8(min(max(v+2*(v-mean), 0), 255))
		}
	}
	return q
}

// soft gives the picture with every pixel the mean of those around it, as far as r pixels: noise is less then.
func (p *picture) soft(r int) *picture {
	s := p.sums()
	q := &picture{w: p.w, h: p.h, pix: make([]uint8, len(p.pix))}
	for y := range p.h {
		y0, y1 := max(y-r, 0), min(y+r+1, p.h)
		for x := range p.w {
			x0, x1 := max(x-r, 0), min(x+r+1, p.w)
			q.pix[y*p.w+x] = uint8(int(s.of(x0, y0, x1, y1)) / ((x1 - x0) * (y1 - y0)))
		}
	}
	return q
}

// binary is a picture in black and white.
type binary struct {
	w, h int
	dark []bool
}

// local calls a pixel dark that is darker than the mean of the square of side 2r+1 around it, less a part in 32 of it, so that the
// grain of an even sheet stays light.
func (p *picture) local(s sums, r int) *binary {
	b := &binary{w: p.w, h: p.h, dark: make([]bool, len(p.pix))}
	for y := range p.h {
		y0, y1 := max(y-r, 0), min(y+r+1, p.h)
		row, to := p.pix[y*p.w:(y+1)*p.w], b.dark[y*p.w:(y+1)*p.w]
		top, bottom := s.sum[y0*s.w:(y0+1)*s.w], s.sum[y1*s.w:(y1+1)*s.w]
		for x, v := range row {
			x0, x1 := max(x-r, 0), min(x+r+1, p.w)
			sum := bottom[x1] - top[x1] - bottom[x0] + top[x0]
			area := uint32((y1 - y0) * (x1 - x0))
			to[x] = uint32(v)*area < sum-sum/32
		}
	}
	return b
}

// global calls a pixel dark that is darker than one limit for all: the one that parts the picture's greys best (Otsu, 1979).
func (p *picture) global() *binary {
	var histogram [256]int
	for _, v := range p.pix {
		histogram[v]++
	}
	limit := uint8(parting(histogram[:]))
	b := &binary{w: p.w, h: p.h, dark: make([]bool, len(p.pix))}
	for i, v := range p.pix {
		b.dark[i] = v <= limit
	}
	return b
}

// parting gives the index of a histogram at which its lower part ends: where the variance between both parts is greatest.
func parting(histogram []int) int {
	total, all := 0, 0.0
	for v, n := range histogram {
		total += n
		all += float64(v) * float64(n)
	}
	best, limit := -1.0, 0
	below, lower := 0, 0.0
	for v, n := range histogram {
		below += n
		lower += float64(v) * float64(n)
		if below == 0 || below == total {
			continue
		}
		d := lower/float64(below) - (all-lower)/float64(total-below)
		if between := d * d * float64(below) * float64(total-below); between > best {
			best, limit = between, v
		}
	}
	return limit
}
