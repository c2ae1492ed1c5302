package gmtest

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// Mutations is how many mutated copies of each thing that is signed or sealed must be refused.
const Mutations = 10_000

// Mutated gives each n copies of b, always the same, that differ from it: cut off, longer, with bytes taken out or put in, bent in one bit,
// or with other bytes in some places. A copy is the caller's.
func Mutated(b []byte, n int, each func([]byte)) {
	r := rand.New(rand.NewPCG(1, uint64(len(b))))
	for n > 0 {
		m := bytes.Clone(b)
		switch at := r.IntN(len(m)); r.IntN(7) {
		case 0:
			m = m[:at]
		case 1:
			m = append(m, byte(r.Uint32()))
		case 2:
			m = slices.Delete(m, at, at+1)
		case 3:
			m = slices.Delete(m, at, min(len(m), at+1+r.IntN(64)))
		case 4:
			m = slices.Insert(m, at, byte(r.Uint32()))
		case 5:
			m[at] ^= 1 << r.IntN(8)
		default:
			for range 1 + r.IntN(4) {
				m[r.IntN(len(m))] = byte(r.Uint32())
			}
		}
		if bytes.Equal(m, b) {
			continue
		}
		each(m)
		n--
	}
}
