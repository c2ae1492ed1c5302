package hardware

import (
	"io"
	"sync"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/huidu"
)

// ColourScreen is a full-colour LED screen with a Huidu card.
type ColourScreen struct {
	mu   sync.Mutex
	card *huidu.Card
}

// NewColourScreen gives a blank screen.
func NewColourScreen() *ColourScreen { return &ColourScreen{card: huidu.NewCard("0a-1")} }

// Lines gives what the screen shows.
func (s *ColourScreen) Lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.card.Lines()
}

// Serve plays the screen on a line.
func (s *ColourScreen) Serve(rw io.ReadWriter) {
	var d huidu.Decoder
	farend.Answer(rw, &d, func(p huidu.Packet) (out []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, a := range s.card.Handle(p) {
			if more, err := a.Append(out); err == nil {
				out = more
			}
		}
		return out
	})
}
