package config

import "halledge/agent/kit/strictyaml"

// Secret is a password or token, written as file:<path>; it cannot be printed.
type Secret = strictyaml.Secret

// NewSecret wraps a text that comes from elsewhere than a file.
func NewSecret(text string) Secret { return strictyaml.NewSecret(text) }
