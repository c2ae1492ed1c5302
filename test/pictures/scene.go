package pictures

import (
	"image"
	"math"
	"math/rand/v2"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// sheet is something flat with a code on it. Its middle is (0, 0), and code modules, or the narrowest bars, are 1 wide.
type sheet struct {
	half  float64 // half of the code's width
	paper float64 // half of the width of what it stands on
	top   float64 // how far the paper goes above the middle
	deep  float64 // and below
	dark  func(x, y float64) bool
}

// qrSheet gives a QR code on a slip, with lines of print below it.
func qrSheet(text, level string, r *rand.Rand) (sheet, error) {
	hints := map[gozxing.EncodeHintType]any{gozxing.EncodeHintType_ERROR_CORRECTION: level, gozxing.EncodeHintType_MARGIN: 0}
	m, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, 0, 0, hints)
	if err != nil {
		return sheet{}, err
	}
	n := m.GetWidth()
	half := float64(n) / 2
	print := make([]bool, 4096)
	for i := range print {
		print[i] = r.IntN(5) < 2
	}
	s := sheet{half: half, paper: half + 4, top: half + 4, deep: half + 4 + float64(n)/4}
	s.dark = func(x, y float64) bool {
		if math.Abs(x) < half && math.Abs(y) < half {
			return m.Get(int(x+half), int(y+half))
		}
		if row := int((y - half - 4) / 1.2); y > half+4 && y < s.deep-2 && row%3 != 0 && math.Abs(x) < half {
			return print[(row*97+int((x+half)/1.1))%len(print)]
		}
		return false
	}
	return s, nil
}

// barSheet gives a Code 128 on a slip.
func barSheet(text string) (sheet, error) {
	m, err := oned.NewCode128Writer().Encode(text, gozxing.BarcodeFormat_CODE_128, 0, 1, map[gozxing.EncodeHintType]any{gozxing.EncodeHintType_MARGIN: 0})
	if err != nil {
		return sheet{}, err
	}
	half := float64(m.GetWidth()) / 2
	tall := half / 3
	return sheet{half: half, paper: half + 12, top: tall + 10, deep: tall + 10, dark: func(x, y float64) bool {
		return math.Abs(x) < half && math.Abs(y) < tall && m.Get(int(x+half), 0)
	}}, nil
}

// lay is how a sheet lies before the camera: where a point of the picture is on the sheet.
type lay func(x, y float64) (u, v float64)

// flatLay turns a sheet by an angle in degrees around its middle, tilts it by tilt degrees about an axis at turn degrees, and shows
// it with scale pixels a module around (cx, cy).
func flatLay(cx, cy, scale, angle, tilt, turn float64) lay {
	sin, cos := math.Sincos(angle * math.Pi / 180)
	as, ac := math.Sincos(turn * math.Pi / 180)
	ts, tc := math.Sincos(tilt * math.Pi / 180)
	const distance = 900.0 // of the camera, in pixels: a code of 250 pixels fills 16 degrees
	return func(x, y float64) (u, v float64) {
		x, y = x-cx, y-cy
		a, b := x*ac+y*as, -x*as+y*ac // along the axis and across it
		across := distance * b / (distance*tc - b*ts)
		depth := distance + across*ts
		along := a * depth / distance
		x, y = along*ac-across*as, along*as+across*ac
		return (x*cos + y*sin) / scale, (-x*sin + y*cos) / scale
	}
}

// curved rolls a sheet around a cylinder of radius modules whose axis has an angle in degrees on the sheet.
func curved(of lay, radius, angle float64) lay {
	sin, cos := math.Sincos(angle * math.Pi / 180)
	return func(x, y float64) (float64, float64) {
		u, v := of(x, y)
		a, b := u*cos+v*sin, -u*sin+v*cos
		if math.Abs(b) >= radius*0.99 {
			return math.Inf(1), 0
		}
		b = radius * math.Asin(b/radius)
		a *= 1 + (1-math.Cos(b/radius))*0.15 // what bends away is farther off
		return a*cos - b*sin, a*sin + b*cos
	}
}

// crumpled moves every place of a sheet by a few waves of up to depth modules; shade says how light a place is.
func crumpled(of lay, depth float64, r *rand.Rand) (lay, func(u, v float64) float64) {
	type wave struct{ x, y, phase, dx, dy float64 }
	var waves []wave
	for range 6 {
		angle, length := r.Float64()*2*math.Pi, 14+r.Float64()*30
		sin, cos := math.Sincos(angle)
		to := r.Float64() * 2 * math.Pi
		waves = append(waves, wave{2 * math.Pi * cos / length, 2 * math.Pi * sin / length, r.Float64() * 7, depth / 3 * math.Cos(to), depth / 3 * math.Sin(to)})
	}
	moved := func(x, y float64) (float64, float64) {
		u, v := of(x, y)
		du, dv := 0.0, 0.0
		for _, w := range waves {
			s := math.Sin(u*w.x + v*w.y + w.phase)
			du, dv = du+w.dx*s, dv+w.dy*s
		}
		return u + du, v + dv
	}
	shade := func(u, v float64) float64 {
		s := 0.0
		for _, w := range waves[:4] {
			s += math.Abs(math.Cos(u*w.x + v*w.y + w.phase)) // folds are sharp
		}
		return 1.08 - 0.13*s
	}
	return moved, shade
}

// light is what a camera gets from a scene.
type light struct {
	dark, paper float64                       // greys of the code
	shade       func(u, v float64) float64    // on the sheet; nil: even
	over        func(x, y, v float64) float64 // on the lens; nil: nothing
}

// table is what lies around the sheet.
func table(x, y float64) float64 {
	grain := math.Sin(x*0.05+3*math.Sin(y*0.011)) + 0.6*math.Sin(x*0.21+y*0.013)
	return 105 + 14*grain + 0.02*x - 0.03*y
}

// shot photographs sheets on a table, with four looks a pixel.
func shot(w, h int, lights light, what ...placed) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, w, h))
	const fine = 3
	for y := range h {
		for x := range w {
			cx, cy := float64(x)+0.5, float64(y)+0.5
			v := 0.0
			if !near(cx, cy, what) {
				v = lights.at(cx, cy, nil) // a table has no edges
			} else {
				for k := range fine * fine {
					v += lights.at(cx+(float64(k%fine)-1)/fine, cy+(float64(k/fine)-1)/fine, what) / (fine * fine)
				}
			}
			img.Pix[y*img.Stride+x] = uint8(min(max(v+0.5, 0), 255))
		}
	}
	return img
}

// placed is a sheet where it lies.
type placed struct {
	sheet
	lay
}

// near reports whether a place of the picture is on a sheet or at its edge.
func near(x, y float64, what []placed) bool {
	for _, p := range what {
		if u, v := p.lay(x, y); math.Abs(u) < p.paper+2 && v > -p.top-2 && v < p.deep+2 {
			return true
		}
	}
	return false
}

func (l light) at(x, y float64, what []placed) float64 {
	v := table(x, y)
	for _, p := range what {
		u, w := p.lay(x, y)
		if math.Abs(u) > p.paper || w < -p.top || w > p.deep {
			continue
		}
		v = l.paper
		if p.dark(u, w) {
			v = l.dark
		}
		if l.shade != nil {
			v *= l.shade(u, w)
		}
	}
	if l.over != nil {
		v = l.over(x, y, v)
	}
	return v
}
