package present

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// View is what a screen stands for: one window, or the calls of some windows or of all.
type View struct {
	Window  hallsync.WindowID   // empty: Windows
	Windows []hallsync.WindowID // empty: all
	Notice  string              // shown while nobody is called; empty: a greeting
	Texts   Texts
}

// Texts is what screens say when they have no number to show.
type Texts struct{ Waiting, Paused, Closed string }

// maxMore is how many earlier calls a frame has room for, maxLooked how many are looked at for them.
const (
	maxMore   = 7
	maxLooked = 32
)

// Frame is what a screen shows now: a window's screen the window's ticket or its pause, one of several windows the latest call, and
// below it those before. A fresh call or recall flashes; each is a new frame by its serial.
func (v View) Frame(s *queue.State) device.Frame {
	if v.Window != "" {
		return v.window(s)
	}
	var f device.Frame
	for _, c := range s.Calls(maxLooked) {
		name := windowName(s, c.Window)
		switch {
		case len(v.Windows) > 0 && !slices.Contains(v.Windows, c.Window):
		case f.Scene == "":
			f = device.Frame{
				Scene: device.SceneCalling, Lines: []string{"请" + c.Number + "号", "到" + name},
				Flash: true, Serial: serial(c.Ticket, c.Times, c.At),
			}
		case len(f.More) < maxMore:
			f.More = append(f.More, c.Number+"到"+name)
		}
	}
	if f.Scene == "" {
		return v.idle()
	}
	return f
}

func (v View) window(s *queue.State) device.Frame {
	w, ok := s.Window(v.Window)
	switch {
	case !ok || w.State == hallsync.WindowClosed:
		return device.Frame{Scene: device.SceneClosed, Lines: []string{v.Texts.Closed}}
	case w.State == hallsync.WindowPaused:
		return device.Frame{Scene: device.ScenePaused, Lines: []string{v.Texts.Paused}}
	}
	t, ok := s.Ticket(w.Ticket)
	switch {
	case !ok:
		return v.idle()
	case t.State == hallsync.Called:
		return device.Frame{
			Scene: device.SceneCalling, Lines: []string{"请" + t.Number + "号"}, Flash: true, Serial: serial(t.ID, t.Calls, t.CalledAt),
		}
	default:
		return device.Frame{Scene: device.SceneServing, Lines: []string{t.Number}}
	}
}

func (v View) idle() device.Frame {
	if v.Notice != "" {
		return device.Frame{Scene: device.SceneNotice, Lines: []string{v.Notice}}
	}
	return device.Frame{Scene: device.SceneWaiting, Lines: []string{v.Texts.Waiting}}
}

// serial tells one call from another one that looks the same: a person who was passed and came back is called to the same window
// for the first time again.
func serial(id hallsync.TicketID, times int, at time.Time) string {
	return fmt.Sprint(id, "/", times, "/", at.UnixMilli())
}

// windowName is the window as citizens read it: "3号窗口" for a window called 3, else its own name.
func windowName(s *queue.State, id hallsync.WindowID) string {
	for _, w := range s.Plan().Windows {
		if w.ID == id && w.Name != "" {
			return w.Name
		}
	}
	return strings.TrimSpace(string(id)) + "号窗口"
}
