package sdt

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrNotThatReply says that a reply does not answer the question asked: another status or another amount of data.
var ErrNotThatReply = errors.New("not that kind of reply")

func notThat(want string, r Reply) error {
	return fmt.Errorf("%s from %v: %w", want, r, ErrNotThatReply)
}

// SAMNumber is the number of a reader's security module in its five groups. It identifies the reader and is no personal data.
type SAMNumber struct {
	A, B    uint16
	C, D, E uint32
}

// SAMNumber decodes the answer to CmdSAMNumber: groups of 2, 2, 4, 4 and 4 bytes, little-endian.
func (r Reply) SAMNumber() (SAMNumber, error) {
	b := r.data
	if r.Status != StatusOK || len(b) != 16 {
		return SAMNumber{}, notThat("SAM number", r)
	}
	le := binary.LittleEndian
	return SAMNumber{A: le.Uint16(b), B: le.Uint16(b[2:]), C: le.Uint32(b[4:]), D: le.Uint32(b[8:]), E: le.Uint32(b[12:])}, nil
}

// String writes the number as reader makers print it, for example 05.03-0020240101-0001234567-0987654321.
func (n SAMNumber) String() string {
	return fmt.Sprintf("%02d.%02d-%010d-%010d-%010d", n.A, n.B, n.C, n.D, n.E)
}

// Data encodes the number as the data of the reply to CmdSAMNumber.
func (n SAMNumber) Data() []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, n.A)
	b = le.AppendUint16(b, n.B)
	b = le.AppendUint32(b, n.C)
	b = le.AppendUint32(b, n.D)
	return le.AppendUint32(b, n.E)
}
