package hallsync

import (
	"encoding/base32"
	"fmt"
	"io"
	"strings"
	"time"
)

// EnrolCode is what an operator of the centre gives to whoever sets up the box of a hall. As one line it is
//
//	HE1-<hall>-<secret>-<pin>
//
// with the two 80-bit values in base32 (RFC 4648 §6), 16 letters each. The secret is good once. Printing, logging and encoding the value
// keeps the secret back; only Line gives it out.
type EnrolCode struct {
	Hall   HallID
	Secret EnrolSecret
	Pin    RootPin
}

// EnrolSecret is what the box shows the centre, drawn at random.
type EnrolSecret [10]byte

// RootPin is the beginning of the SM3 digest of the SubjectPublicKeyInfo of the centre's TLS root, by which the box knows the centre
// before it has any certificate. To find another key with the same pin takes 2⁸⁰ tries.
type RootPin [10]byte

// PinOf gives the pin of the root whose SubjectPublicKeyInfo has this SM3 digest. Who is pure cannot make the digest.
func PinOf(digest [32]byte) RootPin { return RootPin(digest[:len(RootPin{})]) }

const (
	enrolMark   = "HE1"
	enrolHidden = "***"
	maxEnrol    = 128 // characters of a line with whatever was copied around it
)

// Line gives the line itself.
func (c EnrolCode) Line() string { return c.line(encoding().EncodeToString(c.Secret[:])) }

func (c EnrolCode) line(secret string) string {
	return strings.Join([]string{enrolMark, string(c.Hall), secret, encoding().EncodeToString(c.Pin[:])}, "-")
}

// Format implements fmt.Formatter for every verb.
func (c EnrolCode) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.line(enrolHidden)) }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML.
func (c EnrolCode) MarshalText() ([]byte, error) { return []byte(c.line(enrolHidden)), nil }

// Format implements fmt.Formatter for every verb.
func (EnrolSecret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, enrolHidden) }

// MarshalText implements encoding.TextMarshaler.
func (EnrolSecret) MarshalText() ([]byte, error) { return []byte(enrolHidden), nil }

// EnrolError is a line that is no code. It says nothing of what is in the line.
type EnrolError struct{}

func (*EnrolError) Error() string { return "hallsync: not an enrolment code" }

// ParseEnrolCode reads a line. Small letters and white space around it are taken too, as people type and copy. It fails with *EnrolError.
func ParseEnrolCode(line string) (EnrolCode, error) {
	if len(line) > maxEnrol {
		return EnrolCode{}, &EnrolError{}
	}
	parts := strings.Split(strings.ToUpper(strings.TrimSpace(line)), "-")
	if len(parts) != 4 || parts[0] != enrolMark || !HallID(parts[1]).Valid() {
		return EnrolCode{}, &EnrolError{}
	}
	secret, good := decode80(parts[2])
	pin, alsoGood := decode80(parts[3])
	if !good || !alsoGood {
		return EnrolCode{}, &EnrolError{}
	}
	return EnrolCode{Hall: HallID(parts[1]), Secret: secret, Pin: pin}, nil
}

// decode80 reads 80 bits from 16 letters.
func decode80(text string) ([10]byte, bool) {
	raw, err := encoding().DecodeString(text)
	if err != nil || len(text) != 16 || len(raw) != 10 {
		return [10]byte{}, false
	}
	return [10]byte(raw), true
}

// encoding needs no padding: 80 bits are 16 letters.
func encoding() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// EncryptionKeyPart is the first part that the private key of a TLCP certificate for encryption is sealed about on its way to its holder;
// the second one is the holder's name.
const EncryptionKeyPart = "encryption key"

// Revocations is the list of the certificates that are over before their time, as the centre signs it. A list with a lower number than one
// that was seen is old.
type Revocations struct {
	Number  int64     `json:"number"`
	At      time.Time `json:"at"`      // when this copy was made
	Serials []string  `json:"serials"` // hexadecimal, in order
}

// RevocationsMessage gives what the signature of an encoded list is over, so that it can stand for nothing else.
func RevocationsMessage(list []byte) []byte {
	return append([]byte("hall-edge/v1/revocations\n"), list...)
}
