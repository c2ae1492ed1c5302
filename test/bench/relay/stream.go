package main

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// The stream that every camera sends: 15 pictures a second, a key frame every two seconds, about 1 Mbit/s in packets of at most
// 1400 bytes. Its bytes are noise; a relay looks at headers only.
const (
	fps       = 15
	group     = 30
	keyBytes  = 40_000
	restBytes = 7_200
	payload   = 1400
	header    = 4 + 12 // interleaved and RTP
	stampAt   = header + 2
)

// picture is a frame as it is written: all its packets, each with its interleaved header.
type picture struct {
	bytes   []byte
	packets []int // where each begins
}

func newPicture(size int, key bool) picture {
	noise := rand.NewChaCha8([32]byte{1})
	kind := byte(1)
	if key {
		kind = 5
	}
	var p picture
	for first := true; size > 0; first = false {
		n := min(size, payload)
		size -= n
		at := len(p.bytes)
		p.packets = append(p.packets, at)
		b := make([]byte, header+n)
		_, _ = noise.Read(b[header:]) // it never fails
		binary.BigEndian.PutUint16(b[2:], uint16(12+n))
		b[0], b[4], b[5] = '$', 0x80, 96
		b[header], b[header+1] = 0x60|28, kind // FU-A
		if first {
			b[header+1] |= 0x80
		}
		if size == 0 {
			b[5] |= 0x80
			b[header+1] |= 0x40
		}
		p.bytes = append(p.bytes, b...)
	}
	return p
}

// film is one group of pictures that all cameras share.
func film() []picture {
	out := []picture{newPicture(keyBytes, true)}
	for range group - 1 {
		out = append(out, newPicture(restBytes, false))
	}
	return out
}

// sender numbers the shared pictures for one camera.
type sender struct {
	film []picture
	next int
	seq  uint16
	ts   uint32
	buf  []byte
}

// picture gives the next one, with the moment it is sent in its last packet.
func (s *sender) picture(began time.Time) []byte {
	p := s.film[s.next%len(s.film)]
	s.next++
	s.buf = append(s.buf[:0], p.bytes...)
	for _, at := range p.packets {
		binary.BigEndian.PutUint16(s.buf[at+6:], s.seq)
		binary.BigEndian.PutUint32(s.buf[at+8:], s.ts)
		s.seq++
	}
	s.ts += 90000 / fps
	last := p.packets[len(p.packets)-1]
	binary.BigEndian.PutUint64(s.buf[last+stampAt:], uint64(time.Since(began)))
	return s.buf
}
