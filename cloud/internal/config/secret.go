package config

import "halledge/agent/kit/strictyaml"

// The least length of secrets in bytes.
const (
	minToken   = 16 // tokens are drawn by programs
	minPublish = 8
)

// Secret is a password or token, written as file:<path>; it cannot be printed.
type Secret = strictyaml.Secret
