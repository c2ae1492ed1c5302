package sdt

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Card is the text of a card. Which fields are filled depends on Kind.
type Card struct {
	Kind        Kind
	Name        Private // in Chinese
	EnglishName Private // foreigners
	Sex         Sex
	EthnicCode  string  // GB 3304, resident cards
	Birth       Private // YYYYMMDD
	Address     Private // resident cards and residence permits
	Number      Private
	Issuer      string
	ValidFrom   string // YYYYMMDD
	ValidTo     string // YYYYMMDD; empty when LongTerm
	LongTerm    bool   // 长期
	PassNumber  Private
	Issues      string // how often a residence permit was issued
	Renewals    string // how often a 2023 foreigner card was renewed
	Nationality string // three letters, foreigners
	Version     string // 2017 foreigner card
	Authority   string // 2017 foreigner card, code of the office
	PhotoLen    int    // bytes of photo the card delivered; the photo itself stays in the reply, see Photo
	PrintLen    int    // bytes of fingerprints
}

// UnknownLayoutError says that a card carries a type letter this program does not know, so that nothing of it can be read.
type UnknownLayoutError struct{ Flag rune }

func (e *UnknownLayoutError) Error() string { return fmt.Sprintf("unknown card layout %q", e.Flag) }

// FieldError says that a field is not what its layout requires. It never holds the field's text.
type FieldError struct{ Field, Want string }

func (e *FieldError) Error() string { return fmt.Sprintf("card field %s is not %s", e.Field, e.Want) }

// NumberValid reports whether the number's check character is right. The 2017 foreigner number has no published rule and passes.
func (c Card) NumberValid() bool {
	return c.Kind == Foreigner2017 || ValidIDNumber(c.Number.Reveal())
}

// Card decodes the answer to CmdReadCard or CmdReadWithPrint. Errors: ErrNotThatReply, *UnknownLayoutError, *FieldError.
func (r Reply) Card() (Card, error) {
	text, photo, prints, ok := r.parts()
	if !ok {
		return Card{}, notThat("card", r)
	}
	c, err := parseText(text)
	c.PhotoLen, c.PrintLen = len(photo), len(prints)
	return c, err
}

// Photo gives a copy of the photo in the answer to CmdReadCard or CmdReadWithPrint as it is on the card: compressed by a method that
// only licensed programs know, 1024 bytes beginning with "WLf". It is biometric data; ask for it only where the law and the hall do.
// Error: ErrNotThatReply.
func (r Reply) Photo() (Private, error) {
	_, photo, _, ok := r.parts()
	if !ok {
		return Private{}, notThat("photo", r)
	}
	return NewPrivate(string(photo)), nil
}

// parts cuts the answer to CmdReadCard or CmdReadWithPrint by the lengths that it begins with.
func (r Reply) parts() (text, photo, prints []byte, ok bool) {
	b := r.data
	if r.Status != StatusOK || len(b) < 4 {
		return nil, nil, nil, false
	}
	be := binary.BigEndian
	texts, photos, fingers := int(be.Uint16(b)), int(be.Uint16(b[2:])), 0
	b = b[4:]
	if len(b) != texts+photos { // a third length, of the fingerprints
		if len(b) < 2 {
			return nil, nil, nil, false
		}
		fingers = int(be.Uint16(b))
		b = b[2:]
	}
	if texts != textLen || len(b) != texts+photos+fingers {
		return nil, nil, nil, false
	}
	return b[:texts], b[texts : texts+photos], b[texts+photos:], true
}

// NewestAddress decodes the answer to CmdNewestAddress: the last of the addresses added to the card, or an empty one when
// there is none.
func (r Reply) NewestAddress() (Private, error) {
	if r.Status == StatusNoItem {
		return Private{}, nil
	}
	if r.Status != StatusOK || len(r.data)%addressLen != 0 {
		return Private{}, notThat("newest address", r)
	}
	for b := r.data; len(b) > 0; b = b[:len(b)-addressLen] {
		if a := trim(decodeUTF16(b[len(b)-addressLen:])); a != "" {
			return NewPrivate(a), nil
		}
	}
	return Private{}, nil
}

func parseText(b []byte) (Card, error) {
	flag := rune(binary.LittleEndian.Uint16(b[flagAt:]))
	kind, fields, ok := layout(flag)
	if !ok {
		return Card{}, &UnknownLayoutError{Flag: flag}
	}
	var v [slotCount]string
	for _, f := range fields {
		v[f.slot] = decodeUTF16(b[:f.size])
		b = b[f.size:]
	}
	v[slotEnglish] += v[slotEnglishRest] // before trimming: the cut may be at a space
	for i := range v {
		v[i] = trim(v[i])
	}
	c := Card{
		Kind: kind, Name: NewPrivate(v[slotName]), EnglishName: NewPrivate(v[slotEnglish]), Sex: SexUnknown,
		EthnicCode: v[slotEthnic], Birth: NewPrivate(v[slotBirth]), Address: NewPrivate(v[slotAddress]), Number: NewPrivate(v[slotNumber]),
		Issuer: v[slotIssuer], ValidFrom: v[slotFrom], ValidTo: v[slotTo], PassNumber: NewPrivate(v[slotPass]), Issues: v[slotIssues],
		Renewals: v[slotRenewals], Nationality: v[slotNationality], Version: v[slotVersion], Authority: v[slotAuthority],
	}
	switch v[slotSex] {
	case "0", "1", "2", "9":
		c.Sex = Sex(v[slotSex][0])
	}
	if c.ValidTo == longTerm {
		c.ValidTo, c.LongTerm = "", true
	}
	if c.Number.Empty() {
		return Card{}, &FieldError{Field: slotNumber.String(), Want: "filled"}
	}
	for _, s := range []slot{slotBirth, slotFrom, slotTo} {
		if !isDate(v[s]) && !(s == slotTo && c.LongTerm) {
			return Card{}, &FieldError{Field: s.String(), Want: "a date YYYYMMDD"}
		}
	}
	return c, nil
}

// isDate reports whether s has the shape of YYYYMMDD. Old cards hold birthdays no calendar has, so no more is asked.
func isDate(s string) bool {
	if len(s) != 8 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func decodeUTF16(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	return string(utf16.Decode(units))
}

// trim cuts the padding readers use: spaces, ideographic spaces and NULs.
func trim(s string) string { return strings.Trim(s, " \u3000\x00") }
