package hardware

import (
	"time"

	"halledge/drivers/drivertest/farend/voicebox"
)

// perCharacter is faster than people speak, so that nobody who tries the hall out waits long.
const perCharacter = 60 * time.Millisecond

// NewSpeaker gives a SYN6288 speech module.
func NewSpeaker() *voicebox.Box { return &voicebox.Box{Protocol: "syn6288", PerRune: perCharacter} }
