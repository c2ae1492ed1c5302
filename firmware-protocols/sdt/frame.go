// Package sdt gives the wire protocol of second-generation identity-card readers: the commands a host sends to the reader's
// police-certified security module (SAM), its replies, and the text of a card inside them. It follows the frame format that
// module makers publish for GA 450 readers, and decodes all four card layouts in circulation.
//
// A frame is AA AA AA 96 69, a big-endian length that counts everything after itself, the body, and the XOR of the length
// and the body. The photo a card carries is handed out only as it is, and only when asked for; fingerprints are counted and never
// handed out.
package sdt

import (
	"encoding/binary"
	"fmt"
)

const (
	preamble  = "\xAA\xAA\xAA\x96\x69"
	headerLen = len(preamble) + 2

	// MaxLength is the largest length field a receiver accepts.
	MaxLength = 4096
	// Shortest bodies: command, parameter and check; three status bytes and check.
	minRequest = 3
	minReply   = 4
)

// Command is a command byte and its parameter byte.
type Command uint16

// The commands. CmdSpeed… keep their effect over a power cut; wait 5 ms before talking at the new speed.
const (
	CmdReset         Command = 0x10FF // restart the SAM
	CmdStatus        Command = 0x11FF // is the SAM well
	CmdSAMNumber     Command = 0x12FF // the SAM's number, the reader's identity
	CmdFind          Command = 0x2001 // look for a card
	CmdSelect        Command = 0x2002 // choose the card that was found
	CmdReadCard      Command = 0x3001 // text and photo
	CmdNewestAddress Command = 0x3003 // addresses added to the card later
	CmdReadWithPrint Command = 0x3010 // text, photo and fingerprints
	CmdSpeed115200   Command = 0x6000 // serial speed
	CmdSpeed57600    Command = 0x6001
	CmdSpeed38400    Command = 0x6002
	CmdSpeed19200    Command = 0x6003
	CmdSpeed9600     Command = 0x6004
	CmdMaxRF         Command = 0x61FF // largest radio frame; takes one data byte
)

// AppendRequest appends a whole request frame to dst.
func AppendRequest(dst []byte, c Command, data ...byte) []byte {
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(data)), uint16(c))
	return appendFrame(dst, append(body, data...))
}

// Request is what a reader receives. Data is valid until the decoder is used again.
type Request struct {
	Command Command
	Data    []byte
}

// Reply is a reader's answer. It is valid until the decoder that gave it is used again: the decoder wipes its bytes then.
// It cannot be printed, because its data may hold a card.
type Reply struct {
	CardStatus uint16 // SW1 and SW2, passed on from the card
	Status     Status
	data       []byte
}

// AppendReply appends a whole reply frame to dst, as a reader sends it. Data longer than MaxLength allows is an error.
func AppendReply(dst []byte, s Status, data []byte) ([]byte, error) {
	if len(data) > MaxLength-minReply {
		return dst, fmt.Errorf("reply data of %d bytes: the most is %d", len(data), MaxLength-minReply)
	}
	return appendFrame(dst, append([]byte{0, 0, byte(s)}, data...)), nil
}

// Len is the number of data bytes after the status.
func (r Reply) Len() int { return len(r.data) }

// Format implements fmt.Formatter: status and length, whatever the verb.
func (r Reply) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s, %d bytes", r.Status, len(r.data))
}

func appendFrame(dst, body []byte) []byte {
	dst = append(dst, preamble...)
	counted := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(body)+1))
	dst = append(dst, body...)
	return append(dst, xor(dst[counted:]))
}

func xor(b []byte) byte {
	var x byte
	for _, c := range b {
		x ^= c
	}
	return x
}
