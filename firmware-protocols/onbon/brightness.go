package onbon

import "fmt"

// The brightness of a screen goes in steps; half an hour of the day may have its own.
const (
	MinBrightness = 1
	MaxBrightness = 16
	HalfHours     = 48
)

// brightnessManual is the mode in which the card shows Now; what other modes are called is not public.
const brightnessManual = 1

// Brightness is how bright a screen is now, and in each half hour of a day. The card keeps all of it.
type Brightness struct {
	Now byte
	Day [HalfHours]byte
}

// Request encodes the brightness. It fails when a step is out of range.
func (b Brightness) Request() (Request, error) {
	p := append([]byte{brightnessManual, b.Now}, b.Day[:]...)
	for _, step := range p[1:] {
		if step < MinBrightness || step > MaxBrightness {
			return Request{}, fmt.Errorf("brightness %d: %d to %d are possible", step, MinBrightness, MaxBrightness)
		}
	}
	return Request{Command: CmdBrightness, Params: p}, nil
}

// ParseBrightness decodes a request whose command is CmdBrightness.
func ParseBrightness(r Request) (Brightness, error) {
	if r.Command != CmdBrightness || len(r.Params) != 2+HalfHours || r.Params[0] != brightnessManual {
		return Brightness{}, fmt.Errorf("no brightness in command %04X with %d bytes", uint16(r.Command), len(r.Params))
	}
	b := Brightness{Now: r.Params[1]}
	copy(b.Day[:], r.Params[2:])
	_, err := b.Request()
	return b, err
}
