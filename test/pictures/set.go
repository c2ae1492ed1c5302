// Package pictures makes hard photographs of codes: blurred, with glare, askew, turned, pale, curved, crumpled, on screens that are
// dim, cracked or show moiré. The same seed always gives the same pictures.
package pictures

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"strings"
)

// Picture is one photograph and what its codes say.
type Picture struct {
	Kind string
	Nr   int
	Want []string
	Gray *image.Gray
}

// Size of the photographs.
const (
	Width  = 1280
	Height = 720
)

// Kind is a way in which photographs are hard.
type Kind struct {
	Name  string
	Count int
	take  func(*scene) (*image.Gray, error)
}

// scene is one photograph that is being made.
type scene struct {
	context.Context
	*rand.Rand
	nr   int
	want []string
}

// Make makes the nr-th picture of a kind.
func (k Kind) Make(ctx context.Context, seed uint64, nr int) (Picture, error) {
	s := &scene{Context: ctx, Rand: rand.New(rand.NewPCG(seed, uint64(nr)<<32|number(k.Name))), nr: nr}
	img, err := k.take(s)
	if err != nil {
		return Picture{}, fmt.Errorf("picture %s %d: %w", k.Name, nr, err)
	}
	return Picture{Kind: k.Name, Nr: nr, Want: s.want, Gray: img}, nil
}

func number(name string) (n uint64) {
	for _, c := range name {
		n = n*31 + uint64(c)
	}
	return n & math.MaxUint32
}

// between draws a number.
func (s *scene) between(low, high float64) float64 { return low + s.Float64()*(high-low) }

// code gives a sheet with a code of one of three sizes: a booking's, a slip's or a long one.
func (s *scene) code() (sheet, error) {
	const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghijkmnopqrstvwxyz"
	random := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(letters[s.IntN(len(letters))])
		}
		return b.String()
	}
	var text string
	switch s.nr % 3 {
	case 0:
		text = fmt.Sprintf("AP202601%08d", s.IntN(1e8))
	case 1:
		text = "http://192.0.2.10:8080/t/HE1." + random(26) + "." + random(22)
	default:
		text = "https://yss.example.cn/c?v=2&t=" + random(100)
	}
	s.want = append(s.want, text)
	return qrSheet(text, "M", s.Rand)
}

// lays gives a sheet of about side pixels somewhere near the middle of the picture, turned by any angle.
func (s *scene) lays(of sheet, side, tilt float64) lay {
	return flatLay(s.between(500, 780), s.between(320, 400), side/(2*of.half), s.between(0, 360), tilt, s.between(0, 360))
}

// plain gives a picture of one code of about side pixels, tilted a little.
func (s *scene) plain(side float64, l light) (*image.Gray, error) {
	of, err := s.code()
	if err != nil {
		return nil, err
	}
	return shot(Width, Height, l, placed{of, s.lays(of, side, s.between(0, 15))}), nil
}

// ink is a code on paper in the light of a hall.
func ink() light { return light{dark: 45, paper: 205} }

// screen is a code on a phone.
func screen() light { return light{dark: 20, paper: 235} }

// Kinds gives all kinds.
func Kinds() []Kind {
	return []Kind{
		{"rotation", 72, rotation}, {"gaussian blur", 12, gaussian}, {"motion blur", 12, motion}, {"glare", 14, glare},
		{"perspective", 16, perspective}, {"low contrast", 12, pale}, {"curved", 16, cylinder}, {"crumpled", 14, crumple},
		{"dim phone", 12, dim}, {"cracked phone", 12, cracked}, {"moire", 12, moire}, {"noise", 12, noise}, {"jpeg", 21, jpegs},
		{"mjpeg", 8, mjpeg}, {"small", 14, small}, {"inverted", 12, inverted}, {"several", 9, several}, {"barrel lens", 8, barrel},
		{"waves", 8, waves}, {"handheld", 16, handheld}, {"bars", 18, bars},
	}
}

// Decoys gives kinds of pictures in which there is nothing to read, and much that looks like it.
func Decoys() []Kind { return []Kind{{"torn", 6, torn}, {"printed", 2, printed}} }
