package modbus

import (
	"fmt"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// The register map of a rating device. The host writes tag, time and text and then RaterStart; the device asks the citizen, counts its
// events, and echoes the tag, so that an answer belongs to one question.
const (
	RaterInputs   = 4 // input registers, from 0: counter, rating, tag, state
	RaterHoldings = 19

	RaterOrderAt = 0 // RaterStart or RaterStop
	RaterTagAt   = 1
	RaterTimeAt  = 2 // seconds
	RaterTextAt  = 3 // who served, in GB2312, two bytes a register
	raterText    = RaterHoldings - RaterTextAt

	RaterStart uint16 = 1
	RaterStop  uint16 = 2

	RaterNobody    uint16 = 0      // instead of a rating: the time is over
	RaterCancelled uint16 = 0xFFFF // instead of a rating: the citizen or the host gave up
)

// RaterInput is what a rating device reports. Rating is 1 (very dissatisfied) to 5 (very satisfied), RaterNobody or RaterCancelled.
type RaterInput struct {
	Counter uint16 // events since it has power; goes on at 0 after 65535
	Rating  uint16
	Tag     uint16
	Waiting bool
}

// ParseRaterInput reads the input registers of a rating device.
func ParseRaterInput(r []uint16) (RaterInput, error) {
	if len(r) != RaterInputs {
		return RaterInput{}, fmt.Errorf("rater input has %d registers, not %d", len(r), RaterInputs)
	}
	if r[3] > 1 {
		return RaterInput{}, fmt.Errorf("rater state %d", r[3])
	}
	return RaterInput{Counter: r[0], Rating: r[1], Tag: r[2], Waiting: r[3] == 1}, nil
}

// Registers gives the input as registers.
func (i RaterInput) Registers() []uint16 {
	r := []uint16{i.Counter, i.Rating, i.Tag, 0}
	if i.Waiting {
		r[3] = 1
	}
	return r
}

// RaterQuestion gives the registers from RaterTagAt that prepare a question. Text beyond 32 bytes is cut off between two characters.
func RaterQuestion(tag uint16, seconds uint16, text string) ([]uint16, error) {
	raw, err := gb2312(text, 2*raterText)
	if err != nil {
		return nil, err
	}
	raw = append(raw, make([]byte, 2*raterText-len(raw))...)
	return append([]uint16{tag, seconds}, registers(raw)...), nil
}

func gb2312(text string, limit int) ([]byte, error) {
	var out []byte
	enc := simplifiedchinese.GBK.NewEncoder() // GB2312 is a part of it
	for _, c := range text {
		b, err := enc.Bytes([]byte(string(c)))
		if err != nil {
			return nil, fmt.Errorf("text %q: %w", text, err)
		}
		if len(out)+len(b) > limit {
			break
		}
		out = append(out, b...)
	}
	return out, nil
}

// Rater is a rating device as the far end of the protocol. It serves the simulated one.
type Rater struct {
	unit    byte
	input   RaterInput
	holding [RaterHoldings]uint16
}

// NewRater makes a rating device that has just been switched on.
func NewRater(unit byte) *Rater { return &Rater{unit: unit} }

// Asking gives the tag, the seconds and the text of the question that is being asked; ok is false when none is.
func (r *Rater) Asking() (tag, seconds uint16, text string, ok bool) {
	if !r.input.Waiting {
		return 0, 0, "", false
	}
	raw := appendRegisters(nil, r.holding[RaterTextAt:])
	for len(raw) > 0 && raw[len(raw)-1] == 0 {
		raw = raw[:len(raw)-1]
	}
	decoded, _ := simplifiedchinese.GBK.NewDecoder().Bytes(raw) // bad bytes become a replacement character
	return r.holding[RaterTagAt], r.holding[RaterTimeAt], string(decoded), true
}

// End is a finger on a grade from 1 to 5, or RaterNobody or RaterCancelled. It does nothing while no question is asked.
func (r *Rater) End(rating uint16) bool {
	if !r.input.Waiting {
		return false
	}
	r.input = RaterInput{Counter: r.input.Counter + 1, Rating: rating, Tag: r.holding[RaterTagAt]}
	return true
}

// Handle does what a request says. reply is false when the device stays silent: another unit's request, or a broadcast.
func (r *Rater) Handle(q Request) (answer Response, reply bool) {
	r.holding[RaterOrderAt] = 0
	answer, reply = handle(q, r.unit, r.input.Registers(), r.holding[:], nil)
	switch r.holding[RaterOrderAt] {
	case RaterStart:
		r.input.Waiting = true
	case RaterStop:
		r.End(RaterCancelled)
	}
	return answer, reply
}
