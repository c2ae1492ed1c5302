package strictyaml

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Findings about secrets.
const (
	SecretRef     Code = "config_secret_ref"     // written out instead of referred to
	SecretMissing Code = "config_secret_missing" // file
	SecretShort   Code = "config_secret_short"   // file, low
	SecretOpen    Code = "config_secret_open"    // file, mode (a warning)
)

// secretPrefix begins every reference to a secret; maxSecretBytes bounds its file.
const (
	secretPrefix   = "file:"
	maxSecretBytes = 4096
)

// Secret is a password or token of a configuration. In YAML it is written as file:<path>, relative to the file it stands in, and
// ReadSecret fetches it: configuration files get copied and mailed. It cannot be printed; only Reveal gives the text.
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

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML: the reference, never the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.Ref), nil }

// UnmarshalText takes a reference and refuses a secret that is written out.
func (s *Secret) UnmarshalText(b []byte) error {
	ref := string(b)
	if ref != "" && (!strings.HasPrefix(ref, secretPrefix) || ref == secretPrefix) {
		return &ValueError{Code: SecretRef}
	}
	s.Ref = ref
	return nil
}

// ReadSecret fetches the secret at a path of the document from its file and adds what is wrong with the file. dir is where
// relative references begin, shortest the least number of bytes.
func (d *Document) ReadSecret(path string, s *Secret, dir string, shortest int) {
	if s.Ref == "" {
		return
	}
	file := Absolute(dir, strings.TrimPrefix(s.Ref, secretPrefix))
	text, mode, err := readSecretFile(file)
	switch {
	case err != nil:
		d.At(path, SecretMissing, map[string]string{"file": file})
		return
	case len(text) < shortest:
		d.At(path, SecretShort, map[string]string{"file": file, "low": strconv.Itoa(shortest)})
		return
	case mode.Perm()&0o077 != 0:
		d.Warn(path, SecretOpen, map[string]string{"file": file, "mode": fmt.Sprintf("%04o", mode.Perm())})
	}
	s.text = &text
}

// Absolute gives the path that a document in directory dir means.
func Absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
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
