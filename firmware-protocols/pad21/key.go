package pad21

import (
	"fmt"
	"strings"
)

// Key is a key of the pad. The digits are 0 to 9. A pad keeps digits to itself until another key follows, and sends them with it.
type Key byte

// The keys.
const (
	KeyRate     Key = 0x0B // 评价
	KeyCall     Key = 0x0C // 呼叫
	KeyRecall   Key = 0x0D // 重呼
	KeyCancel   Key = 0x0E // 取消
	KeyConfirm  Key = 0x0F // 确认
	KeyOneMetre Key = 0x11 // 一米
	KeyPause    Key = 0x12 // 等候
	KeyTransfer Key = 0x13 // 转移
)

// blank is a dark digit.
const blank = 0x0A

// Panel is what a pad shows: two numbers of three digits.
type Panel struct {
	Waiting int    // people; more than 999 are shown as 999
	Ticket  string // its last three digits are shown; empty or "---" is dark
}

// Data gives the panel as the data of a frame with the function Display.
func (p Panel) Data() []byte {
	out := []byte(fmt.Sprintf("%3d%3s", min(max(p.Waiting, 0), 999), lastDigits(p.Ticket)))
	for i, c := range out {
		if c < '0' || c > '9' {
			out[i] = blank
		} else {
			out[i] = c - '0'
		}
	}
	return out
}

// lastDigits gives the last three digits of a number such as A1012.
func lastDigits(s string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
	return digits[max(0, len(digits)-3):]
}

// Pad is a pad as the far end of the protocol. It serves the simulated pad.
type Pad struct {
	address byte
	rx      *Decoder
	typed   []byte // digits that wait for a key
	panel   []byte
	unacked []Frame
}

// maxTyped is how many digits go with a key.
const maxTyped = MaxFromPad - 1

// NewPad makes a pad with an address, just switched on.
func NewPad(address byte) *Pad { return &Pad{address: address, rx: NewPadDecoder()} }

// Press is a finger on a key. It gives what the pad sends, which is nothing for a digit.
func (p *Pad) Press(k Key) []byte {
	if k <= 9 {
		if p.typed = append(p.typed, byte(k)); len(p.typed) > maxTyped {
			p.typed = p.typed[1:]
		}
		return nil
	}
	f := Frame{Address: p.address, Function: Keys, Data: append(p.typed, byte(k))}
	p.typed = nil
	return p.say(f)
}

// Rate is a finger on the rating device that hangs on the pad. It gives what the pad sends.
func (p *Pad) Rate(value byte) []byte {
	return p.say(Frame{Address: p.address, Function: Rating, Data: []byte{value}})
}

func (p *Pad) say(f Frame) []byte {
	p.unacked = append(p.unacked, f)
	out, _ := f.Append(nil) // one to three bytes of data
	return out
}

// Hear takes what the line delivers.
func (p *Pad) Hear(b []byte) {
	p.rx.Push(b)
	for f, ok := p.rx.Next(); ok; f, ok = p.rx.Next() {
		if f.Address != p.address {
			continue
		}
		if f.Function == Display {
			p.panel = f.Data
			continue
		}
		for i, u := range p.unacked {
			if ack := u.Ack(); ack.Function == f.Function && string(ack.Data) == string(f.Data) {
				p.unacked = append(p.unacked[:i], p.unacked[i+1:]...)
				break
			}
		}
	}
}

// Unacknowledged counts the frames that the host has not answered.
func (p *Pad) Unacknowledged() int { return len(p.unacked) }

// Shows gives the digits of the display, spaces where it is dark; empty while nothing was shown.
func (p *Pad) Shows() string {
	return strings.Map(func(r rune) rune {
		if r > 9 {
			return ' '
		}
		return '0' + r
	}, string(p.panel))
}
