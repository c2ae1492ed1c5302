package talkpad

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/ub485"
)

// Words of the button options that are no key of device: what they mean depends on what is at the window.
const (
	none         = "none"
	nextOrRecall = "next_or_recall" // recalls who was called and did not come yet
	finishOrPass = "finish_or_pass" // passes who was called and did not come
)

// Faces of the four-button pad: some have a lamp, newer ones three characters, some both.
const (
	faceLamp = "lamp"
	faceText = "text"
	faceBoth = "both"
)

// dialectUB is that of the four-button pad.
type dialectUB struct {
	address  byte
	rx       ub485.Decoder
	meanings map[ub485.Button]string
	transfer string // digits that go before a transfer
	face     string
}

func newUB485(o *registry.Options) dialect {
	words := []string{none, nextOrRecall, finishOrPass, string(device.KeyNext), string(device.KeyRecall), string(device.KeyStart),
		string(device.KeyPass), string(device.KeyFinish), string(device.KeyTransfer), string(device.KeyRate), string(device.KeyPause),
		string(device.KeyHold), string(device.KeyReturn), string(device.KeyAbandon), string(device.KeyLogin), string(device.KeyLogout)}
	d := &dialectUB{
		address: byte(o.Int("address", 1, 1, 255)), face: o.OneOf("face", faceText, faceText, faceLamp, faceBoth),
		transfer: o.String("transfer_to", ""), meanings: map[ub485.Button]string{},
	}
	for i, usual := range []string{nextOrRecall, string(device.KeyStart), none, finishOrPass} {
		d.meanings[ub485.Button1+ub485.Button(i)] = o.OneOf("button_"+strconv.Itoa(i+1), usual, words...)
	}
	if strings.Trim(d.transfer, "0123456789") != "" || len(d.transfer) > 4 {
		o.Reject("transfer_to", "must be up to four digits")
	}
	return d
}

func (d *dialectUB) gap() time.Duration { return 0 }

func (d *dialectUB) hear(b []byte, state string) (h heard) {
	before := d.rx.Garbage()
	d.rx.Push(b)
	for p, ok := d.rx.Next(); ok; p, ok = d.rx.Next() {
		h.frames++
		if p.Address == d.address {
			h.said = append(h.said, word{keys: d.keys(p.Button, state), mark: fmt.Sprint(p.Button)})
		}
	}
	h.garbage = int(d.rx.Garbage() - before)
	return h
}

func (d *dialectUB) keys(b ub485.Button, state string) []device.Key {
	called := state == "called"
	switch m := d.meanings[b]; {
	case m == none:
		return nil
	case m == nextOrRecall && called:
		return []device.Key{{Code: device.KeyRecall}}
	case m == nextOrRecall:
		return []device.Key{{Code: device.KeyNext}}
	case m == finishOrPass && called:
		return []device.Key{{Code: device.KeyPass}}
	case m == finishOrPass:
		return []device.Key{{Code: device.KeyFinish}}
	case m == string(device.KeyTransfer):
		var keys []device.Key
		for _, c := range d.transfer {
			keys = append(keys, device.Key{Code: device.KeyDigit, Digit: int(c - '0')})
		}
		return append(keys, device.Key{Code: device.KeyTransfer})
	default:
		return []device.Key{{Code: device.KeyCode(m)}}
	}
}

// show blinks while somebody is called, and beeps when the first person comes who waits for an idle window.
func (d *dialectUB) show(f, was device.PadFrame) ([][]byte, error) {
	mode, text, lamp := ub485.Steady, f.Number, ub485.Dark
	switch {
	case f.State == "called":
		mode, lamp = ub485.Blinking, ub485.GreenSlow
	case f.State == "serving":
		lamp = ub485.Green
	case f.State == "paused":
		text, lamp = "PAU", ub485.Red
	case f.State == "idle" && f.Waiting > 0:
		text, lamp = "CAL", ub485.GreenFast
		if was.State == "idle" && was.Waiting == 0 {
			mode, lamp = ub485.Blinks(5), lamp.Beeping()
		}
	}
	return d.frames(mode, text, lamp)
}

func (d *dialectUB) frames(mode ub485.Mode, text string, lamp ub485.Lamp) (out [][]byte, err error) {
	if d.face != faceLamp {
		b, err := ub485.AppendText(nil, d.address, mode, text)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	if d.face != faceText {
		out = append(out, ub485.AppendLamp(nil, d.address, lamp))
	}
	return out, nil
}

func (d *dialectUB) refuse() [][]byte {
	frames, _ := d.frames(ub485.Blinks(3), "---", ub485.RedFast.Beeping()) // it is ASCII
	return frames
}
