package qr

import (
	"cmp"
	"math"
	"slices"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
)

// stripes is a place of a picture in which all edges run one way, as those of bars do.
type stripes struct {
	middle point
	across point   // over the bars, of length 1
	weight float64 // how much there is of edges, and of one way
}

// Bounds of the search for bars.
const (
	barBlock  = 32 // side of a block that is looked at as one, in pixels
	barBlocks = 10 // so many are read
	barChars  = 4  // shorter texts come out of striped cloth more often than out of codes
)

// bars gives the text of the Code 128 that lies in the picture. Two lines must say the same: its check character alone lets one wrong
// reading in a hundred pass.
func (p *picture) bars(more func() bool) (string, bool) {
	reader := oned.NewCode128Reader().(oned.RowDecoder)
	seen := map[string]int{}
	for _, s := range p.stripes() {
		if !more() {
			break
		}
		along := point{-s.across.y, s.across.x}
		for _, off := range [3]float64{0, -barBlock / 4, barBlock / 4} {
			if text, ok := barsIn(reader, p.row(s.middle.plus(along.times(off)), s.across)); ok {
				if seen[text]++; seen[text] == 2 {
					return text, true
				}
			}
		}
	}
	return "", false
}

// stripes gives the blocks that look most like bars: those whose gradients are strong and point one way (the structure tensor's
// coherence). A QR code's point in two.
func (p *picture) stripes() []stripes {
	w, h := p.w/barBlock, p.h/barBlock
	blocks := make([]tensor, w*h)
	for i := range blocks {
		blocks[i] = p.tensor(i%w*barBlock, i/w*barBlock)
	}
	var found []stripes
	for i := range blocks {
		x, y := i%w, i/w
		var around tensor // several blocks know the way better than one
		for ny := max(y-1, 0); ny <= min(y+1, h-1); ny++ {
			for nx := max(x-1, 0); nx <= min(x+1, w-1); nx++ {
				around.add(blocks[ny*w+nx])
			}
		}
		one := around.oneWay()
		if one < 0.5 {
			continue
		}
		sin, cos := math.Sincos(0.5 * math.Atan2(2*around.xy, around.xx-around.yy))
		found = append(found, stripes{
			middle: point{(float64(x) + 0.5) * barBlock, (float64(y) + 0.5) * barBlock},
			across: point{cos, sin},
			weight: (around.xx + around.yy) * one * one,
		})
	}
	slices.SortStableFunc(found, func(a, b stripes) int { return cmp.Compare(b.weight, a.weight) })
	return found[:min(len(found), barBlocks)]
}

// tensor is the sum of a block's gradients, each multiplied with itself.
type tensor struct{ xx, yy, xy float64 }

func (t *tensor) add(o tensor) { t.xx, t.yy, t.xy = t.xx+o.xx, t.yy+o.yy, t.xy+o.xy }

// oneWay is 1 where all gradients lie on one line and 0 where they point everywhere.
func (t tensor) oneWay() float64 {
	if all := t.xx + t.yy; all > 0 {
		return math.Hypot(t.xx-t.yy, 2*t.xy) / all
	}
	return 0
}

// tensor looks at the block whose top left corner is (x0, y0), at every other row.
func (p *picture) tensor(x0, y0 int) tensor {
	var xx, yy, xy int
	for y := max(y0, 1); y < min(y0+barBlock, p.h-1); y += 2 {
		above, row, below := p.pix[(y-1)*p.w:y*p.w], p.pix[y*p.w:(y+1)*p.w], p.pix[(y+1)*p.w:]
		for x := max(x0, 1); x < min(x0+barBlock, p.w-1); x++ {
			dx, dy := int(row[x+1])-int(row[x-1]), int(below[x])-int(above[x])
			xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
		}
	}
	return tensor{float64(xx), float64(yy), float64(xy)}
}

// row gives the greys on the line through c, as far as it is in the picture, the mean of five side by side.
func (p *picture) row(c, along point) []float64 {
	var out []float64
	reach := math.Hypot(float64(p.w), float64(p.h))
	for t := -reach; t < reach; t++ {
		x, y := c.x+t*along.x, c.y+t*along.y
		if x < 0 || y < 0 || x >= float64(p.w) || y >= float64(p.h) {
			if len(out) > 0 {
				break
			}
			continue
		}
		v := 0.0
		for side := -2.0; side <= 2; side++ {
			v += p.at(x-side*along.y, y+side*along.x)
		}
		out = append(out, v/5)
	}
	return out
}

// barsIn reads a line in both directions.
func barsIn(reader oned.RowDecoder, row []float64) (string, bool) {
	const (
		fine = 2  // bars of a pixel and a half are not rounded to one or two
		r    = 24 // how far a place is compared with those beside it, in pixels
	)
	n := len(row)
	if n < 60 {
		return "", false
	}
	sum := make([]float64, n+1)
	for i, v := range row {
		sum[i+1] = sum[i] + v
	}
	forth, back := gozxing.NewBitArray(n*fine), gozxing.NewBitArray(n*fine)
	for i := range n * fine {
		x := max((float64(i)+0.5)/fine-0.5, 0)
		k := min(int(x), n-1)
		f := x - float64(k)
		v := row[k]*(1-f) + row[min(k+1, n-1)]*f
		a, b := max(k-r, 0), min(k+r+1, n)
		if v < (sum[b]-sum[a])/float64(b-a)*0.97 {
			forth.Set(i)
			back.Set(n*fine - 1 - i)
		}
	}
	for _, bits := range [2]*gozxing.BitArray{forth, back} {
		if text, ok := barRow(reader, bits); ok {
			return text, true
		}
	}
	return "", false
}

// barRow reads a line. The library panics on some damaged codes; that is a code that cannot be read.
func barRow(reader oned.RowDecoder, bits *gozxing.BitArray) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	result, err := reader.DecodeRow(0, bits, nil)
	if err != nil {
		return "", false
	}
	return result.GetText(), len(result.GetText()) >= barChars
}
