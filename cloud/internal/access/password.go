package access

import (
	"bufio"
	"bytes"
	_ "embed" // the list of common passwords
	"strconv"
	"strings"
	"unicode/utf8"

	"halledge/agent/kit/problem"
)

// minPassword is in characters. Length is what counts: rules about kinds of characters make people write passwords down.
const minPassword = 10

// The codes of a Fault about a password.
const (
	CodeWeak   problem.Code = "password_weak"   // low
	CodeCommon problem.Code = "password_common" // one of those that are tried first
)

// common has the passwords of ten characters and more that are tried first, one a line, in small letters.
//
//go:embed common.txt
var common []byte

// CheckPassword fails with a *Fault when a user must not have a password.
func CheckPassword(user, password string) error {
	if utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword {
		return &Fault{Code: CodeWeak, Args: map[string]string{"low": strconv.Itoa(minPassword)}}
	}
	small := strings.ToLower(password)
	if user != "" && strings.Trim(strings.ReplaceAll(small, user, ""), "0123456789!@#.-_") == "" || monotonous(small) {
		return &Fault{Code: CodeCommon}
	}
	lines := bufio.NewScanner(bytes.NewReader(common))
	for lines.Scan() {
		if lines.Text() == small {
			return &Fault{Code: CodeCommon}
		}
	}
	return nil
}

// monotonous reports whether a password has fewer than four different characters, or follows the alphabet or the digits.
func monotonous(password string) bool {
	seen := map[rune]bool{}
	steps, last := map[rune]bool{}, rune(-1)
	for _, c := range password {
		seen[c] = true
		if last >= 0 {
			steps[c-last] = true
		}
		last = c
	}
	return len(seen) < 4 || len(steps) == 1
}
