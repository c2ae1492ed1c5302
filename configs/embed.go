// Package configs gives the files that are data rather than code: device models, slip templates, messages and commented
// sample configurations. They are compiled into the programs, so that a hall's box needs nothing but its binary.
package configs

import (
	"embed"
	"io/fs"
)

//go:embed samples models slips messages
var files embed.FS

//go:embed messages/zh-CN.yaml
var messages string

// FS holds samples/, models/<class>/<model>.yaml, slips/ and messages/.
func FS() fs.FS { return files }

// Messages is the messages file: a title, a detail and an advice in Chinese for every code.
func Messages() []byte { return []byte(messages) }
