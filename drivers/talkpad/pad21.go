package talkpad

import (
	"fmt"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/pad21"
)

// dialect21 is that of the 21-key pad.
type dialect21 struct {
	address byte
	rx      pad21.Decoder
}

func new21(o *registry.Options) dialect {
	return &dialect21{address: byte(o.Int("address", 1, 1, 255))}
}

func (d *dialect21) gap() time.Duration { return 0 }

func (d *dialect21) hear(b []byte, state string) (h heard) {
	before := d.rx.Garbage()
	d.rx.Push(b)
	for f, ok := d.rx.Next(); ok; f, ok = d.rx.Next() {
		h.frames++
		if f.Address != d.address || f.Function == pad21.Display {
			continue
		}
		w := word{mark: fmt.Sprintf("%02x % x", byte(f.Function), f.Data)}
		w.ack, _ = f.Ack().Append(nil)  // what could be parsed can be written
		if f.Function != pad21.Rating { // the rating device that hangs on the pad is a device of its own
			w.keys = keys21(f.Data, state)
		}
		h.said = append(h.said, w)
	}
	h.garbage = int(d.rx.Garbage() - before)
	return h
}

// keys21 gives the keys of a frame: digits, and the key that sent them. Keys without a meaning end the digits. 等候 ends the pause that it
// began.
func keys21(data []byte, state string) (keys []device.Key) {
	for _, b := range data {
		if b <= 9 {
			keys = append(keys, device.Key{Code: device.KeyDigit, Digit: int(b)})
			continue
		}
		code, known := map[pad21.Key]device.KeyCode{
			pad21.KeyRate: device.KeyRate, pad21.KeyCall: device.KeyNext, pad21.KeyRecall: device.KeyRecall, pad21.KeyCancel: device.KeyCancel,
			pad21.KeyConfirm: device.KeyConfirm, pad21.KeyPause: device.KeyPause, pad21.KeyTransfer: device.KeyTransfer,
		}[pad21.Key(b)]
		switch {
		case !known:
			code = device.KeyCancel
		case code == device.KeyPause && state == "paused":
			code = device.KeyResume
		}
		keys = append(keys, device.Key{Code: code})
	}
	return keys
}

func (d *dialect21) panel(p pad21.Panel) []byte {
	b, _ := pad21.Frame{Address: d.address, Function: pad21.Display, Data: p.Data()}.Append(nil) // six digits always fit
	return b
}

func (d *dialect21) show(f, _ device.PadFrame) ([][]byte, error) {
	return [][]byte{d.panel(pad21.Panel{Waiting: f.Waiting, Ticket: f.Number})}, nil
}

// refuse shows 888 888, which no ticket has together with so many people.
func (d *dialect21) refuse() [][]byte {
	return [][]byte{d.panel(pad21.Panel{Waiting: 888, Ticket: "888"})}
}
