package main

import (
	"fmt"
	"os"
	"unsafe"

	"github.com/spf13/cobra"
	"golang.org/x/sys/windows"
)

// The sounds of MessageBeep (winuser.h).
const (
	soundAsterisk = 0x40
	soundHand     = 0x10
)

// bell sounds as Windows does: softly when all is well, and otherwise when the clerk should look. The words stand in the title of the
// console, which the task bar shows also while the console is out of sight.
type bell struct{ beep, title *windows.LazyProc }

func newBell() *bell {
	return &bell{
		beep:  windows.NewLazySystemDLL("user32.dll").NewProc("MessageBeep"),
		title: windows.NewLazySystemDLL("kernel32.dll").NewProc("SetConsoleTitleW"),
	}
}

func (b *bell) ring(text string, good bool) {
	if words, err := windows.UTF16PtrFromString(text); err == nil && b.title.Find() == nil {
		_, _, _ = b.title.Call(uintptr(unsafe.Pointer(words)))
	}
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

// startByClick lets a click start the helper, or the folder of programs that start with the PC. The command library would else end it
// with the advice to open a console first; this is the switch it has for that.
func startByClick() { cobra.MousetrapHelpText = "" }

// letRead keeps a console that was opened for this program alone, as by a click, until somebody has read why it ends.
func letRead() {
	list := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetConsoleProcessList")
	if list.Find() != nil {
		return
	}
	var ids [2]uint32
	if n, _, _ := list.Call(uintptr(unsafe.Pointer(&ids[0])), uintptr(len(ids))); n != 1 {
		return
	}
	fmt.Fprintln(os.Stderr, "按回车键关闭。")
	_, _ = fmt.Scanln() // whatever is typed
}
