package tlcp

import (
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"

	"halledge/agent/kit/gm"
)

// premaster is the length of the secret that a client wraps for the server.
const premaster = 48

// signer signs for the library, and tells why when it cannot.
type signer struct {
	crypto.Signer
	broken func(error)
}

func newSigner(k gm.PrivateKey, broken func(error)) signer { return signer{k.Signer(), broken} }

// Sign implements crypto.Signer.
func (s signer) Sign(r io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	sig, err := s.Signer.Sign(r, message, o)
	if err != nil {
		s.broken(err)
	}
	return sig, err
}

// decrypter opens the wrapped secret of one handshake. What cannot be opened is answered with a secret drawn at random, so that the
// handshake fails a step later, as with a secret that was opened and is a wrong one (RFC 5246 §7.4.7.1): who sends ciphertexts learns
// nothing from the answers.
type decrypter struct {
	key    gm.PrivateKey
	failed func()      // one that could not be opened
	broken func(error) // the key cannot be used now
}

// Public implements crypto.Decrypter.
func (d *decrypter) Public() crypto.PublicKey { return d.key.Public().Standard() }

// Decrypt implements crypto.Decrypter. The library hands over point, digest and text in a row, after a parser that lets anything pass.
func (d *decrypter) Decrypt(_ io.Reader, row []byte, _ crypto.DecrypterOpts) ([]byte, error) {
	instead := make([]byte, premaster)
	_, _ = rand.Read(instead) // never fails: crypto/rand ends the program instead
	secret, err := d.key.Unwrap(inDER(row))
	if err == nil && len(secret) == premaster {
		return secret, nil
	}
	var unusable *gm.KeyError
	if errors.As(err, &unusable) {
		d.broken(err)
		return nil, err
	}
	d.failed()
	return instead, nil
}

// inDER gives the standard form of 0x04 | x (32) | y (32) | digest (32) | text; nothing for something else.
func inDER(row []byte) []byte {
	if len(row) != 1+3*gm.Size+premaster || row[0] != 4 {
		return nil
	}
	at := func(i int) []byte { return row[1+i*gm.Size : 1+(i+1)*gm.Size] }
	der, err := asn1.Marshal(struct {
		X, Y         *big.Int
		Digest, Text []byte
	}{new(big.Int).SetBytes(at(0)), new(big.Int).SetBytes(at(1)), at(2), row[1+3*gm.Size:]})
	if err != nil {
		return nil
	}
	return der
}
