// Package hotkey gives keys that a program hears while another one has the focus: on X11 by grabbing them at the root window, on
// Windows by registering them.
package hotkey

import (
	"fmt"
	"slices"
	"strings"

	"halledge/agent/kit/strictyaml"
)

// Mod is a set of keys that are held while another one is pressed.
type Mod uint8

// The held keys.
const (
	Ctrl Mod = 1 << iota
	Alt
	Shift
	Win
)

// Chord is a key with what is held meanwhile. Key is its name: F1 to F12, A to Z, 0 to 9, Num0 to Num9 of the keypad, Pause, Insert,
// Home, End, PageUp or PageDown; empty for none.
type Chord struct {
	Mods Mod
	Key  string
}

// The findings in how a chord is written.
const (
	KeyUnknown strictyaml.Code = "caller_key_unknown" // value
	KeyBare    strictyaml.Code = "caller_key_bare"    // value: it could not be typed any more
)

func (c Chord) String() string {
	var out []string
	for _, m := range mods() {
		if c.Mods&m.mod != 0 {
			out = append(out, m.name)
		}
	}
	return strings.Join(append(out, c.Key), "+")
}

type named struct {
	mod  Mod
	name string
}

func mods() []named { return []named{{Ctrl, "Ctrl"}, {Alt, "Alt"}, {Shift, "Shift"}, {Win, "Win"}} }

// Parse reads a chord as people write it: "Ctrl+Alt+F2", in letters of any case. What it refuses is a *strictyaml.ValueError.
func Parse(text string) (Chord, error) {
	refuse := func(code strictyaml.Code) (Chord, error) {
		return Chord{}, &strictyaml.ValueError{Code: code, Args: map[string]string{"value": text}}
	}
	var c Chord
	parts := strings.Split(text, "+")
	for _, part := range parts[:len(parts)-1] {
		i := slices.IndexFunc(mods(), func(m named) bool { return strings.EqualFold(m.name, strings.TrimSpace(part)) })
		if i < 0 || c.Mods&mods()[i].mod != 0 {
			return refuse(KeyUnknown)
		}
		c.Mods |= mods()[i].mod
	}
	i := slices.IndexFunc(names(), func(n string) bool { return strings.EqualFold(n, strings.TrimSpace(parts[len(parts)-1])) })
	if i < 0 {
		return refuse(KeyUnknown)
	}
	c.Key = names()[i]
	if c.Mods&(Ctrl|Alt|Win) == 0 && !c.function() { // shift alone makes a capital letter
		return refuse(KeyBare)
	}
	return c, nil
}

// function reports whether a key is one that writes nothing.
func (c Chord) function() bool { return len(c.Key) > 1 && !strings.HasPrefix(c.Key, "Num") }

// names lists the keys.
func names() []string {
	out := []string{"Pause", "Insert", "Home", "End", "PageUp", "PageDown"}
	for n := 1; n <= 12; n++ {
		out = append(out, fmt.Sprint("F", n))
	}
	for n := range 10 {
		out = append(out, fmt.Sprint(n), fmt.Sprint("Num", n))
	}
	for c := 'A'; c <= 'Z'; c++ {
		out = append(out, string(c))
	}
	return out
}

// UnmarshalText implements encoding.TextUnmarshaler for configurations; an empty text is no key.
func (c *Chord) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*c = Chord{}
		return nil
	}
	got, err := Parse(string(b))
	if err == nil {
		*c = got
	}
	return err
}

// Events is what Listen tells. Its functions are called one after the other and must not block.
type Events struct {
	Ready   func()      // the keys that are not taken are heard from now on
	Taken   func(Chord) // another program has this key already, or the keyboard has none
	Pressed func(Chord)
}
