package hardware

import (
	"io"
	"sync"

	"halledge/firmware-protocols/sdt"
)

// CardReader is an SDT identity-card reader. A card that was tapped is found, read once, and lifted.
type CardReader struct {
	mu   sync.Mutex
	card *sdt.Card
	read chan struct{} // closed when the card was read
}

// Tap puts a card on the reader. read is closed when the host has read it; a second card replaces the first.
func (r *CardReader) Tap(c sdt.Card) (read <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.card, r.read = &c, make(chan struct{})
	return r.read
}

// Serve plays the reader on a line.
func (r *CardReader) Serve(rw io.ReadWriter) {
	var d sdt.RequestDecoder
	readLoop(rw, func(b []byte) error {
		d.Push(b)
		for {
			q, ok := d.Next()
			if !ok {
				return nil
			}
			status, data := r.answer(q.Command)
			frame, err := sdt.AppendReply(nil, status, data)
			if err != nil {
				return err
			}
			if _, err := rw.Write(frame); err != nil {
				return err
			}
		}
	})
}

func (r *CardReader) answer(c sdt.Command) (sdt.Status, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case c == sdt.CmdReset || c == sdt.CmdStatus:
		return sdt.StatusOK, nil
	case c == sdt.CmdSAMNumber:
		return sdt.StatusOK, make([]byte, 16)
	case c != sdt.CmdFind && c != sdt.CmdSelect && c != sdt.CmdReadCard && c != sdt.CmdNewestAddress:
		return sdt.StatusBadCommand, nil
	case c == sdt.CmdNewestAddress:
		return sdt.StatusNoItem, nil
	case r.card == nil:
		return sdt.StatusNoCard, nil
	case c == sdt.CmdFind:
		return sdt.StatusFound, make([]byte, 4)
	case c == sdt.CmdSelect:
		return sdt.StatusOK, make([]byte, 8)
	}
	data, err := sdt.CardData(*r.card, nil)
	if err != nil {
		return sdt.StatusReadFailed, nil
	}
	r.card = nil
	close(r.read)
	return sdt.StatusOK, data
}
