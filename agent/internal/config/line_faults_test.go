package config_test

import (
	"fmt"
	"strings"

	"halledge/agent/internal/config"
	"halledge/agent/kit/strictyaml"
)

// What goes before the first row or area of a device that is a part of a panel.
const (
	rowsOf = "template: '40 {address} {row} {text} 0D', rows: '2', first_row: "
	areas  = "shared: 'true', rows: '2', first_area: "
)

// strips gives two screens of a model on a line of their own, after the options of the pad.
func strips(model, first, second string) string {
	text := "      unit: \"1\"\n"
	for i, options := range []string{first, second} {
		text += fmt.Sprintf("  - {name: window-%d.led, model: %s, connect: {serial: /dev/ttyS9}, options: {%s}}\n", i+1, model, strings.Trim(options, "{}"))
	}
	return text + "  #"
}

// fault is one mistake, as those of faults.
type fault = struct {
	file, old, text string
	code            strictyaml.Code
	path, line      string
}

// lineFaults are mistakes in how devices are set up and share their lines.
var lineFaults = []fault{
	{"agent.yaml", "      unit: \"1\" ", "      unit: \"300\" ", strictyaml.OutOfRange, "$.devices[3].options.unit", "300"},
	{"agent.yaml", "      unit: \"1\" ", "      unti: \"1\" ", strictyaml.UnknownKey, "$.devices[3].options.unti", "unti"},
	{"agent.yaml", "      unit: \"1\" ", strips("strip-modbus", "", ""), config.LineAddress, "$.devices[5].connect", "strip-modbus"},
	{"agent.yaml", "      unit: \"1\" ", strips("strip-modbus", "unit: '2'", "unit: '0'"), strictyaml.OutOfRange, "$.devices[5].options.unit", "unit: '0'"},
	{"agent.yaml", "      unit: \"1\" ", strips("strip-at", "address: '7'", "address: '7'"), config.LineAddress, "$.devices[5].options.address", "address"},
	{"agent.yaml", "      unit: \"1\" ", strips("strip-at", "template: '{text} 0D'", "template: '{text} 0D'"), config.LineAlone, "$.devices[5].connect", "strip-at"},
	{"agent.yaml", "      unit: \"1\" ", strips("strip-at", rowsOf+"'1'", rowsOf+"'2'"), config.LinePart, "$.devices[5].options.first_row", "first_row"},
	{"agent.yaml", "      unit: \"1\" ", strips("strip-at", "", "template: '{'"), config.DeviceOption, "$.devices[5].options.template", "template"},
	{"agent.yaml", "      unit: \"1\" ", strips("onbon-k", "screen: '1'", "screen: '1'"), config.LineAddress, "$.devices[5].options.screen", "screen"},
	{"agent.yaml", "      unit: \"1\" ", strips("onbon-k", "screen: '1'", "{screen: '1', shared: 'true'}"), config.LineAddress, "$.devices[5].options.screen", "shared"},
	{"agent.yaml", "      unit: \"1\" ", strips("onbon-k", areas+"'0'", areas+"'1'"), config.LinePart, "$.devices[5].options.first_area", "first_area"},
	{"agent.yaml", "file: /dev/usb/lp0", "serial: " + padLine, config.LineTaken, "$.devices[3].connect", "485 线"},
	{"agent.yaml", "      unit: \"1\" ", "      unit: \"1\"\n  - {name: window-2.pad, model: halledge-pad, connect: {serial: " + padLine + ", baud: 4800}}\n  #",
		config.LineSpeed, "$.devices[4].connect", "4800"},
	{"agent.yaml", "      unit: \"1\" ", "      unit: \"1\"\n  - {name: window-2.pad, model: halledge-pad, connect: {usb: 'ffff:0001@1-1'}}\n  #",
		config.DeviceUnfit, "$.devices[4]", "window-2.pad"},
	{"agent.yaml", "      unit: \"1\" ", "      unit: \"1\"\n  - {name: desk-1.printer, model: escpos-58, connect: {serial: /dev/null}}\n" +
		"  - {name: desk-1.scanner, model: serial-scanner, connect: {serial: /dev/./null}}\n  #", config.PortTwice, "$.devices[5].connect", "desk-1.scanner"},
}
