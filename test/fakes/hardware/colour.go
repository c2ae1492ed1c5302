package hardware

import (
	"io"
	"slices"
	"sync"

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
	readLoop(rw, func(b []byte) error {
		d.Push(b)
		for p, ok := d.Next(); ok; p, ok = d.Next() {
			s.mu.Lock()
			answers := slices.Clone(s.card.Handle(p))
			s.mu.Unlock()
			var out []byte
			var err error
			for _, a := range answers {
				if out, err = a.Append(out); err != nil {
					return err
				}
			}
			if _, err := rw.Write(out); err != nil {
				return err
			}
		}
		return nil
	})
}
