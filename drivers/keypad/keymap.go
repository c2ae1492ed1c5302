package keypad

import (
	"strconv"

	"halledge/drivers/device"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
)

// Words of the options that are no key of device.
const (
	none  = "none"            // the key does nothing
	pause = "pause_or_resume" // pauses, or resumes a paused window
)

// meaning is what a key stands for.
type meaning struct {
	code    device.KeyCode
	digit   int
	toggles bool // code is pause, and resume while the window is paused
}

// button is a key by its name in the options, with every code that makers give it.
type button struct {
	name  string
	codes []evdev.KeyCode
	digit int // -1 for none
}

// buttons are the keys of numeric keypads.
func buttons() []button {
	all := []button{
		{"enter", []evdev.KeyCode{evdev.KeyKPEnter, evdev.KeyEnter}, -1},
		{"plus", []evdev.KeyCode{evdev.KeyKPPlus}, -1},
		{"minus", []evdev.KeyCode{evdev.KeyKPMinus, evdev.KeyMinus}, -1},
		{"asterisk", []evdev.KeyCode{evdev.KeyKPAsterisk}, -1},
		{"slash", []evdev.KeyCode{evdev.KeyKPSlash, evdev.KeySlash}, -1},
		{"dot", []evdev.KeyCode{evdev.KeyKPDot, evdev.KeyDot}, -1},
		{"equal", []evdev.KeyCode{evdev.KeyKPEqual, evdev.KeyEqual}, -1},
		{"backspace", []evdev.KeyCode{evdev.KeyBackspace}, -1},
		{"tab", []evdev.KeyCode{evdev.KeyTab}, -1},
	}
	for d, code := range []evdev.KeyCode{evdev.KeyKP0, evdev.KeyKP1, evdev.KeyKP2, evdev.KeyKP3, evdev.KeyKP4, evdev.KeyKP5,
		evdev.KeyKP6, evdev.KeyKP7, evdev.KeyKP8, evdev.KeyKP9} {
		main := evdev.Key0
		if d > 0 {
			main = evdev.Key1 + evdev.KeyCode(d-1)
		}
		all = append(all, button{strconv.Itoa(d), []evdev.KeyCode{code, main}, d})
	}
	return all
}

// readMapping reads the option of each button. A key that no option speaks of does nothing.
func readMapping(o *registry.Options) map[evdev.KeyCode]meaning {
	words := []string{none, pause, string(device.KeyNext), string(device.KeyRecall), string(device.KeyPass), string(device.KeyPause),
		string(device.KeyResume), string(device.KeyFinish), string(device.KeyLogin), string(device.KeyLogout), string(device.KeyStart),
		string(device.KeyTransfer), string(device.KeyRate), string(device.KeyAbandon), string(device.KeyHold), string(device.KeyReturn),
		string(device.KeyConfirm), string(device.KeyCancel)}
	mapping := map[evdev.KeyCode]meaning{}
	for _, b := range buttons() {
		allowed := words
		if b.digit >= 0 {
			allowed = append([]string{string(device.KeyDigit)}, words...)
		}
		m := meaning{}
		switch word := o.OneOf(b.name, none, allowed...); word {
		case none:
			continue
		case pause:
			m.code, m.toggles = device.KeyPause, true
		case string(device.KeyDigit):
			m.code, m.digit = device.KeyDigit, b.digit
		default:
			m.code = device.KeyCode(word)
		}
		for _, code := range b.codes {
			mapping[code] = m
		}
	}
	return mapping
}
