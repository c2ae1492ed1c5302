package talkpad

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/sixbyte"
)

// dialectSix is that of the six-byte pad. Whatever is uncertain about it is an option.
type dialectSix struct {
	address, host byte
	rx            *sixbyte.Decoder
	pause         time.Duration
}

func newSixByte(o *registry.Options) dialect {
	d := &dialectSix{
		address: byte(o.Int("address", 3, 1, 254)), host: byte(o.Int("host", 1, 1, 254)),
		pause: o.Duration("gap", sixbyte.Gap, 10*time.Millisecond, time.Second),
	}
	if d.address == d.host {
		o.Reject("address", "is the host's own")
	}
	d.rx = sixbyte.NewDecoder(d.host, sixbyte.Next, sixbyte.Recall, sixbyte.Login, sixbyte.Logout)
	return d
}

func (d *dialectSix) gap() time.Duration { return d.pause }

func (d *dialectSix) hear(b []byte, _ string) (h heard) {
	before := d.rx.Garbage()
	d.rx.Push(b)
	for f, ok := d.rx.Next(); ok; f, ok = d.rx.Next() {
		h.frames++
		if f.From != d.address {
			continue
		}
		code := map[sixbyte.Command]device.KeyCode{
			sixbyte.Next: device.KeyNext, sixbyte.Recall: device.KeyRecall, sixbyte.Login: device.KeyLogin, sixbyte.Logout: device.KeyLogout,
		}[f.Command]
		h.said = append(h.said, word{keys: []device.Key{{Code: code}}, mark: fmt.Sprint(f.Command)})
	}
	h.garbage = int(d.rx.Garbage() - before)
	return h
}

// show tells the pad that it is logged in while its window is open, the number and how many wait.
func (d *dialectSix) show(f, _ device.PadFrame) ([][]byte, error) {
	open := sixbyte.LoggedIn
	if f.State == "closed" {
		open = sixbyte.LoggedOut
	}
	frames := [][]byte{sixbyte.Plain(d.address, d.host, open).Append(nil)}
	n, err := strconv.Atoi("0" + strings.TrimLeft(f.Number, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	if err != nil {
		return nil, fmt.Errorf("number %q: the pad shows digits only", f.Number)
	}
	for c, value := range map[sixbyte.Command]int{sixbyte.ShowNumber: n % 10000, sixbyte.ShowWaiting: min(max(f.Waiting, 0), 9999)} {
		b, err := sixbyte.Number(d.address, d.host, c, value)
		if err != nil {
			return nil, err
		}
		frames = append(frames, b.Append(nil))
	}
	return frames, nil
}

// refuse has nothing: no command that a pad could show it with is known.
func (d *dialectSix) refuse() [][]byte { return nil }
