//go:build windows

package hotkey

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Defaults are held with the keys of a configuration that names none.
const Defaults = Ctrl | Alt

// Usable reports whether programs can have a key at all: F12 alone belongs to the debugger.
func Usable(c Chord) bool { return c != Chord{Key: "F12"} }

// What user32 knows (winuser.h).
const (
	modAlt      = 0x1
	modControl  = 0x2
	modShift    = 0x4
	modWin      = 0x8
	modNoRepeat = 0x4000
	wmQuit      = 0x12
	wmHotkey    = 0x312
)

// message is MSG.
type message struct {
	window  windows.Handle
	message uint32
	wParam  uintptr
	lParam  uintptr
	time    uint32
	x, y    int32
	private uint32
}

// Listen tells which keys are pressed until ctx ends, whichever window has the focus. It fails if every key is taken.
func Listen(ctx context.Context, chords []Chord, ev Events) error {
	runtime.LockOSThread() // keys and messages belong to a thread
	defer runtime.UnlockOSThread()
	user := windows.NewLazySystemDLL("user32.dll")
	register, unregister := user.NewProc("RegisterHotKey"), user.NewProc("UnregisterHotKey")
	get, post := user.NewProc("GetMessageW"), user.NewProc("PostThreadMessageW")
	for _, p := range []*windows.LazyProc{register, unregister, get, post, user.NewProc("PeekMessageW")} {
		if err := p.Find(); err != nil {
			return fmt.Errorf("hot-keys: %w", err)
		}
	}
	var m message
	_, _, _ = user.NewProc("PeekMessageW").Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0, 0) // gives the thread its queue
	free := 0
	for i, c := range chords {
		if ok, _, _ := register.Call(0, uintptr(i+1), mask(c.Mods), virtualKey(c.Key)); ok == 0 {
			ev.Taken(c)
			continue
		}
		free++
		defer func() { _, _, _ = unregister.Call(0, uintptr(i+1)) }()
	}
	if free == 0 {
		return errors.New("hot-keys: no key is free")
	}
	thread := windows.GetCurrentThreadId()
	stop := context.AfterFunc(ctx, func() { _, _, _ = post.Call(uintptr(thread), wmQuit, 0, 0) })
	defer stop()
	ev.Ready()
	for {
		got, _, err := get.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0)
		switch {
		case int32(got) == -1:
			return fmt.Errorf("hot-keys: %w", err)
		case got == 0:
			return ctx.Err()
		case m.message == wmHotkey && m.wParam >= 1 && int(m.wParam) <= len(chords):
			ev.Pressed(chords[m.wParam-1])
		}
	}
}

func mask(m Mod) uintptr {
	out := uintptr(modNoRepeat)
	for mod, bit := range map[Mod]uintptr{Ctrl: modControl, Alt: modAlt, Shift: modShift, Win: modWin} {
		if m&mod != 0 {
			out |= bit
		}
	}
	return out
}

// virtualKey gives the key's code (winuser.h, VK_*).
func virtualKey(key string) uintptr {
	var n uintptr
	if len(key) == 1 {
		return uintptr(key[0])
	}
	if _, err := fmt.Sscanf(key, "Num%d", &n); err == nil {
		return windows.VK_NUMPAD0 + n
	}
	if _, err := fmt.Sscanf(key, "F%d", &n); err == nil {
		return windows.VK_F1 + n - 1
	}
	return map[string]uintptr{
		"Pause": windows.VK_PAUSE, "Insert": windows.VK_INSERT, "Home": windows.VK_HOME, "End": windows.VK_END,
		"PageUp": windows.VK_PRIOR, "PageDown": windows.VK_NEXT,
	}[key]
}
