package gm

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/asn1"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
)

// signature is the SEQUENCE of GM/T 0009 §7.3.
type signature struct{ R, S *big.Int }

// ciphertext is the SEQUENCE of GM/T 0009 §7.2: the point C1, the digest C3 and the encrypted bytes C2.
type ciphertext struct {
	X, Y *big.Int
	Hash []byte
	Text []byte
}

// coordinate is the length in bytes of a coordinate of a point.
const coordinate = 32

// canonicalSignature reports whether sig is a signature in DER with nothing before, after or between: libraries of these algorithms take
// more than that.
func canonicalSignature(sig []byte) bool {
	var v signature
	if len(sig) > maxSignature || !exactly(sig, &v) || v.R.Sign() <= 0 || v.S.Sign() <= 0 {
		return false
	}
	again, err := asn1.Marshal(v)
	return err == nil && bytes.Equal(again, sig)
}

// canonicalCiphertext reports the same of a ciphertext, and that its point is on the curve: from the answers to points of other curves
// the private key can be computed.
func canonicalCiphertext(der []byte) bool {
	var v ciphertext
	if len(der) > maxWrapped || !exactly(der, &v) || len(v.Hash) != Size || len(v.Text) == 0 || len(v.Text) > MaxSecret {
		return false
	}
	again, err := asn1.Marshal(v)
	if err != nil || !bytes.Equal(again, der) {
		return false
	}
	_, err = pointOf(v.X, v.Y)
	return err == nil
}

// pointOf gives the key at a point of the curve.
func pointOf(x, y *big.Int) (*ecdsa.PublicKey, error) {
	if x.Sign() < 0 || y.Sign() < 0 || x.BitLen() > 8*coordinate || y.BitLen() > 8*coordinate {
		return nil, ErrInvalid
	}
	point := make([]byte, 1+2*coordinate)
	point[0] = 4 // uncompressed
	x.FillBytes(point[1 : 1+coordinate])
	y.FillBytes(point[1+coordinate:])
	return sm2.NewPublicKey(point)
}

func exactly(der []byte, v any) bool {
	rest, err := asn1.Unmarshal(der, v)
	return err == nil && len(rest) == 0
}
