package gm

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"testing"

	"github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"
)

// octets is hexadecimal in the vectors.
type octets []byte

func (o *octets) UnmarshalText(b []byte) (err error) {
	*o, err = hex.DecodeString(string(b))
	return err
}

// vectors are the examples of the standards, and what must fail; each was checked with OpenSSL 3.0.19 and two libraries.
type vectors struct {
	Curve struct{ A, B, GX, GY, N, P octets } `json:"sm2_curve"`
	SM3   []struct {
		Name   string
		Msg    octets `json:"msg_hex"`
		Digest octets
	}
	HMAC []struct {
		Name string
		Key  octets
		Msg  octets `json:"msg_hex"`
		MAC  octets
	} `json:"hmac_sm3"`
	Sign []struct {
		Name                 string
		Msg                  string `json:"msg_ascii"`
		ID                   string `json:"id_ascii"`
		D, E, X, Y, R, S, ZA octets
	} `json:"sm2_sign"`
	VerifyMustFail []struct {
		Name string
		Msg  string `json:"msg_ascii"`
		Sig  octets `json:"sig_asn1"`
		X, Y octets
	} `json:"sm2_verify_must_fail"`
	VerifyMustPass []struct {
		Name string
		E    octets
		Pub  octets `json:"pub_spki"`
		Sig  octets `json:"sig_asn1"`
	} `json:"sm2_verify_hash_must_pass"`
	Encrypt []struct {
		Name          string
		D, C1, C2, C3 octets
		Msg           string `json:"msg_ascii"`
	} `json:"sm2_encrypt"`
	DecryptMustFail []struct {
		Name string
		D    octets
		Row  octets `json:"ciphertext_c1c3c2"`
		DER  octets `json:"ciphertext_asn1"`
	} `json:"sm2_decrypt_must_fail"`
	Exchange []struct {
		Name           string
		DA, DB, RA, RB octets
		IDA            string `json:"id_a_ascii"`
		IDB            string `json:"id_b_ascii"`
		K              octets `json:"k_ab"`
		Length         int    `json:"klen_bytes"`
	} `json:"sm2_key_exchange"`
	Block []struct {
		Name            string
		Key, Ciphertext octets
		Plain           octets `json:"plaintext"`
		Iterations      int
	} `json:"sm4_block"`
	GCM []struct {
		Name                     string
		AAD, Key, IV, Ciphertext octets
		Plain                    octets `json:"plaintext"`
		Tag                      octets
	} `json:"sm4_gcm"`
}

func load(t *testing.T) (v vectors) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Curve.N) != 32 || len(v.SM3) < 2 || len(v.HMAC) < 1 || len(v.Sign) < 1 || len(v.VerifyMustFail) < 1 || len(v.VerifyMustPass) < 1 ||
		len(v.Encrypt) < 1 || len(v.DecryptMustFail) < 4 || len(v.Exchange) < 1 || len(v.Block) < 2 || len(v.GCM) < 2 {
		t.Fatalf("vectors are missing: %+v", v)
	}
	return v
}

func public(t *testing.T, x, y []byte) PublicKey {
	t.Helper()
	k, err := pointOf(new(big.Int).SetBytes(x), new(big.Int).SetBytes(y))
	if err != nil {
		t.Fatal(err)
	}
	return PublicKey{k}
}

func private(t *testing.T, d []byte) PrivateKey {
	t.Helper()
	k, err := sm2.NewPrivateKey(d)
	if err != nil {
		t.Fatal(err)
	}
	return PrivateKey{&softKey{k}}
}

func toDER(t *testing.T, v any) []byte {
	t.Helper()
	out, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func number(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

func TestDigestsOfTheStandards(t *testing.T) {
	v := load(t)
	for _, c := range v.SM3 {
		if got := Sum(c.Msg); !bytes.Equal(got[:], c.Digest) {
			t.Errorf("%s: %x", c.Name, got)
		}
	}
	for _, c := range v.HMAC {
		if got := mac(c.Key, c.Msg); !bytes.Equal(got[:], c.MAC) {
			t.Errorf("%s: %x", c.Name, got)
		}
	}
}

func TestCurveOfTheStandard(t *testing.T) {
	c, p := load(t).Curve, sm2.P256().Params()
	a := new(big.Int).Sub(p.P, big.NewInt(3)) // the library has no field for a, which is p-3
	for name, pair := range map[string][2]*big.Int{
		"a": {a, number(c.A)}, "b": {p.B, number(c.B)}, "x": {p.Gx, number(c.GX)}, "y": {p.Gy, number(c.GY)}, "n": {p.N, number(c.N)}, "p": {p.P, number(c.P)},
	} {
		if pair[0].Cmp(pair[1]) != 0 {
			t.Errorf("%s is %x, not %x", name, pair[0], pair[1])
		}
	}
}

func TestSignaturesOfTheStandards(t *testing.T) {
	v := load(t)
	for _, c := range v.Sign {
		key := private(t, c.D)
		if c.ID != userID || key.Public().String() != public(t, c.X, c.Y).String() {
			t.Errorf("%s: the public key or the identity is another", c.Name)
		}
		za, err := sm2.CalculateZA(key.Public().key, []byte(c.ID))
		if err != nil || !bytes.Equal(za, c.ZA) {
			t.Errorf("%s: Z_A is %x, %v", c.Name, za, err)
		}
		e, err := sm2.CalculateSM2Hash(key.Public().key, []byte(c.Msg), []byte(c.ID))
		if err != nil || !bytes.Equal(e, c.E) {
			t.Errorf("%s: e is %x, %v", c.Name, e, err)
		}
		sig := toDER(t, signature{number(c.R), number(c.S)})
		if !key.Public().Verify([]byte(c.Msg), sig) {
			t.Errorf("%s: the official signature is not good", c.Name)
		}
		if key.Public().Verify([]byte(c.Msg+"."), sig) {
			t.Errorf("%s: it is good for another message", c.Name)
		}
	}
	for _, c := range v.VerifyMustFail {
		if public(t, c.X, c.Y).Verify([]byte(c.Msg), c.Sig) {
			t.Errorf("%s: good", c.Name)
		}
	}
	for _, c := range v.VerifyMustPass { // a carry that the library lost in two of its versions
		k, err := ParsePublicKey(base64.StdEncoding.EncodeToString(c.Pub))
		if err != nil || !canonicalSignature(c.Sig) || !sm2.VerifyASN1(k.key, c.E, c.Sig) {
			t.Errorf("%s: not good, %v", c.Name, err)
		}
	}
}

func TestWrappedSecretsOfTheStandards(t *testing.T) {
	v := load(t)
	for _, c := range v.Encrypt {
		wrapped := toDER(t, ciphertext{number(c.C1[1:33]), number(c.C1[33:]), c.C3, c.C2})
		if got, err := private(t, c.D).Unwrap(wrapped); err != nil || string(got) != c.Msg {
			t.Errorf("%s: %q, %v", c.Name, got, err)
		}
	}
	for _, c := range v.DecryptMustFail {
		forms := [][]byte{c.Row, c.DER}
		if len(c.Row) >= 97 {
			forms = append(forms, toDER(t, ciphertext{number(c.Row[1:33]), number(c.Row[33:65]), c.Row[65:97], c.Row[97:]}))
		}
		for _, form := range forms {
			if got, err := private(t, c.D).Unwrap(form); !errors.Is(err, ErrOpen) || got != nil {
				t.Errorf("%s: %x, %v", c.Name, got, err)
			}
		}
	}
}

// We use no key exchange; the example holds the library's curve to account.
func TestKeyExchangeOfTheStandard(t *testing.T) {
	for _, c := range load(t).Exchange {
		var keys [4]*ecdh.PrivateKey
		for i, d := range [][]byte{c.DA, c.RA, c.DB, c.RB} {
			var err error
			if keys[i], err = ecdh.P256().NewPrivateKey(d); err != nil {
				t.Fatal(err)
			}
		}
		a, ra, b, rb := keys[0], keys[1], keys[2], keys[3]
		shared := func(own, ownOnce, peer, peerOnce *ecdh.PrivateKey, answers bool, id, peerID string) []byte {
			point, err := own.SM2MQV(ownOnce, peer.PublicKey(), peerOnce.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			k, err := point.SM2SharedKey(answers, c.Length, own.PublicKey(), peer.PublicKey(), []byte(id), []byte(peerID))
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		if k := shared(a, ra, b, rb, false, c.IDA, c.IDB); !bytes.Equal(k, c.K) {
			t.Errorf("%s: A has %x", c.Name, k)
		}
		if k := shared(b, rb, a, ra, true, c.IDB, c.IDA); !bytes.Equal(k, c.K) {
			t.Errorf("%s: B has %x", c.Name, k)
		}
	}
}

func TestCiphersOfTheStandards(t *testing.T) {
	v := load(t)
	for _, c := range v.Block {
		block, err := sm4.NewCipher(c.Key)
		if err != nil {
			t.Fatal(err)
		}
		got := bytes.Clone(c.Plain)
		for range c.Iterations {
			block.Encrypt(got, got)
		}
		if !bytes.Equal(got, c.Ciphertext) {
			t.Errorf("%s: %x", c.Name, got)
		}
	}
	for _, c := range v.GCM {
		key, err := ParseDataKey(c.Key)
		if err != nil {
			t.Fatal(err)
		}
		aead := key.k.aead
		want := append(bytes.Clone(c.Ciphertext), c.Tag...)
		if got := aead.Seal(nil, c.IV, c.Plain, c.AAD); !bytes.Equal(got, want) {
			t.Errorf("%s: %x", c.Name, got)
		}
		if got, err := aead.Open(nil, c.IV, want, c.AAD); err != nil || !bytes.Equal(got, c.Plain) {
			t.Errorf("%s: %x, %v", c.Name, got, err)
		}
	}
}
