package sdt

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// CardData encodes a card as the data of the reply to CmdReadCard: what a reader sends, and what a simulated one needs.
// The photo must have the 1024 bytes of the compressed form; nil gives an empty one.
func CardData(c Card, photo []byte) ([]byte, error) {
	text, err := cardText(c)
	if err != nil {
		return nil, err
	}
	if photo == nil {
		photo = make([]byte, photoLen)
	}
	if len(photo) != photoLen {
		return nil, fmt.Errorf("photo has %d bytes, not %d", len(photo), photoLen)
	}
	b := binary.BigEndian.AppendUint16(nil, textLen)
	b = binary.BigEndian.AppendUint16(b, photoLen)
	b = append(b, text...)
	return append(b, photo...), nil
}

// AddressData encodes addresses, oldest first, as the data of the reply to CmdNewestAddress.
func AddressData(addresses ...Private) ([]byte, error) {
	var b []byte
	for _, a := range addresses {
		var err error
		if b, err = appendText(b, field{slotAddress, addressLen}, a.Reveal()); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func cardText(c Card) ([]byte, error) {
	flag, ok := flagOf(c.Kind)
	if !ok {
		return nil, fmt.Errorf("unknown card kind %q", c.Kind)
	}
	_, fields, _ := layout(flag)
	var v [slotCount]string
	v[slotName], v[slotEnglish] = c.Name.Reveal(), c.EnglishName.Reveal()
	v[slotSex], v[slotEthnic], v[slotBirth] = string(rune(c.Sex)), c.EthnicCode, c.Birth.Reveal()
	v[slotAddress], v[slotNumber], v[slotIssuer] = c.Address.Reveal(), c.Number.Reveal(), c.Issuer
	v[slotFrom], v[slotTo] = c.ValidFrom, c.ValidTo
	if c.LongTerm {
		v[slotTo] = longTerm
	}
	v[slotPass], v[slotIssues], v[slotRenewals] = c.PassNumber.Reveal(), c.Issues, c.Renewals
	v[slotNationality], v[slotVersion], v[slotAuthority] = c.Nationality, c.Version, c.Authority
	if c.Kind == Foreigner2023 {
		v[slotEnglish], v[slotEnglishRest] = splitUnits(v[slotEnglish], 70)
	}
	b := make([]byte, 0, textLen)
	for _, f := range fields {
		var err error
		if b, err = appendText(b, f, v[f.slot]); err != nil {
			return nil, err
		}
	}
	binary.LittleEndian.PutUint16(b[flagAt:], uint16(flag))
	return b, nil
}

// splitUnits cuts s behind the UTF-16 units that fit into size bytes.
func splitUnits(s string, size int) (head, tail string) {
	units := utf16.Encode([]rune(s))
	if len(units)*2 <= size {
		return s, ""
	}
	return string(utf16.Decode(units[:size/2])), string(utf16.Decode(units[size/2:]))
}

// appendText writes s as UTF-16LE, padded with spaces to the field's size.
func appendText(dst []byte, f field, s string) ([]byte, error) {
	units := utf16.Encode([]rune(s))
	if len(units)*2 > f.size {
		return nil, &FieldError{Field: f.slot.String(), Want: fmt.Sprintf("at most %d characters", f.size/2)}
	}
	for i := range f.size / 2 {
		u := uint16(' ')
		if i < len(units) {
			u = units[i]
		}
		dst = binary.LittleEndian.AppendUint16(dst, u)
	}
	return dst, nil
}
