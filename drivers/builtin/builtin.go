// Package builtin lists every driver this program has.
package builtin

import (
	"halledge/drivers/attached"
	"halledge/drivers/callpad"
	"halledge/drivers/camscanner"
	"halledge/drivers/escpos"
	"halledge/drivers/huidu"
	"halledge/drivers/keypad"
	"halledge/drivers/ledpanel"
	"halledge/drivers/ledstrip"
	"halledge/drivers/linescanner"
	"halledge/drivers/ratingpad"
	"halledge/drivers/registry"
	"halledge/drivers/sdtreader"
	"halledge/drivers/soundcard"
	"halledge/drivers/talkpad"
	"halledge/drivers/voicemodule"
)

// All gives the drivers by the name that model files use.
func All() *registry.Registry {
	modbus := registry.Numbered("modbus", "unit", 1)
	own := func(driver string, first int) func(map[string]string) (registry.Station, bool) {
		return registry.Numbered(driver, "address", first) // a rating device that hangs on a pad has that pad's address
	}
	return registry.New(map[string]registry.Driver{
		"callpad":     {New: callpad.New, Bus: true, Station: modbus},
		"camscanner":  {New: camscanner.New, Node: attached.Video},
		"escpos":      {New: escpos.New},
		"huidu":       {New: huidu.New},
		"keypad":      {New: keypad.New, Node: attached.Input},
		"keyscanner":  {New: linescanner.NewKeyboard, Node: attached.Input},
		"linescanner": {New: linescanner.New},
		"ledmodbus":   {New: ledstrip.NewModbus, Bus: true, Station: modbus},
		"ledpanel":    {New: ledpanel.New, Bus: true, Station: ledpanel.Station},
		"ledstrip":    {New: ledstrip.New, Bus: true, Station: ledstrip.Station},
		"pad21":       {New: talkpad.New21, Bus: true, Party: true, Station: own("pad21", 1)},
		"rater":       {New: ratingpad.New, Bus: true, Station: modbus},
		"rater21":     {New: ratingpad.NewPad21, Bus: true, Party: true, Station: own("rater21", 1)},
		"raterbytes":  {New: ratingpad.NewBytes},
		"raterkeys":   {New: ratingpad.NewKeyboard, Node: attached.Input},
		"sdtreader":   {New: sdtreader.New, USB: true},
		"sixbyte":     {New: talkpad.NewSixByte, Bus: true, Party: true, Station: own("sixbyte", 3)},
		"soundcard":   {New: soundcard.New, Node: attached.Sound},
		"ub485":       {New: talkpad.NewUB485, Bus: true, Party: true, Station: own("ub485", 1)},
		"voicemodule": {New: voicemodule.New},
	})
}
