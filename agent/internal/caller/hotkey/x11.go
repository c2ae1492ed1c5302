//go:build !windows

package hotkey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Defaults are held with the keys of a configuration that names none: Ctrl+Alt+F2 would switch to another console here.
const Defaults = Ctrl | Shift

// Usable reports whether programs can have a key at all: Ctrl+Alt with a function key belongs to the X server.
func Usable(c Chord) bool {
	return c.Mods&(Ctrl|Alt) != Ctrl|Alt || len(c.Key) < 2 || c.Key[0] != 'F'
}

// Listen tells which keys are pressed until ctx ends, whichever window of the X display has the focus. It fails if there is no display,
// if it goes away, or if every key is taken.
func Listen(ctx context.Context, chords []Chord, ev Events) error {
	xgb.Logger.SetOutput(io.Discard) // what it has to say comes as errors, too
	conn, err := xgb.NewConn()
	if err != nil {
		return fmt.Errorf("hot-keys: %w", err)
	}
	var closing sync.Once
	end := func() { closing.Do(conn.Close) }
	defer end()
	stop := context.AfterFunc(ctx, end) // WaitForEvent knows no context
	defer stop()
	g := &grab{conn: conn, root: xproto.Setup(conn).DefaultScreen(conn).Root, chords: chords, ev: ev, released: map[xproto.Keycode]xproto.Timestamp{}}
	if err := g.all(); err != nil {
		return err
	}
	ev.Ready()
	for {
		event, err := conn.WaitForEvent()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case event == nil && err == nil:
			return errors.New("hot-keys: the X server went away")
		case err != nil: // of a request whose answer nobody waits for
			continue
		}
		switch e := event.(type) {
		case xproto.KeyReleaseEvent:
			g.released[e.Detail] = e.Time
		case xproto.KeyPressEvent:
			if up, ok := g.released[e.Detail]; ok && up == e.Time { // a key that is held down is let go and pressed in one moment, again and again
				continue
			}
			if c, ok := g.byCode[code{e.Detail, e.State & held}]; ok {
				ev.Pressed(c)
			}
		case xproto.MappingNotifyEvent: // another keyboard, or another layout
			if err := g.all(); err != nil {
				return err
			}
		}
	}
}

// held are the modifiers that chords use; the locks stand beside them.
const held = xproto.ModMaskControl | xproto.ModMask1 | xproto.ModMaskShift | xproto.ModMask4

type code struct {
	key  xproto.Keycode
	mods uint16
}

// grab is the keys of a display that are ours.
type grab struct {
	conn   *xgb.Conn
	root   xproto.Window
	chords []Chord
	ev     Events
	byCode map[code]Chord

	released map[xproto.Keycode]xproto.Timestamp // when a key was let go last
	told     bool                                // which ones are taken
}

// all takes the keys anew, by the keyboard as it is now.
func (g *grab) all() error {
	_ = xproto.UngrabKeyChecked(g.conn, xproto.GrabAny, g.root, xproto.ModMaskAny).Check() // there may be none
	codes, err := g.keyboard()
	if err != nil {
		return err
	}
	g.byCode = map[code]Chord{}
	for _, c := range g.chords {
		key, there := codes[keysym(c.Key)]
		if there && g.one(key, mask(c.Mods)) {
			g.byCode[code{key, mask(c.Mods)}] = c
		} else if !g.told {
			g.ev.Taken(c)
		}
	}
	g.told = true
	if len(g.byCode) == 0 {
		return errors.New("hot-keys: no key is free")
	}
	return nil
}

// lockings are Caps Lock (lock) and Num Lock (mod2), which nobody thinks of.
func lockings() []uint16 {
	return []uint16{0, xproto.ModMaskLock, xproto.ModMask2, xproto.ModMaskLock | xproto.ModMask2}
}

// one grabs a key under all lockings.
func (g *grab) one(key xproto.Keycode, mods uint16) bool {
	for _, locks := range lockings() {
		err := xproto.GrabKeyChecked(g.conn, false, g.root, mods|locks, key, xproto.GrabModeAsync, xproto.GrabModeAsync).Check()
		if err != nil {
			for _, taken := range lockings() { // a key that is only half ours would be dead
				_ = xproto.UngrabKeyChecked(g.conn, key, g.root, mods|taken).Check()
			}
			return false
		}
	}
	return true
}

// keyboard gives the key of each symbol.
func (g *grab) keyboard() (map[xproto.Keysym]xproto.Keycode, error) {
	setup := xproto.Setup(g.conn)
	first, n := setup.MinKeycode, byte(setup.MaxKeycode-setup.MinKeycode+1)
	m, err := xproto.GetKeyboardMapping(g.conn, first, n).Reply()
	if err != nil {
		return nil, fmt.Errorf("hot-keys: read the keyboard: %w", err)
	}
	out := map[xproto.Keysym]xproto.Keycode{}
	per := int(m.KeysymsPerKeycode)
	for i, sym := range m.Keysyms {
		if _, known := out[sym]; !known && per > 0 {
			out[sym] = first + xproto.Keycode(i/per)
		}
	}
	return out, nil
}

func mask(m Mod) (out uint16) {
	for mod, bit := range map[Mod]uint16{Ctrl: xproto.ModMaskControl, Alt: xproto.ModMask1, Shift: xproto.ModMaskShift, Win: xproto.ModMask4} {
		if m&mod != 0 {
			out |= bit
		}
	}
	return out
}

// keysym gives the X symbol of a key (X11/keysymdef.h).
func keysym(key string) xproto.Keysym {
	var n xproto.Keysym
	switch {
	case len(key) == 1 && key[0] >= 'A' && key[0] <= 'Z':
		return xproto.Keysym(key[0]) + 'a' - 'A'
	case len(key) == 1:
		return xproto.Keysym(key[0])
	case scan(key, "Num%d", &n):
		return 0xffb0 + n
	case scan(key, "F%d", &n):
		return 0xffbe + n - 1
	}
	return map[string]xproto.Keysym{
		"Pause": 0xff13, "Insert": 0xff63, "Home": 0xff50, "End": 0xff57, "PageUp": 0xff55, "PageDown": 0xff56,
	}[key]
}

func scan(key, form string, n *xproto.Keysym) bool {
	_, err := fmt.Sscanf(key, form, n)
	return err == nil
}
