package main

import "golang.org/x/sys/windows"

// The sounds of MessageBeep (winuser.h).
const (
	soundAsterisk = 0x40
	soundHand     = 0x10
)

// bell sounds as Windows does: softly when all is well, and otherwise when the clerk should look at the console.
type bell struct{ beep *windows.LazyProc }

func newBell() *bell { return &bell{windows.NewLazySystemDLL("user32.dll").NewProc("MessageBeep")} }

func (b *bell) ring(_ string, good bool) {
	if b.beep.Find() != nil { // a Windows without sounds
		return
	}
	sound := uintptr(soundHand)
	if good {
		sound = soundAsterisk
	}
	_, _, _ = b.beep.Call(sound)
}

func (b *bell) wait() {}
