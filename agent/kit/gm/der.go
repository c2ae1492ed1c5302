package gm

import (
	"bytes"
	"encoding/asn1"
	"math/big"
)

// signature is the SEQUENCE of GM/T 0009 §7.3.
type signature struct{ R, S *big.Int }

// canonical reports whether sig is a signature in DER with nothing before, after or between: libraries of these algorithms take
// more than that.
func canonical(sig []byte) bool {
	var v signature
	rest, err := asn1.Unmarshal(sig, &v)
	if err != nil || len(rest) != 0 || v.R.Sign() <= 0 || v.S.Sign() <= 0 {
		return false
	}
	again, err := asn1.Marshal(v)
	return err == nil && bytes.Equal(again, sig)
}
