package config

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

const (
	secretPrefix   = "file:"
	maxSecretBytes = 4096
	minToken       = 16 // bytes; tokens are drawn by programs
	minPublish     = 8
)

// Secret is a password or token. In YAML it is written as file:<path>, relative to cloud.yaml; Load reads it. It cannot be
// printed: only Reveal gives the text.
type Secret struct {
	ref  string
	text *string // a pointer, because fmt prints unexported fields of other structs without asking them
}

// NewSecret wraps a text that does not come from a file.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal gives the secret itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether no secret is set.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") } // a State takes what it is given

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// UnmarshalText takes a reference. A secret written out in the file is refused: configuration files get copied and mailed.
func (s *Secret) UnmarshalText(b []byte) error {
	ref := string(b)
	if ref != "" && (!strings.HasPrefix(ref, secretPrefix) || ref == secretPrefix) {
		return &valueError{Code: SecretRef}
	}
	s.ref = ref
	return nil
}

// readSecret fills a secret from its file and notes what is wrong with the file.
func (c *checker) readSecret(path string, s *Secret, shortest int) {
	if s.ref == "" {
		return
	}
	file := absolute(c.dir, strings.TrimPrefix(s.ref, secretPrefix))
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSecretBytes {
		c.at(path, SecretMissing, "file", file)
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		c.at(path, SecretMissing, "file", file)
		return
	}
	text := strings.TrimSpace(string(data))
	s.text = &text
	if len(text) < shortest {
		c.at(path, SecretShort, "file", file, "low", fmt.Sprint(shortest))
	}
	if info.Mode().Perm()&0o077 != 0 {
		c.doc.Warn(path, SecretOpen, map[string]string{"file": file, "mode": fmt.Sprintf("%04o", info.Mode().Perm())})
	}
}

// absolute resolves a path of the file in directory dir.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
