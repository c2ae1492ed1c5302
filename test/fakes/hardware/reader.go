package hardware

import (
	"io"
	"sync"
	"time"

	"halledge/drivers/drivertest/farend"
	"halledge/firmware-protocols/sdt"
)

// CardReader is an SDT identity-card reader. A card that was tapped is found, read once, and lifted.
type CardReader struct {
	mu    sync.Mutex
	card  *sdt.Card
	flaw  Flaw
	tries int           // answers that arrived damaged
	found time.Time     // when the host was first told that the card is there
	gone  chan struct{} // closed when the card is lifted
}

// Flaw is what keeps a card from being read; empty for none.
type Flaw string

// The flaws.
const (
	Damaged Flaw = "damaged" // its answers arrive damaged
	Removed Flaw = "removed" // it is taken away in the midst of being read
	Wrong   Flaw = "wrong"   // it is no identity card
)

// patience is how many damaged answers a host is given before the citizen takes the card away.
const patience = 3

// Tap puts a card on the reader, as it should be or with a flaw. gone is closed when the host has read it or has had enough of it,
// and it is lifted; a second card replaces the first.
func (r *CardReader) Tap(c sdt.Card, f Flaw) (gone <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.card, r.flaw, r.tries, r.gone, r.found = &c, f, 0, make(chan struct{}), time.Time{}
	return r.gone
}

// Found gives when the host was first told of the card tapped last; zero: it was not yet.
func (r *CardReader) Found() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.found
}

// module is the number of the reader's security module.
func module() sdt.SAMNumber { return sdt.SAMNumber{A: 5, B: 3, C: 20240101, D: 1234567, E: 987654321} }

// lift takes the card away.
func (r *CardReader) lift() {
	r.card = nil
	close(r.gone)
}

// Serve plays the reader on a line.
func (r *CardReader) Serve(rw io.ReadWriter) {
	var d sdt.RequestDecoder
	farend.Answer(rw, &d, func(q sdt.Request) []byte {
		status, data, damaged := r.answer(q.Command)
		frame, err := sdt.AppendReply(nil, status, data)
		if err != nil {
			return nil
		}
		if damaged {
			frame[len(frame)/2] ^= 0x40
		}
		return frame
	})
}

// answer gives what the reader says to a command, and whether that arrives damaged.
func (r *CardReader) answer(c sdt.Command) (status sdt.Status, data []byte, damaged bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case c == sdt.CmdReset || c == sdt.CmdStatus:
		return sdt.StatusOK, nil, false
	case c == sdt.CmdSAMNumber:
		return sdt.StatusOK, module().Data(), false
	case c != sdt.CmdFind && c != sdt.CmdSelect && c != sdt.CmdReadCard && c != sdt.CmdNewestAddress:
		return sdt.StatusBadCommand, nil, false
	case c == sdt.CmdNewestAddress:
		return sdt.StatusNoItem, nil, false
	case r.card == nil:
		return sdt.StatusNoCard, nil, false
	case c == sdt.CmdFind:
		if r.found.IsZero() {
			r.found = time.Now()
		}
		return sdt.StatusFound, make([]byte, 4), false
	case c == sdt.CmdSelect && r.flaw == Wrong:
		r.lift()
		return sdt.StatusWrongCard, nil, false
	case c == sdt.CmdSelect:
		return sdt.StatusOK, make([]byte, 8), false
	}
	return r.tell()
}

// tell gives what is on the card.
func (r *CardReader) tell() (status sdt.Status, data []byte, damaged bool) {
	data, err := sdt.CardData(*r.card, nil)
	if err != nil || r.flaw == Removed {
		r.lift()
		return sdt.StatusReadFailed, nil, false
	}
	r.tries++
	if r.flaw != Damaged || r.tries == patience {
		r.lift()
	}
	return sdt.StatusOK, data, r.flaw == Damaged
}
