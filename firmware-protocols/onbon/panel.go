package onbon

import (
	"cmp"
	"slices"
	"strings"
)

// maxAreas bounds what a panel keeps; real cards hold far fewer.
const maxAreas = 64

// Panel is a card as the far end of the protocol: it takes frames, remembers what it shows and answers. It serves the
// simulated screen.
type Panel struct {
	screen uint16
	dark   bool
	areas  map[byte]Area
	bright Brightness
}

// NewPanel makes a blank card with the given screen number.
func NewPanel(screen uint16) *Panel { return &Panel{screen: screen, areas: map[byte]Area{}} }

// Lit reports whether the screen is switched on.
func (p *Panel) Lit() bool { return !p.dark }

// Brightness gives what it was told last.
func (p *Panel) Brightness() Brightness { return p.bright }

// Lines gives what the screen shows, area by area from top to bottom and left to right.
func (p *Panel) Lines() []string {
	if p.dark {
		return nil
	}
	var lines []string
	for _, a := range p.Areas() {
		lines = append(lines, strings.Split(a.Text.S, "\n")...)
	}
	return lines
}

// Areas gives the areas in the same order.
func (p *Panel) Areas() []Area {
	var list []Area
	for _, a := range p.areas {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Area) int {
		return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Handle does what a frame says. reply is false when the card stays silent: another screen's frame, a broadcast, or a
// sender that wants no answer.
func (p *Panel) Handle(f Frame) (answer Frame, reply bool) {
	if f.Dst != p.screen && f.Dst != Broadcast {
		return Frame{}, false
	}
	r, err := ParseRequest(f.Data)
	result := ResultMemory
	if err == nil {
		result = p.obey(r)
	}
	if f.Dst == Broadcast || r.Silent {
		return Frame{}, false
	}
	code := Command(0xA000)
	if result != ResultOK {
		code = 0xA001
	}
	return Frame{Dst: f.Src, Src: p.screen, CardType: f.CardType, Data: Reply{Command: code, Result: result}.Data()}, true
}

func (p *Panel) obey(r Request) Result {
	switch r.Command {
	case CmdPing:
	case CmdReset, CmdClear:
		clear(p.areas)
		p.dark = false
	case CmdPower:
		if len(r.Params) != 1 || r.Params[0] != PowerOn && r.Params[0] != PowerOff {
			return ResultNoCommand
		}
		p.dark = r.Params[0] == PowerOff
	case CmdBrightness:
		b, err := ParseBrightness(r)
		if err != nil {
			return ResultMemory
		}
		p.bright = b
	case CmdUpdate:
		u, err := ParseUpdate(r)
		if err != nil {
			return ResultMemory
		}
		return p.update(u)
	default:
		return ResultNoCommand
	}
	return ResultOK
}

func (p *Panel) update(u Update) Result {
	if u.DeleteAll {
		clear(p.areas)
	}
	for _, id := range u.Delete {
		delete(p.areas, id)
	}
	for _, a := range u.Areas {
		if _, known := p.areas[a.ID]; !known && len(p.areas) == maxAreas {
			return ResultMemory
		}
		p.areas[a.ID] = a
	}
	return ResultOK
}
