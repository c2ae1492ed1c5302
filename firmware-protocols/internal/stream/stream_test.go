package stream

import (
	"bytes"
	"testing"
)

// framed is the size of frames that begin with F and how many bytes follow.
func framed(b []byte) int {
	switch {
	case b[0] != 'F':
		return -1
	case len(b) < 2:
		return 0
	}
	return 2 + int(b[1]-'0')
}

func TestFind(t *testing.T) {
	for in, want := range map[string]struct {
		found            int
		waiting, garbage int
	}{
		"": {}, "xx": {0, 0, 2}, "F": {0, 1, 0}, "xF2a": {0, 3, 1}, "F0F1aF2ab": {3, 0, 0}, "xF1ayF0z": {2, 0, 3}, "F1": {0, 2, 0},
	} {
		for piece := 1; piece <= len(in)+1; piece++ {
			var w Window
			found := 0
			for b := []byte(in); len(b) > 0; b = b[min(piece, len(b)):] {
				w.Push(b[:min(piece, len(b))])
				for w.Find(framed) {
					found++
				}
			}
			if found != want.found || w.Waiting() != want.waiting || w.Garbage() != uint64(want.garbage) {
				t.Errorf("%q by %d: %d frames, %d waiting, %d of garbage", in, piece, found, w.Waiting(), w.Garbage())
			}
		}
	}
}

func TestWindowIsBounded(t *testing.T) {
	var w Window
	w.Push(append(bytes.Repeat([]byte{'x'}, 3*Kept), "F1"...))
	if w.Waiting() != Kept || w.Garbage() != 2*Kept+2 {
		t.Errorf("%d waiting, %d of garbage", w.Waiting(), w.Garbage())
	}
	if w.Find(framed) || w.Waiting() != 2 {
		t.Errorf("%d waiting after the search", w.Waiting())
	}
	w.Clear()
	w.Waste(1)
	if w.Waiting() != 0 || w.Garbage() != 3*Kept+3 {
		t.Errorf("%d waiting, %d of garbage after all", w.Waiting(), w.Garbage())
	}
}
