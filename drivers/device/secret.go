package device

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a piece of personal data. It cannot be printed, logged or encoded by accident: every formatting path gives "***",
// also for a Secret deep inside another value. Only Reveal gives the text. Compare two by what they reveal, not by ==.
type Secret struct{ text *string } // a pointer, because fmt prints unexported fields of other structs without asking them

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{text: &s} }

// Reveal gives the text; every call is a place where personal data leaves its type.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether there is nothing inside.
func (s Secret) Empty() bool { return s.text == nil || *s.text == "" }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") } // a State takes what it is given

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }

// UnmarshalText implements encoding.TextUnmarshaler: what comes in a request is a secret from then on.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// MarshalText implements encoding.TextMarshaler, and with it JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }
