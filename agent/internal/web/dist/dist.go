// Package dist gives the built scripts and style sheets of the pages. They are committed, so that building the agent needs Go
// alone; go run ./agent/internal/web/ui/build makes them anew.
package dist

import (
	"embed"
	"io/fs"
)

//go:embed *.js *.css *.svg
var files embed.FS

// FS holds <page>.js, <page>.css and icon.svg.
func FS() fs.FS { return files }
