package mjpeg

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// ErrPicture says that bytes are no JPEG as far as its coded data.
var ErrPicture = errors.New("no JPEG")

// maxScans is as many as a picture of motion JPEG can have: one for each component. A few bytes that ask for thousands would keep a
// machine busy for minutes.
const maxScans = 4

// Picture is a JPEG that was looked into.
type Picture struct {
	Width, Height int // pixels; Height is 0 in a JPEG that says it after its data, which is none that cameras send
	Data          []byte
}

// Parse looks into a JPEG without decoding it, and adds the Huffman tables if it has none: most cameras leave them away, because they
// are always those of T.81, annex K.3 (USB video class, payload MJPEG, 1.5, section 3.3). Its size comes from the header, so
// that nobody need unpack a picture to learn that it is too big. It fails with ErrPicture, also for a JPEG of too many scans.
func Parse(data []byte) (Picture, error) {
	if !bytes.HasPrefix(data, start[:]) {
		return Picture{}, fmt.Errorf("%w: it does not begin as one", ErrPicture)
	}
	if n := Scans(data); n > maxScans {
		return Picture{}, fmt.Errorf("%w: %d scans", ErrPicture, n)
	}
	p := Picture{Data: data}
	tables := false
	for at := 2; at+4 <= len(data); {
		if data[at] != 0xFF {
			return Picture{}, fmt.Errorf("%w: no marker at byte %d", ErrPicture, at)
		}
		marker, n := data[at+1], int(data[at+2])<<8|int(data[at+3])
		switch {
		case marker == 0xFF:
			at++
			continue
		case n < 2 || at+2+n > len(data):
			return Picture{}, fmt.Errorf("%w: the segment at byte %d ends outside", ErrPicture, at)
		case marker == dht:
			tables = true
		case marker == sos && p.Width == 0:
			return Picture{}, fmt.Errorf("%w: no frame header", ErrPicture)
		case marker == sos:
			if !tables {
				p.Data = slices.Concat(data[:at], standardTables(), data[at:])
			}
			return p, nil
		case marker >= sof0 && marker <= sofF && marker != jpg && marker != dac: // dht was above
			if n < 8 {
				return Picture{}, fmt.Errorf("%w: a frame header of %d bytes", ErrPicture, n)
			}
			frame := data[at+4:]
			p.Height, p.Width = int(frame[1])<<8|int(frame[2]), int(frame[3])<<8|int(frame[4])
		}
		at += 2 + n
	}
	return Picture{}, fmt.Errorf("%w: no coded data", ErrPicture)
}

// Scans counts the scans of a JPEG: how often its pixels are gone through when it is unpacked. Those of pictures inside its segments,
// such as a thumbnail, count too.
func Scans(data []byte) int { return bytes.Count(data, []byte{0xFF, sos}) }

// standardTables gives a segment with the typical Huffman tables of T.81, tables K.3 to K.6.
func standardTables() []byte {
	out := []byte{0xFF, dht, 0, 0}
	for _, t := range [4]struct {
		class  byte   // 0 DC or 0x10 AC, plus 0 for luminance or 1 for chrominance
		counts string // of the codes of 1 to 16 bits
		values string
	}{
		{0x00, "00010501010101010100000000000000", "000102030405060708090a0b"},
		{0x10, "0002010303020403050504040000017d", acLuminance},
		{0x01, "00030101010101010101010000000000", "000102030405060708090a0b"},
		{0x11, "00020102040403040705040400010277", acChrominance},
	} {
		out = append(out, t.class)
		out, _ = hex.AppendDecode(out, []byte(t.counts)) // constants above, which the tests decode
		out, _ = hex.AppendDecode(out, []byte(t.values))
	}
	n := len(out) - 2
	out[2], out[3] = byte(n>>8), byte(n)
	return out
}

const (
	acLuminance = "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a343536373839" +
		"3a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7" +
		"a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
	acChrominance = "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738" +
		"393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5" +
		"a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)
