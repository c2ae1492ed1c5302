package config

import (
	"path/filepath"

	"halledge/agent/kit/strictyaml"
)

// Secret is a password or token, written as file:<path>; it cannot be printed.
type Secret = strictyaml.Secret

// NewSecret wraps a text that comes from elsewhere than a file.
func NewSecret(text string) Secret { return strictyaml.NewSecret(text) }

// absolute resolves a path of a configuration file in directory dir.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
