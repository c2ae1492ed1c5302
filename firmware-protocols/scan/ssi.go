package scan

import (
	"bytes"
	"fmt"
)

// Op is what a packet of Zebra's Simple Serial Interface (SSI) asks or says.
type Op byte

// The opcodes used here.
const (
	OpACK          Op = 0xD0
	OpNAK          Op = 0xD1
	OpStartSession Op = 0xE4 // pull the trigger
	OpStopSession  Op = 0xE5
	OpScanEnable   Op = 0xE9
	OpScanDisable  Op = 0xEA
	OpDecodeData   Op = 0xF3 // a code: a byte for the symbology, then its text
)

// Sources and status bits of a packet, and the NAK that asks for the packet once more.
const (
	fromDecoder = 0x00
	fromHost    = 0x04

	statusAgain = 0x01 // sent again because no ACK came
	statusMore  = 0x02 // a part of a code too long for one packet

	nakResend = 1
)

const (
	ssiHead = 4             // length, opcode, source, status
	ssiMax  = 255 - ssiHead // bytes of data in one packet
)

// SSI is a packet: its length up to the last data byte, opcode, source, status, data, and the two's complement of the sum of all
// those bytes.
type SSI struct {
	Op     Op
	Source byte // 0 scanner, 4 host
	Status byte
	Data   []byte
}

// SSICommand is a packet from the host as bytes; data holds at most 251 bytes.
func SSICommand(op Op, data ...byte) ([]byte, error) {
	if len(data) > ssiMax {
		return nil, fmt.Errorf("ssi: %w: %d bytes of data", ErrCommand, len(data))
	}
	return SSI{Op: op, Source: fromHost, Data: data}.encode(), nil
}

// SSITrigger pulls or releases the trigger; the scanner answers with an ACK packet.
func SSITrigger(on bool) []byte {
	if on {
		return SSI{Op: OpStartSession, Source: fromHost}.encode()
	}
	return SSI{Op: OpStopSession, Source: fromHost}.encode()
}

func (p SSI) encode() []byte {
	b := append([]byte{byte(ssiHead + len(p.Data)), byte(p.Op), p.Source, p.Status}, p.Data...)
	sum := ssiSum(b)
	return append(b, byte(sum>>8), byte(sum))
}

func ssiSum(b []byte) uint16 {
	var sum uint16
	for _, c := range b {
		sum += uint16(c)
	}
	return -sum
}

// SSIReader reads what an SSI scanner sends. The zero value is ready. Codes of more than 250 bytes, which scanners split each in
// their own way, are acknowledged and counted as noise.
type SSIReader struct {
	buf     []byte
	last    []byte // data of the last decode packet
	garbage int
	long    int
}

// Garbage counts the bytes thrown away as noise.
func (r *SSIReader) Garbage() int { return r.garbage }

// TooLong counts the packets dropped because they are a part of a longer code.
func (r *SSIReader) TooLong() int { return r.long }

// Feed takes the next bytes. It gives the codes and the other packets they complete, and what has to be sent back: the scanner
// repeats a code until it gets an ACK.
func (r *SSIReader) Feed(p []byte) (codes []Code, others []SSI, answer []byte) {
	for _, c := range p {
		r.buf = append(r.buf, c)
		for len(r.buf) > 0 {
			packet, ok := r.next()
			if !ok {
				break
			}
			if packet.Op != OpDecodeData {
				others = append(others, packet)
				continue
			}
			answer = append(answer, SSI{Op: OpACK, Source: fromHost}.encode()...)
			if code, ok := r.decoded(packet); ok {
				codes = append(codes, code)
			}
		}
	}
	return codes, others, answer
}

// Flush says that the scanner has been silent for a while. A packet broken off before is noise; answer asks for it again.
func (r *SSIReader) Flush() (answer []byte) {
	if len(r.buf) == 0 {
		return nil
	}
	r.garbage += len(r.buf)
	r.buf = r.buf[:0]
	return SSI{Op: OpNAK, Source: fromHost, Data: []byte{nakResend}}.encode()
}

// Pending reports whether a packet has begun.
func (r *SSIReader) Pending() bool { return len(r.buf) > 0 }

// next takes a packet from the buffer, or drops bytes until the buffer can be the beginning of one.
func (r *SSIReader) next() (SSI, bool) {
	for len(r.buf) > 0 {
		n := int(r.buf[0]) + 2
		switch {
		case n < ssiHead+2, len(r.buf) > 2 && r.buf[2] != fromDecoder:
		case len(r.buf) < n:
			return SSI{}, false
		default:
			b := r.buf[:n]
			if sum := ssiSum(b[:n-2]); b[n-2] == byte(sum>>8) && b[n-1] == byte(sum) {
				packet := SSI{Op: Op(b[1]), Source: b[2], Status: b[3], Data: bytes.Clone(b[ssiHead : n-2])}
				r.buf = r.buf[n:]
				return packet, true
			}
		}
		if r.buf[0] != 0 { // NULs wake the line up
			r.garbage++
		}
		r.buf = r.buf[1:]
	}
	return SSI{}, false
}

// decoded gives the code in a packet. A repeated packet is not a second code.
func (r *SSIReader) decoded(p SSI) (Code, bool) {
	again := p.Status&statusAgain != 0 && bytes.Equal(p.Data, r.last)
	r.last = p.Data
	more := p.Status&statusMore != 0
	switch {
	case again:
		return Code{}, false
	case more, len(p.Data) < 2:
		r.garbage += len(p.Data)
		if more {
			r.long++
		}
		return Code{}, false
	}
	return Code{Data: p.Data[1:]}, true
}
