// Package mjpeg gives the pictures of a motion JPEG stream: JPEGs (ITU-T T.81) one after the other, as cameras and ffmpeg send them.
package mjpeg

import "bytes"

// MaxPicture is the size of the biggest picture, in bytes: one of 1920×1080 at the best quality is a tenth of it. What is longer is
// noise.
const MaxPicture = 4 << 20

// Markers of T.81, table B.1. Those from rst0 to rst7 and tem have no length.
const (
	sof0 = 0xC0
	dht  = 0xC4
	jpg  = 0xC8
	dac  = 0xCC
	sofF = 0xCF
	rst0 = 0xD0
	rst7 = 0xD7
	soi  = 0xD8
	eoi  = 0xD9
	sos  = 0xDA
	tem  = 0x01
)

var start = [3]byte{0xFF, soi, 0xFF}

// Reader cuts a stream into pictures. Its zero value is ready.
type Reader struct {
	buf     []byte
	at      int  // up to here the picture that begins at buf[0] has been walked through; 0: its beginning is looked for
	inScan  bool // the walk is in coded data, not between segments
	garbage int
}

// Garbage is how many bytes were thrown away until now.
func (r *Reader) Garbage() int { return r.garbage }

// Feed takes what arrived and gives the pictures that are whole now.
func (r *Reader) Feed(p []byte) [][]byte {
	r.buf = append(r.buf, p...)
	var all [][]byte
	for {
		if r.at == 0 && !r.seek() {
			return all
		}
		switch whole, ok := r.walk(); {
		case !ok: // it only looked like a picture's beginning; what was walked through is not walked through again
			r.drop(max(2, min(r.at, len(r.buf))))
		case whole:
			all = append(all, bytes.Clone(r.buf[:r.at]))
			r.buf = r.buf[r.at:]
			r.at, r.inScan = 0, false
		case len(r.buf) > MaxPicture:
			r.drop(len(r.buf))
			return all
		default:
			return all
		}
	}
}

// drop throws n bytes away and begins anew.
func (r *Reader) drop(n int) {
	r.garbage += n
	r.buf = r.buf[n:]
	r.at, r.inScan = 0, false
}

// seek finds the beginning of a picture.
func (r *Reader) seek() bool {
	if i := bytes.Index(r.buf, start[:]); i >= 0 {
		r.drop(i)
		r.at = 2
		return true
	}
	r.drop(max(0, len(r.buf)-len(start)+1))
	r.buf = bytes.Clone(r.buf) // lets go of what came before
	return false
}

// walk goes on through the segments; ok is false where no JPEG goes on so.
func (r *Reader) walk() (whole, ok bool) {
	for {
		if r.inScan {
			i := bytes.IndexByte(r.buf[min(r.at, len(r.buf)):], 0xFF)
			if i < 0 {
				r.at = max(r.at, len(r.buf))
				return false, true
			}
			r.at += i
		}
		if r.at+1 >= len(r.buf) {
			return false, true
		}
		marker := r.buf[r.at+1]
		switch {
		case r.buf[r.at] != 0xFF:
			return false, false
		case marker == 0xFF: // a filler
			r.at++
		case r.inScan && marker == 0, marker >= rst0 && marker <= rst7, marker == tem:
			r.at += 2
		case marker == eoi:
			r.at += 2
			return true, true
		case marker == 0, marker == soi:
			return false, false
		case r.at+3 >= len(r.buf):
			return false, true
		default:
			n := int(r.buf[r.at+2])<<8 | int(r.buf[r.at+3])
			if n < 2 {
				return false, false
			}
			r.at += 2 + n
			r.inScan = marker == sos
		}
	}
}
