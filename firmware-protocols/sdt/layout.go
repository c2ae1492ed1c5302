package sdt

// Kind says which of the four cards it is.
type Kind string

// The kinds.
const (
	Resident      Kind = "resident"
	HMT           Kind = "hmt"            // 港澳台居民居住证
	Foreigner2017 Kind = "foreigner_2017" // 外国人永久居留身份证, the older card
	Foreigner2023 Kind = "foreigner_2023" // 外国人永久居留身份证, the 2023 card
)

// slot is a piece of text that some layout has.
type slot uint8

const (
	slotSpare slot = iota
	slotName
	slotEnglish
	slotEnglishRest
	slotSex
	slotEthnic
	slotBirth
	slotAddress
	slotNumber
	slotIssuer
	slotFrom
	slotTo
	slotPass
	slotIssues
	slotRenewals
	slotNationality
	slotVersion
	slotAuthority
	slotCount
)

// String names the slot in errors.
func (s slot) String() string {
	return [slotCount]string{"spare", "name", "english_name", "english_name_rest", "sex", "ethnic_code", "birth", "address", "number",
		"issuer", "valid_from", "valid_to", "pass_number", "issue_count", "renewal_count", "nationality", "version", "authority"}[s]
}

// field is a stretch of the text: size is in bytes, two for each UTF-16 unit.
type field struct {
	slot slot
	size int
}

const (
	textLen    = 256 // every layout
	flagAt     = 248 // the type letter stands here in every layout; a resident card has a space
	photoLen   = 1024
	addressLen = 70
	longTerm   = "长期"
)

// layout gives the fields before and around the flag for a type letter.
func layout(flag rune) (Kind, []field, bool) {
	switch flag {
	case ' ', 0:
		return Resident, []field{{slotName, 30}, {slotSex, 2}, {slotEthnic, 4}, {slotBirth, 16}, {slotAddress, 70}, {slotNumber, 36},
			{slotIssuer, 30}, {slotFrom, 16}, {slotTo, 16}, {slotSpare, 36}}, true
	case 'J':
		return HMT, []field{{slotName, 30}, {slotSex, 2}, {slotSpare, 4}, {slotBirth, 16}, {slotAddress, 70}, {slotNumber, 36},
			{slotIssuer, 30}, {slotFrom, 16}, {slotTo, 16}, {slotPass, 18}, {slotIssues, 4}, {slotSpare, 14}}, true
	case 'I':
		return Foreigner2017, []field{{slotEnglish, 120}, {slotSex, 2}, {slotNumber, 30}, {slotNationality, 6}, {slotName, 30},
			{slotFrom, 16}, {slotTo, 16}, {slotBirth, 16}, {slotVersion, 4}, {slotAuthority, 8}, {slotSpare, 8}}, true
	case 'Y':
		return Foreigner2023, []field{{slotName, 30}, {slotSex, 2}, {slotRenewals, 4}, {slotBirth, 16}, {slotEnglish, 70}, {slotNumber, 36},
			{slotSpare, 30}, {slotFrom, 16}, {slotTo, 16}, {slotEnglishRest, 22}, {slotNationality, 6}, {slotSpare, 8}}, true
	}
	return "", nil, false
}

// flagOf is the type letter of a kind.
func flagOf(k Kind) (rune, bool) {
	switch k {
	case Resident:
		return ' ', true
	case HMT:
		return 'J', true
	case Foreigner2017:
		return 'I', true
	case Foreigner2023:
		return 'Y', true
	}
	return 0, false
}
