package onbon

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Effect is how text enters an area.
type Effect byte

// The effects.
const (
	Static  Effect = 1
	Instant Effect = 2
	Left    Effect = 3 // runs through from right to left
	Right   Effect = 4
	Up      Effect = 5
	Down    Effect = 6
)

// RunMode is what happens after the last page.
type RunMode byte

// The run modes.
const (
	Loop     RunMode = 0
	StayLast RunMode = 1
	Once     RunMode = 4
)

// Area is a dynamic text area: a rectangle of the screen, in pixels, and what it shows. X and Width go in steps of 8.
type Area struct {
	ID            byte
	X, Y          int
	Width, Height int
	Mode          RunMode
	TimeoutS      uint16
	MultiLine     bool
	Wrap          bool
	Effect        Effect
	Speed         byte // 0 fastest to 24 slowest
	Stay          byte // half seconds a page stays
	Text          Text
}

// Update replaces, adds and deletes dynamic areas.
type Update struct {
	ClearFirst bool // blank the areas before drawing
	DeleteAll  bool
	Delete     []byte // ids, at most MaxDelete; ignored when DeleteAll
	Areas      []Area
}

// MaxDelete is the most ids one update can name.
const MaxDelete = 0xFE

const (
	deleteAll     = 0xFF
	areaHeaderLen = 27
	inPixels      = 0x8000 // set in X and width when they count pixels instead of 8-pixel units
)

var errUpdate = errors.New("bad update")

// Request encodes the update. It fails when a rectangle does not lie on the 8-pixel grid, when a number is out of range or
// when the text does not fit a frame.
func (u Update) Request() (Request, error) {
	if len(u.Delete) > MaxDelete || len(u.Areas) > 0xFF {
		return Request{}, fmt.Errorf("%w: %d ids to delete, %d areas", errUpdate, len(u.Delete), len(u.Areas))
	}
	var p []byte
	if u.DeleteAll {
		p = append(p, deleteAll)
	} else {
		p = append(p, byte(len(u.Delete)))
		p = append(p, u.Delete...)
	}
	p = append(p, byte(len(u.Areas)))
	for _, a := range u.Areas {
		var err error
		if p, err = a.appendTo(p); err != nil {
			return Request{}, err
		}
	}
	if len(p) > MaxData-requestLen {
		return Request{}, fmt.Errorf("%w: %d bytes", errUpdate, len(p))
	}
	r := Request{Command: CmdUpdate, Params: p}
	if u.ClearFirst {
		r.Mode = 1
	}
	return r, nil
}

// ParseUpdate decodes a request whose command is CmdUpdate.
func ParseUpdate(r Request) (Update, error) {
	u := Update{ClearFirst: r.Mode == 1}
	p := r.Params
	if r.Command != CmdUpdate || len(p) < 2 {
		return Update{}, fmt.Errorf("%w: command %04X, %d bytes", errUpdate, uint16(r.Command), len(p))
	}
	n := int(p[0])
	p = p[1:]
	if n == deleteAll {
		u.DeleteAll = true
	} else {
		if len(p) < n+1 {
			return Update{}, fmt.Errorf("%w: cut list of ids", errUpdate)
		}
		u.Delete = append(u.Delete, p[:n]...)
		p = p[n:]
	}
	count := int(p[0])
	p = p[1:]
	for range count {
		if len(p) < 2 {
			return Update{}, fmt.Errorf("%w: cut area", errUpdate)
		}
		size := int(binary.LittleEndian.Uint16(p))
		p = p[2:]
		if len(p) < size {
			return Update{}, fmt.Errorf("%w: area of %d bytes, %d there", errUpdate, size, len(p))
		}
		a, err := parseArea(p[:size])
		if err != nil {
			return Update{}, err
		}
		u.Areas = append(u.Areas, a)
		p = p[size:]
	}
	if len(p) != 0 {
		return Update{}, fmt.Errorf("%w: %d bytes too many", errUpdate, len(p))
	}
	return u, nil
}

func (a Area) appendTo(p []byte) ([]byte, error) {
	if a.X%8 != 0 || a.Width%8 != 0 {
		return nil, fmt.Errorf("%w: area %d is not on the 8-pixel grid", errUpdate, a.ID)
	}
	for _, v := range []int{a.X, a.Y, a.Width, a.Height} {
		if v < 0 || v >= inPixels {
			return nil, fmt.Errorf("%w: area %d lies outside every screen", errUpdate, a.ID)
		}
	}
	text := a.Text.encode()
	if areaHeaderLen+len(text) > MaxData {
		return nil, fmt.Errorf("%w: text of %d bytes", errUpdate, len(text))
	}
	le := binary.LittleEndian
	p = le.AppendUint16(p, uint16(areaHeaderLen+len(text)))
	p = append(p, 0)
	p = le.AppendUint16(p, uint16(a.X/8))
	p = le.AppendUint16(p, uint16(a.Y))
	p = le.AppendUint16(p, uint16(a.Width/8))
	p = le.AppendUint16(p, uint16(a.Height))
	p = append(p, a.ID, 0, byte(a.Mode))
	p = le.AppendUint16(p, a.TimeoutS)
	p = append(p, 0, 0, 0, oneOrTwo(a.MultiLine), oneOrTwo(a.Wrap), byte(a.Effect), 0, a.Speed, a.Stay)
	p = le.AppendUint32(p, uint32(len(text)))
	return append(p, text...), nil
}

func parseArea(b []byte) (Area, error) {
	if len(b) < areaHeaderLen {
		return Area{}, fmt.Errorf("%w: area of %d bytes", errUpdate, len(b))
	}
	le := binary.LittleEndian
	text := b[areaHeaderLen:]
	if uint64(le.Uint32(b[23:])) != uint64(len(text)) {
		return Area{}, fmt.Errorf("%w: text of %d bytes, %d there", errUpdate, le.Uint32(b[23:]), len(text))
	}
	return Area{
		X: pixels(le.Uint16(b[1:])), Y: int(le.Uint16(b[3:])), Width: pixels(le.Uint16(b[5:])), Height: int(le.Uint16(b[7:])),
		ID: b[9], Mode: RunMode(b[11]), TimeoutS: le.Uint16(b[12:]), MultiLine: b[17] == 2, Wrap: b[18] == 2,
		Effect: Effect(b[19]), Speed: b[21], Stay: b[22], Text: decodeText(text),
	}, nil
}

func pixels(v uint16) int {
	if v&inPixels != 0 {
		return int(v &^ inPixels)
	}
	return int(v) * 8
}

func oneOrTwo(two bool) byte {
	if two {
		return 2
	}
	return 1
}
