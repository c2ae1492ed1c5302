package pictures

import (
	"fmt"
	"image"
	"math"
)

// rotation turns a code by 5 degrees more each time.
func rotation(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	return shot(Width, Height, ink(), placed{of, flatLay(640, 360, s.between(240, 420)/(2*of.half), float64(s.nr)*5, 0, 0)}), nil
}

// gaussian is out of focus by up to three quarters of a module.
func gaussian(s *scene) (*image.Gray, error) {
	side := s.between(220, 400)
	img, err := s.plain(side, ink())
	if err != nil {
		return nil, err
	}
	return ffmpeg(s, img, fmt.Sprintf("gblur=sigma=%.2f:steps=3", side/s.modules()*s.between(0.4, 0.75)))
}

// modules is about how many modules the code of this picture is wide.
func (s *scene) modules() float64 { return [3]float64{25, 37, 45}[s.nr%3] }

// motion moves the hand by one to nearly two modules.
func motion(s *scene) (*image.Gray, error) {
	side := s.between(240, 420)
	img, err := s.plain(side, ink())
	if err != nil {
		return nil, err
	}
	return moved(s, img, side/s.modules()*s.between(0.5, 0.9))
}

// moved moves the hand while the picture is taken, in any direction; sigma says how far, in pixels.
func moved(s *scene, img *image.Gray, sigma float64) (*image.Gray, error) {
	return magick(s, img, "-motion-blur", fmt.Sprintf("%.0fx%.1f+%d", 2*sigma+1, sigma, s.IntN(360)))
}

// glare is one to three spots in which everything is white.
func glare(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	side := s.between(260, 420)
	l := ink()
	type spot struct{ x, y, r float64 }
	var spots []spot
	for range 1 + s.IntN(3) {
		spots = append(spots, spot{s.between(-0.3, 0.3) * side, s.between(-0.3, 0.3) * side, s.between(0.035, 0.065) * side})
	}
	cx, cy := s.between(500, 780), s.between(320, 400)
	l.over = func(x, y, v float64) float64 {
		for _, p := range spots {
			d := math.Hypot(x-cx-p.x, y-cy-p.y) / p.r
			v += 260*math.Exp(-d*d/2) + 60*math.Exp(-d*d/32)
		}
		return v
	}
	return shot(Width, Height, l, placed{of, flatLay(cx, cy, side/(2*of.half), s.between(0, 360), 10, s.between(0, 360))}), nil
}

// perspective tilts a code by 30 to 55 degrees.
func perspective(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	return shot(Width, Height, ink(), placed{of, s.lays(of, s.between(300, 440), s.between(30, 55))}), nil
}

// pale has a tenth of the contrast, on a sheet that gets darker to one side.
func pale(s *scene) (*image.Gray, error) {
	dark := s.between(60, 150)
	l := light{dark: dark, paper: dark + s.between(18, 32)}
	l.over = func(x, _, v float64) float64 { return v * (0.8 + 0.4*x/Width) }
	img, err := s.plain(s.between(240, 400), l)
	if err != nil {
		return nil, err
	}
	return ffmpeg(s, img, fmt.Sprintf("noise=c0s=6:c0_seed=%d", s.IntN(1000)))
}

// cylinder rolls a slip around a finger, a bottle or itself.
func cylinder(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	bent := curved(s.lays(of, s.between(280, 420), s.between(0, 20)), of.half*s.between(1.3, 2.2), s.between(0, 180))
	return shot(Width, Height, ink(), placed{of, bent}), nil
}

// crumple is a slip that was in a pocket.
func crumple(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	moved, shade := crumpled(s.lays(of, s.between(280, 420), s.between(0, 15)), s.between(0.4, 0.9), s.Rand)
	l := ink()
	l.shade = shade
	return shot(Width, Height, l, placed{of, moved}), nil
}

// dim is a phone at its darkest, seen by a camera that is set for the hall.
func dim(s *scene) (*image.Gray, error) {
	img, err := s.plain(s.between(240, 400), light{dark: 8, paper: s.between(26, 45)})
	if err != nil {
		return nil, err
	}
	return ffmpeg(s, img, fmt.Sprintf("noise=c0s=8:c0_seed=%d", s.IntN(1000)))
}

// cracked is a phone whose glass is broken: lines from one place, light on dark and dark on light.
func cracked(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	side := s.between(280, 420)
	cx, cy := s.between(500, 780), s.between(320, 400)
	x0, y0 := cx+s.between(-0.6, 0.6)*side, cy+s.between(-0.6, 0.6)*side
	type crack struct{ angle, width, grey, bow float64 }
	var cracks []crack
	for range 5 + s.IntN(4) {
		cracks = append(cracks, crack{s.between(-math.Pi, math.Pi), s.between(0.6, 2), s.between(10, 250), s.between(-0.001, 0.001)})
	}
	l := screen()
	l.over = func(x, y, v float64) float64 {
		for _, c := range cracks {
			sin, cos := math.Sincos(c.angle)
			along, across := (x-x0)*cos+(y-y0)*sin, -(x-x0)*sin+(y-y0)*cos
			if along > 0 && math.Abs(across-c.bow*along*along) < c.width {
				v = c.grey
			}
		}
		return v
	}
	return shot(Width, Height, l, placed{of, flatLay(cx, cy, side/(2*of.half), s.between(0, 360), 10, s.between(0, 360))}), nil
}

// moire is the beat between a screen's pixels and the camera's, and the band of its refresh.
func moire(s *scene) (*image.Gray, error) {
	a, b := s.between(0, math.Pi), s.between(0, math.Pi)
	long, short, band := s.between(30, 90), s.between(3, 9), s.between(80, 300)
	deep := s.between(0.2, 0.4)
	wave := func(x, y, angle, length float64) float64 {
		sin, cos := math.Sincos(angle)
		return math.Sin((x*cos + y*sin + 12*math.Sin(y/130)) * 2 * math.Pi / length)
	}
	l := light{dark: 35, paper: 200}
	l.over = func(x, y, v float64) float64 {
		return (v + 10) * (1 + deep*wave(x, y, a, long)*0.6 + deep*wave(x, y, b, short)*0.6 + 0.25*wave(x, y, math.Pi/2, band))
	}
	return s.plain(s.between(260, 420), l)
}

// noise is a camera in the dark.
func noise(s *scene) (*image.Gray, error) {
	img, err := s.plain(s.between(240, 400), ink())
	if err != nil {
		return nil, err
	}
	return ffmpeg(s, img, fmt.Sprintf("noise=c0s=%d:c0_seed=%d", 40+s.IntN(61), s.IntN(1000)))
}

// jpegs has the qualities from 10 to 30.
func jpegs(s *scene) (*image.Gray, error) {
	img, err := s.plain(s.between(200, 400), ink())
	if err != nil {
		return nil, err
	}
	return compressed(img, 10+s.nr)
}

// mjpeg is the worst a camera sends.
func mjpeg(s *scene) (*image.Gray, error) {
	img, err := s.plain(s.between(200, 400), ink())
	if err != nil {
		return nil, err
	}
	return photographed(s, img, 24+s.nr)
}

// small has modules of 1.7 to 2.6 pixels.
func small(s *scene) (*image.Gray, error) { return s.plain(s.modules()*s.between(1.7, 2.6), ink()) }

// inverted is light on dark, as phones show codes at night.
func inverted(s *scene) (*image.Gray, error) {
	return s.plain(s.between(200, 400), light{dark: 220, paper: 25})
}

// several has two or three codes beside each other.
func several(s *scene) (*image.Gray, error) {
	var all []placed
	n := 2 + s.nr%2
	for i := range n {
		of, err := s.code()
		if err != nil {
			return nil, err
		}
		x := Width * (float64(i) + 0.5) / float64(n)
		all = append(all, placed{of, flatLay(x, 360, s.between(180, 240)/(2*of.half), s.between(0, 360), s.between(0, 20), s.between(0, 360))})
	}
	return shot(Width, Height, ink(), all...), nil
}

// barrel is a cheap wide lens.
func barrel(s *scene) (*image.Gray, error) {
	img, err := s.plain(s.between(260, 420), ink())
	if err != nil {
		return nil, err
	}
	return magick(s, img, "-virtual-pixel", "edge", "-distort", "barrel", fmt.Sprintf("0 0 %.2f 1", s.between(0.1, 0.3)))
}

// waves is a slip that lies on others.
func waves(s *scene) (*image.Gray, error) {
	img, err := s.plain(s.between(280, 420), ink())
	if err != nil {
		return nil, err
	}
	wave := fmt.Sprintf("%.1fx%.0f", s.between(4, 9), s.between(260, 500))
	return magick(s, img, "-virtual-pixel", "edge", "-wave", wave, "-gravity", "center", "-crop", fmt.Sprintf("%dx%d+0+0", Width, Height), "+repage")
}

// handheld is a little of all: tilted, unsteady, noisy, in half the light, and as the camera sends it.
func handheld(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	side := s.between(260, 420)
	l := light{dark: 30, paper: 120}
	l.over = func(x, y, v float64) float64 { return v * (0.7 + 0.5*x/Width + 0.2*y/Height) }
	img := shot(Width, Height, l, placed{of, s.lays(of, side, s.between(15, 35))})
	module := side / s.modules()
	if img, err = moved(s, img, module*s.between(0.2, 0.45)); err != nil {
		return nil, err
	}
	if img, err = ffmpeg(s, img, fmt.Sprintf("noise=c0s=%d:c0_seed=%d", 12+s.IntN(12), s.IntN(1000))); err != nil {
		return nil, err
	}
	return photographed(s, img, 10+s.IntN(8))
}

// bars is a Code 128 at any angle, blurred and noisy.
func bars(s *scene) (*image.Gray, error) {
	text := fmt.Sprintf("20261123%06d", s.IntN(1e6))
	s.want = []string{text}
	of, err := barSheet(text)
	if err != nil {
		return nil, err
	}
	img := shot(Width, Height, ink(), placed{of, flatLay(640, 360, s.between(2.2, 4), float64(s.nr)*20, s.between(0, 20), s.between(0, 360))})
	return ffmpeg(s, img, fmt.Sprintf("gblur=sigma=%.2f,noise=c0s=%d:c0_seed=%d", s.between(0.5, 1.2), s.IntN(20), s.IntN(1000)))
}

// torn is a slip whose code has finders and lines between them like any, and squares that say nothing, bent or tilted.
func torn(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	s.want = nil
	dark, n := of.dark, int(2*of.half)
	spoilt := make([]bool, n*n)
	for i := range spoilt {
		spoilt[i] = s.IntN(2) == 0
	}
	of.dark = func(x, y float64) bool {
		u, v := int(math.Floor(x+of.half)), int(math.Floor(y+of.half))
		if u < 0 || v < 0 || u >= n || v >= n || u == 6 || v == 6 || u < 9 && v < 9 || u >= n-8 && v < 9 || u < 9 && v >= n-8 {
			return dark(x, y)
		}
		return spoilt[v*n+u]
	}
	l := s.lays(of, s.between(240, 420), s.between(0, 30))
	if s.nr%2 == 1 {
		l = curved(l, of.half*s.between(1.3, 2.2), s.between(0, 180))
	}
	return shot(Width, Height, ink(), placed{of, l}), nil
}

// printed is a slip of squares within squares, as ornaments and logos have, and lines of print.
func printed(s *scene) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	s.want = nil
	below := of.dark
	of.dark = func(x, y float64) bool {
		if math.Abs(x) >= of.half || math.Abs(y) >= of.half {
			return below(x, y)
		}
		const tile = 9 // a finder and its margin
		u, v := math.Mod(x+of.half, tile)-tile/2, math.Mod(y+of.half, tile)-tile/2
		r := max(math.Abs(u), math.Abs(v))
		return r < 1.5 || r > 2.5 && r < 3.5
	}
	return shot(Width, Height, ink(), placed{of, s.lays(of, s.between(240, 420), s.between(0, 30))}), nil
}
