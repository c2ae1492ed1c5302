package hardware

import (
	"time"

	"halledge/drivers/drivertest/farend/voicebox"
)

// perCharacter is faster than people speak, so that nobody who tries the hall out waits long.
const perCharacter = 60 * time.Millisecond

// NewSpeaker gives a speech module, a syn6288 or an xfs5152.
func NewSpeaker(protocol string) *voicebox.Box {
	return &voicebox.Box{Protocol: protocol, PerRune: perCharacter}
}
