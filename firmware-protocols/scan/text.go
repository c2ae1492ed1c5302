package scan

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Charset says which characters a scanner's bytes are.
type Charset string

// The charsets. Auto takes what is valid UTF-8 for UTF-8 and the rest for GB 18030; a short GBK text can be valid UTF-8 by
// accident, then the scanner's charset has to be named.
const (
	CharsetAuto    Charset = "auto"
	CharsetUTF8    Charset = "utf-8"
	CharsetGB18030 Charset = "gb18030"
)

// Text gives the code as text. ok is false for noise: bytes that are no text in the charset, or control characters that no
// code holds, as a line at the wrong speed brings them.
func (c Charset) Text(data []byte) (text string, ok bool) {
	if bytes.ContainsFunc(data, forbidden) {
		return "", false
	}
	if c != CharsetGB18030 {
		if utf8.Valid(data) {
			return string(data), true
		}
		if c == CharsetUTF8 {
			return "", false
		}
	}
	b, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
	if err != nil || strings.ContainsRune(string(b), utf8.RuneError) {
		return "", false
	}
	return string(b), true
}

// forbidden holds for control characters other than line ends, tabs and the separators of GS1 and ISO 15434 codes.
func forbidden(r rune) bool {
	switch r {
	case '\t', '\n', '\r', 0x04, 0x1C, 0x1D, 0x1E, 0x1F:
		return false
	}
	return r < 0x20 || r == 0x7F
}
