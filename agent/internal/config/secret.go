package config

import "log/slog"

// Secret is a password or token. In YAML it is written as file:<path>, relative to the file it stands in; Load reads it.
// It cannot be printed: only Reveal gives the text.
type Secret struct {
	Ref  string // as written
	text string
}

// Reveal gives the secret itself.
func (s Secret) Reveal() string { return s.text }

// Empty reports whether no secret is set.
func (s Secret) Empty() bool { return s.text == "" }

func (s Secret) String() string { return "***" }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return "***" }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalYAML writes the reference, never the text.
func (s Secret) MarshalYAML() (any, error) { return s.Ref, nil }
