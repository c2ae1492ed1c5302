package qr

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What was seen through a plane gives the same plane again.
func TestFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := func(low, high float64) float64 { return rapid.Float64Range(low, high).Draw(t, "number") }
		dim := float64(17 + 4*rapid.IntRange(1, 40).Draw(t, "version"))
		angle, size := number(-math.Pi, math.Pi), number(1, 20)
		sin, cos := math.Sincos(angle)
		want := plane{size * cos, -size * sin, number(0, 2000), size * sin, size * cos, number(0, 2000), number(-0.2, 0.2) / dim, number(-0.2, 0.2) / dim}
		var pairs []pair
		for _, c := range []point{{0, 0}, {dim, 0}, {0, dim}, {dim, dim}, {dim / 2, dim / 3}} {
			pairs = append(pairs, pair{c, want.at(c.x, c.y), number(0.5, 12)})
		}
		got, ok := fit(pairs, dim, true)
		if !ok {
			t.Fatal("no plane")
		}
		for _, c := range []point{{3.5, 3.5}, {dim - 7, 6}, {dim / 2, dim}} {
			if off := got.at(c.x, c.y).minus(want.at(c.x, c.y)).length(); off > 0.01 {
				t.Fatalf("%v is %g pixels off", c, off)
			}
		}
	})
}

func TestFitOfALine(t *testing.T) {
	t.Parallel()
	var pairs []pair
	for i := range 5 {
		pairs = append(pairs, pair{point{float64(i), float64(i)}, point{float64(3 * i), float64(2 * i)}, 1})
	}
	if _, ok := fit(pairs, 21, true); ok {
		t.Error("a plane through points in a line")
	}
}

// The rows and columns of alignment patterns in table E.1 of the standard.
func TestAlignments(t *testing.T) {
	t.Parallel()
	for version, want := range map[int][]int{
		1: nil, 2: {18}, 6: {34}, 7: {6, 22, 38}, 13: {6, 34, 62}, 14: {6, 26, 46, 66}, 22: {6, 26, 50, 74, 98}, 28: {6, 26, 50, 74, 98, 122},
		32: {6, 34, 60, 86, 112, 138}, 36: {6, 24, 50, 76, 102, 128, 154}, 39: {6, 26, 54, 82, 110, 138, 166}, 40: {6, 30, 58, 86, 114, 142, 170},
	} {
		all := alignments(17 + 4*version)
		var lines []int
		for _, p := range all {
			if x := int(p.x); !slices.Contains(lines, x) {
				lines = append(lines, x)
			}
		}
		slices.Sort(lines)
		n := len(lines)
		if !slices.Equal(lines, want) || n > 1 && len(all) != n*n-3 {
			t.Errorf("version %d: %d patterns on the lines %v, want %v", version, len(all), lines, want)
		}
	}
}

// A grid of modules that are all known looks like a code, and its negative does not.
func TestLooks(t *testing.T) {
	t.Parallel()
	m := modules{dim: 25, grey: make([]float64, 625)}
	for i := range m.grey {
		m.grey[i] = 128 - 100*float64(known(i%25, i/25, 25))
	}
	if l := m.looks(m.one()); l != 1 {
		t.Errorf("looks %g", l)
	}
	for i, v := range m.grey {
		m.grey[i] = 256 - v
	}
	if l := m.looks(m.one()); l > 0.1 {
		t.Errorf("the negative looks %g", l)
	}
}
