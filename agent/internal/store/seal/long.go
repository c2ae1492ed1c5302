package seal

import (
	"encoding/binary"
	"strconv"

	"halledge/agent/kit/gm"
)

// What may be longer than one record is sealed in pieces, each after its length in 4 bytes, big-endian. Which piece it is, and whether it
// is the last one, is among what it is about, so that none can be left out or stand elsewhere.

// Long seals something of any length. It fails as Ring.Seal does.
func (r Ring) Long(plain []byte, about ...string) ([]byte, error) {
	out := make([]byte, 0, len(plain)+4+gm.Sealed)
	for i := 0; ; i++ {
		piece := plain[:min(len(plain), gm.MaxPlain)]
		plain = plain[len(piece):]
		rec, err := r.Seal(piece, pieceOf(about, i, len(plain) == 0)...)
		if err != nil {
			return nil, err
		}
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(rec))), rec...)
		if len(plain) == 0 {
			return out, nil
		}
	}
}

// OpenLong opens what Long sealed. It fails with gm.ErrOpen.
func (r Ring) OpenLong(sealed []byte, about ...string) (plain []byte, err error) {
	for i := 0; ; i++ {
		rec, rest, ok := next(sealed)
		if !ok {
			return nil, gm.ErrOpen
		}
		piece, err := r.Open(rec, pieceOf(about, i, len(rest) == 0)...)
		if err != nil {
			return nil, err
		}
		plain, sealed = append(plain, piece...), rest
		if len(rest) == 0 {
			return plain, nil
		}
	}
}

// First gives the first record of what Long sealed, which names the key. It is nil for what is no such thing.
func First(sealed []byte) []byte {
	rec, _, _ := next(sealed)
	return rec
}

func next(sealed []byte) (rec, rest []byte, ok bool) {
	if len(sealed) < 4 {
		return nil, nil, false
	}
	n, sealed := uint64(binary.BigEndian.Uint32(sealed)), sealed[4:]
	if n > uint64(len(sealed)) {
		return nil, nil, false
	}
	return sealed[:n], sealed[n:], true
}

func pieceOf(about []string, i int, last bool) []string {
	return append(append(make([]string, 0, len(about)+2), about...), strconv.Itoa(i), strconv.FormatBool(last))
}
