package device

import "log/slog"

// Secret is a piece of personal data. It cannot be printed, logged or encoded by accident: every formatting path gives "***".
// Only Reveal gives the text.
type Secret struct{ text string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{text: s} }

// Reveal gives the text; every call is a place where personal data leaves its type.
func (s Secret) Reveal() string { return s.text }

// Empty reports whether there is nothing inside.
func (s Secret) Empty() bool { return s.text == "" }

// String implements fmt.Stringer.
func (s Secret) String() string { return "***" }

// GoString implements fmt.GoStringer, so that %#v prints nothing either.
func (s Secret) GoString() string { return "***" }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText implements encoding.TextMarshaler, and with it JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }
