package config

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"halledge/agent/kit/strictyaml"
)

// maxSecretBytes bounds a secret's file; the longest secret is a 64-character token.
const maxSecretBytes = 4096

// secretPrefix begins every reference to a secret.
const secretPrefix = "file:"

// Secret is a password or token. In YAML it is written as file:<path>, relative to the file it stands in; Load reads it.
// It cannot be printed: only Reveal gives the text.
type Secret struct {
	Ref  string  // as written
	text *string // a pointer, because fmt prints unexported fields of other structs without asking them
}

// NewSecret wraps a text that comes from elsewhere than a file.
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

// MarshalYAML writes the reference, never the text.
func (s Secret) MarshalYAML() (any, error) { return s.Ref, nil }

// UnmarshalText takes a reference. A secret written out in the file is refused: configuration files get copied and mailed.
func (s *Secret) UnmarshalText(b []byte) error {
	ref := string(b)
	if ref != "" && (!strings.HasPrefix(ref, secretPrefix) || ref == secretPrefix) {
		return &strictyaml.ValueError{Code: SecretRef}
	}
	s.Ref = ref
	return nil
}

// readSecret fills a secret from its file and notes what is wrong with the file. shortest is the least number of bytes.
func (c *checker) readSecret(path string, s *Secret, shortest int) {
	if s.Ref == "" {
		return
	}
	file := absolute(c.dir, strings.TrimPrefix(s.Ref, secretPrefix))
	text, mode, err := readSecretFile(file)
	if err != nil {
		c.at(path, SecretMissing, "file", file)
		return
	}
	if len(text) < shortest {
		c.at(path, SecretShort, "file", file, "low", fmt.Sprint(shortest))
		return
	}
	if mode.Perm()&0o077 != 0 {
		c.doc.Warn(path, SecretOpen, map[string]string{"file": file, "mode": fmt.Sprintf("%04o", mode.Perm())})
	}
	s.text = &text
}

func readSecretFile(file string) (string, os.FileMode, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretBytes {
		return "", 0, fmt.Errorf("%s is no small regular file", file)
	}
	data, err := os.ReadFile(file)
	return strings.TrimSpace(string(data)), info.Mode(), err
}

// absolute resolves a path of a configuration file in directory dir.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
