package gm

import "encoding/binary"

// SealKey seals a private key for the holder of another one, as the issuer of a certificate delivers the key that it has made (the key
// pair for encryption, GB/T 38636 §6.4.5.3). The record is
//
//	length of the wrap (2, big-endian) | a data key wrapped for to | the key in PKCS#8 sealed with it
//
// Who opens it must name the same parts. It fails with ErrInvalid for a key that another provider keeps.
func SealKey(key PrivateKey, to PublicKey, about ...string) ([]byte, error) {
	text, err := key.PEM()
	if err != nil {
		return nil, err
	}
	once := NewDataKey()
	wrapped, err := once.Wrap(to)
	if err != nil {
		return nil, err
	}
	sealed, err := once.Seal([]byte(text), about...)
	if err != nil {
		return nil, err
	}
	return append(append(binary.BigEndian.AppendUint16(nil, uint16(len(wrapped))), wrapped...), sealed...), nil
}

// UnsealKey gives the private key that SealKey sealed for k. It fails with ErrOpen, whatever is wrong with what it is given, or with
// *KeyError when k cannot be used now.
func (k PrivateKey) UnsealKey(sealed []byte, about ...string) (PrivateKey, error) {
	if len(sealed) < 2 {
		return PrivateKey{}, ErrOpen
	}
	n := int(binary.BigEndian.Uint16(sealed))
	if sealed = sealed[2:]; n > maxWrapped || n > len(sealed) {
		return PrivateKey{}, ErrOpen
	}
	once, err := k.UnwrapDataKey(sealed[:n])
	if err != nil {
		return PrivateKey{}, err
	}
	text, err := once.Open(sealed[n:], about...)
	if err != nil {
		return PrivateKey{}, err
	}
	key, err := ParsePrivateKey(string(text))
	if err != nil {
		return PrivateKey{}, ErrOpen
	}
	return key, nil
}
