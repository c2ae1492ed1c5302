package ratingpad

import (
	"strconv"

	"halledge/drivers/device"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
	"halledge/firmware-protocols/fixedkeys"
	"halledge/firmware-protocols/pad21"
)

const (
	worst, best = 1, 5 // grades, in stars
	mostOrder   = 32   // bytes that begin or end a question
)

// star is the option that says how a device tells of a grade.
func star(n int) string { return "stars_" + strconv.Itoa(n) }

// fixed is a device that sends fixed bytes for each key.
type fixed struct {
	rx       *fixedkeys.Decoder
	ask, end []byte
}

// NewBytes makes a rating device that sends fixed bytes for each key; see sample.yaml for its options.
func NewBytes(cfg registry.Config) (device.Device, error) {
	return pressed(cfg, func(o *registry.Options) dialect {
		keys := make([][]byte, best+1)
		for n := worst; n <= best; n++ {
			keys[n] = o.Hex(star(n), fixedkeys.MaxBytes)
		}
		rx, err := fixedkeys.New(keys)
		if err != nil {
			o.Reject(star(best), err.Error())
		}
		return &fixed{rx: rx, ask: o.Hex("ask", mostOrder), end: o.Hex("end", mostOrder)}
	})
}

func (d *fixed) begin(transport.Conn) error { return nil }
func (d *fixed) orders() (ask, end []byte)  { return d.ask, d.end }
func (d *fixed) blind() bool                { return true }

func (d *fixed) hear(b []byte) (h heard) {
	before := d.rx.Garbage()
	d.rx.Push(b)
	for key, ok := d.rx.Next(); ok; key, ok = d.rx.Next() {
		h.frames++
		h.stars = append(h.stars, key)
	}
	h.garbage = int(d.rx.Garbage() - before)
	return h
}

// keyboard is a device that is a USB keyboard with a few digits.
type keyboard struct {
	stars  map[evdev.KeyCode]int
	events evdev.Decoder
	board  evdev.Keyboard
}

// NewKeyboard makes a rating device that is a USB keyboard.
func NewKeyboard(cfg registry.Config) (device.Device, error) {
	return pressed(cfg, func(o *registry.Options) dialect {
		d := &keyboard{stars: map[evdev.KeyCode]int{}}
		for n := worst; n <= best; n++ {
			digit := o.Int(star(n), -1, 0, 9)
			if digit < 0 {
				continue
			}
			for _, code := range digitKeys(digit) {
				if d.stars[code] != 0 {
					o.Reject(star(n), "is the key of another grade too")
				}
				d.stars[code] = n
			}
		}
		if len(d.stars) == 0 {
			o.Reject(star(best), "some grade must have a key")
		}
		return d
	})
}

// digitKeys gives the two keys of a digit: of the keypad and of the main block.
func digitKeys(digit int) [2]evdev.KeyCode {
	pad := [...]evdev.KeyCode{evdev.KeyKP0, evdev.KeyKP1, evdev.KeyKP2, evdev.KeyKP3, evdev.KeyKP4, evdev.KeyKP5, evdev.KeyKP6,
		evdev.KeyKP7, evdev.KeyKP8, evdev.KeyKP9}
	if digit == 0 {
		return [2]evdev.KeyCode{pad[0], evdev.Key0}
	}
	return [2]evdev.KeyCode{pad[digit], evdev.Key1 + evdev.KeyCode(digit-1)}
}

// begin takes the device from everybody else, so that a rating types nothing into another program.
func (d *keyboard) begin(conn transport.Conn) error {
	d.events, d.board = evdev.Decoder{}, evdev.Keyboard{}
	_, err := transport.Grab(conn)
	return err
}

func (d *keyboard) orders() (ask, end []byte) { return nil, nil }
func (d *keyboard) blind() bool               { return false } // its node is gone when it is

func (d *keyboard) hear(b []byte) (h heard) {
	before := d.events.Garbage()
	d.events.Push(b)
	for e, ok := d.events.Next(); ok; e, ok = d.events.Next() {
		h.frames++
		if press, ok := d.board.Take(e); ok && !press.Modified && d.stars[press.Key] != 0 {
			h.stars = append(h.stars, d.stars[press.Key])
		}
	}
	h.garbage = int(d.events.Garbage() - before)
	return h
}

// hanging is a device that hangs on a 21-key call pad, which tells of it and is answered by the pad's own driver.
type hanging struct {
	address byte
	rx      pad21.Decoder
	stars   map[byte]int
}

// NewPad21 makes a rating device that hangs on a 21-key call pad.
func NewPad21(cfg registry.Config) (device.Device, error) {
	return pressed(cfg, func(o *registry.Options) dialect {
		d := &hanging{address: byte(o.Int("address", 1, 1, 255)), stars: map[byte]int{}}
		for n := worst; n <= best; n++ {
			value := o.Int(star(n), -1, 0, 255)
			if value < 0 {
				continue
			}
			if d.stars[byte(value)] != 0 {
				o.Reject(star(n), "is the value of another grade too")
			}
			d.stars[byte(value)] = n
		}
		if len(d.stars) == 0 {
			o.Reject(star(best), "some grade must have a value")
		}
		return d
	})
}

func (d *hanging) begin(transport.Conn) error { return nil }
func (d *hanging) orders() (ask, end []byte)  { return nil, nil }
func (d *hanging) blind() bool                { return true }

func (d *hanging) hear(b []byte) (h heard) {
	before := d.rx.Garbage()
	d.rx.Push(b)
	for f, ok := d.rx.Next(); ok; f, ok = d.rx.Next() {
		h.frames++
		if f.Address == d.address && f.Function == pad21.Rating && len(f.Data) == 1 && d.stars[f.Data[0]] != 0 {
			h.stars = append(h.stars, d.stars[f.Data[0]])
		}
	}
	h.garbage = int(d.rx.Garbage() - before)
	return h
}
