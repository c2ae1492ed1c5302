// Package builtin lists every driver this program has.
package builtin

import (
	"halledge/drivers/escpos"
	"halledge/drivers/registry"
	"halledge/drivers/sdtreader"
)

// All gives the drivers by the name that model files use.
func All() *registry.Registry {
	return registry.New(map[string]registry.Driver{
		"escpos":    {New: escpos.New},
		"sdtreader": {New: sdtreader.New},
	})
}
