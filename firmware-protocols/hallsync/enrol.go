package hallsync

import (
	"encoding/base32"
	"encoding/json"
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

// The paths at which the centre answers boxes: to enrol by a code, over TLS alone; to renew by the certificate that the connection shows;
// and to renew with one that is over, by a question that its SM2 key has signed (package gm, Door).
const (
	PathEnrol   = "/edge/v1/enroll"
	PathRenew   = "/edge/v1/renew"
	PathRenewal = "/edge/v1/renewal"
)

// CentreName is the common name in the centre's own certificates. Boxes check it beside the host: the pages of halls have certificates of the
// same roots.
const CentreName = "centre"

// Bounds of the messages about certificates, in bytes. A signed question is no longer either.
const (
	MaxEnrolMessage = 32 << 10
	maxEnrolPart    = 4 << 10 // of a request, a certificate and a wrapped key
	maxEnrolText    = 256
	maxEnrolList    = 64
	maxBefore       = 9
)

// Requests are a box's requests for its certificates, PKCS #10 in DER. Their common name is the hall code.
type Requests struct {
	TLS   []byte   `json:"tls"`             // P-256, ECDSA with SHA-256
	SM2   []byte   `json:"sm2"`             // of the key that signs
	Web   []byte   `json:"web,omitempty"`   // P-256, of the hall's own pages
	Hosts []string `json:"hosts,omitempty"` // names and addresses of the hall's own pages
}

func (r Requests) valid() bool {
	return part(r.TLS) && part(r.SM2) && optional(r.Web) && texts(r.Hosts) && (len(r.Web) > 0) == (len(r.Hosts) > 0)
}

// EnrolAsk is what a box sends to PathEnrol. Encode and ParseEnrolAsk write and read it; printing and logging keep the secret back.
type EnrolAsk struct {
	Hall   HallID      `json:"hall"`
	Secret EnrolSecret `json:"secret"`
	Serial string      `json:"serial,omitempty"` // of the box, as its maker printed it
	Requests
}

// enrolAsk is an EnrolAsk as it travels: with the secret.
type enrolAsk struct {
	Hall   HallID `json:"hall"`
	Secret string `json:"secret"`
	Serial string `json:"serial,omitempty"`
	Requests
}

// Encode gives what is sent, the secret in it.
func (a EnrolAsk) Encode() ([]byte, error) {
	return json.Marshal(enrolAsk{a.Hall, encoding().EncodeToString(a.Secret[:]), a.Serial, a.Requests})
}

// ParseEnrolAsk reads what a box sent. It fails with *EnrolError, which says nothing of it.
func ParseEnrolAsk(body []byte) (EnrolAsk, error) {
	var wire enrolAsk
	if !decode(body, &wire) || !wire.Hall.Valid() || !wire.valid() || len(wire.Serial) > maxEnrolText {
		return EnrolAsk{}, &EnrolError{}
	}
	secret, good := decode80(wire.Secret)
	if !good {
		return EnrolAsk{}, &EnrolError{}
	}
	return EnrolAsk{wire.Hall, secret, wire.Serial, wire.Requests}, nil
}

// RenewAsk is what a box sends to PathRenew and PathRenewal. Which hall asks says its certificate, or the name under which the question
// is signed.
type RenewAsk struct {
	Requests
	// Knows names the signing keys of the centre that the box believes (package gm, PublicKey.ID): one of them has to sign the answer.
	Knows []string `json:"knows,omitempty"`
}

// ParseRenewAsk reads what a box sent. It fails with *EnrolError.
func ParseRenewAsk(body []byte) (RenewAsk, error) {
	var a RenewAsk
	if !decode(body, &a) || !a.valid() || !texts(a.Knows) {
		return RenewAsk{}, &EnrolError{}
	}
	return a, nil
}

// Enrolled is what a box is given: its certificates, in DER, and whom it is to trust from now on. Sign has the key of the SM2 request; Encrypt
// has one that the centre made, which lies in SealedKey: the box opens it with its signing key, EncryptionKeyPart and the hall code.
type Enrolled struct {
	TLS       []byte            `json:"tls"`
	Sign      []byte            `json:"sign"`
	Encrypt   []byte            `json:"encrypt"`
	SealedKey []byte            `json:"sealed_key"`
	Web       []byte            `json:"web,omitempty"`
	Roots     TrustedRoots      `json:"roots"`
	Centre    CentreKeys        `json:"centre"`
	Index     []IndexKey        `json:"index,omitempty"` // the first is the one to use; the others are what older entries were made with
	Addresses *CentreAddresses  `json:"addresses,omitempty"`
	Revoked   SignedRevocations `json:"revoked"`
	// Before is how many thousands of numbers this hall has begun since its last business day began, as far as the centre knows: numbers of other
	// boxes are still on slips. Each log begins one, and a log that goes on behind numbers that it does not have (DayOpened.After) others.
	Before int `json:"before,omitempty"`
}

// TrustedRoots are issuers, in DER: one of these has signed whatever the centre shows.
type TrustedRoots struct {
	TLS [][]byte `json:"tls"`
	SM2 [][]byte `json:"sm2"`
}

// CentreKeys are the centre's public SM2 keys as text (package gm). Data keys are wrapped for each of Open; receipts, orders and lists are
// signed by one of Sign. The first of each is the one in use.
type CentreKeys struct {
	Open []string `json:"open"`
	Sign []string `json:"sign"`
}

// SignedIndex orders which keys the index of people has from now on: its body is an IndexOrdered.
const SignedIndex SignedType = "index"

// IndexOrdered is the body of SignedIndex: what Index was in Enrolled, wrapped for the certificate that was issued last.
type IndexOrdered struct {
	Keys []IndexKey `json:"keys"`
}

// Valid reports whether the keys are what an order may have.
func (o IndexOrdered) Valid() bool { return len(o.Keys) > 0 && validIndex(o.Keys) }

func validIndex(keys []IndexKey) bool {
	good := len(keys) <= MaxIndex-1
	for _, k := range keys {
		good = good && k.ID != "" && len(k.ID) <= maxEnrolText && part(k.Wrapped)
	}
	return good
}

// OwnIndex begins the name of an index key that a hall had before it was enrolled.
const OwnIndex = "own-"

// OwnIndexKey is the key that a hall made names of people with before it was enrolled, wrapped for each key of CentreKeys.Open: the centre looks
// for people by it too.
type OwnIndexKey struct {
	ID   string    `json:"id"`
	Keys []KeyWrap `json:"keys"`
}

// IndexKey is a key of the hall's index of people, wrapped for the key of Enrolled.Encrypt.
type IndexKey struct {
	ID      string `json:"id"`
	Wrapped []byte `json:"wrapped"` // DER of GM/T 0009 §7.2
}

// CentreAddresses are where the box reaches the centre; an empty one leaves the box its own.
type CentreAddresses struct {
	MQTT  string `json:"mqtt,omitempty"`
	HTTPS string `json:"https,omitempty"`
	RTSP  string `json:"rtsp,omitempty"`
}

func (a *CentreAddresses) valid() bool {
	return a == nil || len(a.MQTT) <= maxEnrolText && len(a.HTTPS) <= maxEnrolText && len(a.RTSP) <= maxEnrolText
}

func (e *Enrolled) valid() bool {
	return part(e.TLS) && part(e.Sign) && part(e.Encrypt) && part(e.SealedKey) && optional(e.Web) && parts(e.Roots.TLS) && parts(e.Roots.SM2) &&
		len(e.Centre.Open) > 0 && len(e.Centre.Sign) > 0 && texts(e.Centre.Open) && texts(e.Centre.Sign) &&
		validIndex(e.Index) && e.Addresses.valid() && e.Revoked.valid() && e.Before >= 0 && e.Before <= maxBefore
}

// EnrolAnswer is the answer to an EnrolAsk and a RenewAsk: what the box is given, or that somebody has to act first, an operator or an authority
// elsewhere. Then the box asks again in RetryS seconds, with the same requests. What a code gives stands in Enrolled: the code's pin
// proves it. What a renewal gives is Signed, since it may name other roots and keys: an order of SignedEnrolled whose body is an Enrolled.
type EnrolAnswer struct {
	Enrolled *Enrolled `json:"enrolled,omitempty"`
	Signed   []byte    `json:"signed,omitempty"`
	RetryS   int       `json:"retry_s,omitempty"`
}

// SignedEnrolled gives a box that renews its certificates what an Enrolled says. One that is older than the one in force is not followed.
const SignedEnrolled SignedType = "enrolled"

// ParseEnrolAnswer reads an answer. It fails with *EnrolError.
func ParseEnrolAnswer(body []byte) (EnrolAnswer, error) {
	var a EnrolAnswer
	if !decode(body, &a) {
		return EnrolAnswer{}, &EnrolError{}
	}
	members := 0
	for _, there := range []bool{a.Enrolled != nil, len(a.Signed) > 0, a.RetryS > 0} {
		if there {
			members++
		}
	}
	if members != 1 || a.RetryS < 0 || a.Enrolled != nil && !a.Enrolled.valid() {
		return EnrolAnswer{}, &EnrolError{}
	}
	return a, nil
}

// ParseEnrolled reads the body of a SignedEnrolled. It fails with *EnrolError.
func ParseEnrolled(body []byte) (Enrolled, error) {
	var e Enrolled
	if !decode(body, &e) || !e.valid() {
		return Enrolled{}, &EnrolError{}
	}
	return e, nil
}

// Provision is the file that travels to a hall on a stick: how its box enrols by itself as soon as it reaches the centre. Encode and
// ParseProvision write and read it; printing and logging keep the secret back.
type Provision struct {
	Code      EnrolCode       `json:"code"`
	Until     time.Time       `json:"until"`
	Addresses CentreAddresses `json:"addresses"`
}

type provision struct {
	Code      string          `json:"code"`
	Until     time.Time       `json:"until"`
	Addresses CentreAddresses `json:"addresses"`
}

// Encode gives the file, the secret in it.
func (p Provision) Encode() ([]byte, error) {
	return json.MarshalIndent(provision{p.Code.Line(), p.Until, p.Addresses}, "", "  ")
}

// ParseProvision reads a file. It fails with *EnrolError.
func ParseProvision(file []byte) (Provision, error) {
	var wire provision
	if !decode(file, &wire) || !wire.Addresses.valid() || wire.Addresses.HTTPS == "" {
		return Provision{}, &EnrolError{}
	}
	code, err := ParseEnrolCode(wire.Code)
	return Provision{code, wire.Until, wire.Addresses}, err
}

// decode reads one JSON value that is no longer than a message may be.
func decode(body []byte, v any) bool {
	return len(body) <= MaxEnrolMessage && json.Unmarshal(body, v) == nil
}

// BeforeOf bounds how many thousands were begun: who has begun more in a day has another trouble.
func BeforeOf(thousands int) int { return min(thousands, maxBefore) }

func part(b []byte) bool     { return len(b) > 0 && len(b) <= maxEnrolPart }
func optional(b []byte) bool { return len(b) == 0 || part(b) }

func parts(list [][]byte) bool {
	good := len(list) > 0 && len(list) <= maxEnrolList
	for _, b := range list {
		good = good && part(b)
	}
	return good
}

func texts(list []string) bool {
	good := len(list) <= maxEnrolList
	for _, s := range list {
		good = good && s != "" && len(s) <= maxEnrolText
	}
	return good
}

// EncryptionKeyPart is the first part that the private key of a TLCP certificate for encryption is sealed about on its way to its holder;
// the second one is the holder's name.
const EncryptionKeyPart = "encryption key"

// Revocations is the list of the centre's certificates that are over before their time, as the centre signs it: those of halls it refuses
// itself. A list with a lower number than one that was seen is old.
type Revocations struct {
	Number  int64     `json:"number"`
	At      time.Time `json:"at"`      // when this copy was made
	Serials []string  `json:"serials"` // hexadecimal, in order
}

// RevocationsMessage gives what the signature of an encoded list is over, so that it can stand for nothing else.
func RevocationsMessage(list []byte) []byte {
	return append([]byte("hall-edge/v1/revocations\n"), list...)
}

// SignedRevocations is an encoded list and the signature of its RevocationsMessage by one of CentreKeys.Sign.
type SignedRevocations struct {
	List      []byte `json:"list"`
	Signature []byte `json:"signature"`
}

func (r SignedRevocations) valid() bool {
	return len(r.List) > 0 && len(r.List) <= MaxEnrolMessage && part(r.Signature)
}

// Body reads the list. Whoever calls it has checked the signature. It fails with *EnrolError.
func (r SignedRevocations) Body() (Revocations, error) {
	var list Revocations
	if !r.valid() || json.Unmarshal(r.List, &list) != nil || list.Number < 0 {
		return Revocations{}, &EnrolError{}
	}
	return list, nil
}

// Settings is the body of down/config: what the centre tells a hall whenever it connects, and when it changes.
type Settings struct {
	Revoked *SignedRevocations `json:"revoked,omitempty"`
	Notices []byte             `json:"notices,omitempty"` // an order of SignedNotices
	Index   []byte             `json:"index,omitempty"`   // an order of SignedIndex
}

// ParseSettings reads the body of down/config. It fails with *EnrolError.
func ParseSettings(body []byte) (Settings, error) {
	var s Settings
	if len(body) > 2*MaxEnrolMessage || json.Unmarshal(body, &s) != nil || s.Revoked != nil && !s.Revoked.valid() {
		return Settings{}, &EnrolError{}
	}
	return s, nil
}
