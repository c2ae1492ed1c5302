package sdt

import (
	"fmt"
	"io"
)

// Private is a piece of personal data from a card. It cannot be printed or encoded by accident, not even as an unexported
// field of another value. Only Reveal gives the text; compare two of them by it.
type Private struct {
	text *string // a pointer, because fmt prints the strings of unexported fields and of pointers only the address
}

// NewPrivate wraps text.
func NewPrivate(text string) Private { return Private{text: &text} }

// Reveal gives the text; every call is a place where personal data leaves its type.
func (p Private) Reveal() string {
	if p.text == nil {
		return ""
	}
	return *p.text
}

// Empty reports whether there is nothing inside.
func (p Private) Empty() bool { return p.Reveal() == "" }

// Format implements fmt.Formatter: "***" whatever the verb.
func (p Private) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") }

// MarshalText implements encoding.TextMarshaler, and with it JSON, XML and YAML.
func (p Private) MarshalText() ([]byte, error) { return []byte("***"), nil }
