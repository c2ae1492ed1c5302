// Package huidu gives the wire protocol of Huidu (灰度) full-colour LED cards, "SDK 2.0" over TCP port 10001, as the maker's own
// demonstration program and two independent libraries use it: packets, the session, programs of text, and the card's answers.
//
// A packet is its length, which counts itself, a command and a payload; numbers are little-endian. Orders are XML in UTF-8, cut into
// packets when they are long.
package huidu

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Command is a packet's command.
type Command uint16

// The commands.
const (
	CmdHeartbeat       Command = 0x005F
	CmdHeartbeatAnswer Command = 0x0060
	CmdSearch          Command = 0x1001 // over UDP
	CmdSearchAnswer    Command = 0x1002
	CmdError           Command = 0x2000
	CmdVersion         Command = 0x2001
	CmdVersionAnswer   Command = 0x2002
	CmdOrder           Command = 0x2003
	CmdOrderAnswer     Command = 0x2004
)

// Version is the version of the packets.
const Version uint32 = 0x1000005

// Limits.
const (
	MaxPacket = 9 << 10
	MaxXML    = 64 << 10 // of one order or answer; cards take more, calling screens need less
	maxPart   = 8000     // bytes of XML in one packet
)

const (
	headerLen     = 4
	orderHeadLen  = 8
	versionLen    = 4
	deviceIDLen   = 15
	versionAnswer = 6
)

// ErrPacket says that bytes are not a packet of the kind asked for.
var ErrPacket = errors.New("not a Huidu packet")

// Packet is one message.
type Packet struct {
	Command Command
	Payload []byte
}

// Append appends the packet to dst.
func (p Packet) Append(dst []byte) ([]byte, error) {
	n := headerLen + len(p.Payload)
	if n > MaxPacket {
		return dst, fmt.Errorf("packet of %d bytes: the most is %d", n, MaxPacket)
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(p.Command))
	return append(dst, p.Payload...), nil
}

// AskVersion is the first packet of a connection.
func AskVersion() Packet {
	return Packet{Command: CmdVersion, Payload: binary.LittleEndian.AppendUint32(nil, Version)}
}

// AnswerVersion is the card's answer; status 0 is good.
func AnswerVersion(status uint16) Packet {
	p := AskVersion()
	return Packet{Command: CmdVersionAnswer, Payload: binary.LittleEndian.AppendUint16(p.Payload, status)}
}

// ParseVersionAnswer gives the card's version and status.
func ParseVersionAnswer(p Packet) (version uint32, status uint16, err error) {
	if p.Command != CmdVersionAnswer || len(p.Payload) != versionAnswer {
		return 0, 0, fmt.Errorf("%w: version answer %04X of %d bytes", ErrPacket, uint16(p.Command), len(p.Payload))
	}
	return binary.LittleEndian.Uint32(p.Payload), binary.LittleEndian.Uint16(p.Payload[versionLen:]), nil
}

// Fault is an error answer of the card. The maker names some: 7 is a packet of a wrong length.
type Fault uint16

// Error implements error.
func (f Fault) Error() string { return fmt.Sprintf("card says error %d", uint16(f)) }

// Packet is the fault as the card sends it.
func (f Fault) Packet() Packet {
	return Packet{Command: CmdError, Payload: binary.LittleEndian.AppendUint16(nil, uint16(f))}
}

// ParseFault reads an error answer.
func ParseFault(p Packet) (Fault, error) {
	if p.Command != CmdError || len(p.Payload) != 2 {
		return 0, fmt.Errorf("%w: error answer %04X of %d bytes", ErrPacket, uint16(p.Command), len(p.Payload))
	}
	return Fault(binary.LittleEndian.Uint16(p.Payload)), nil
}

// Search is the UDP datagram to port 10001 that cards answer.
func Search() []byte {
	b := binary.LittleEndian.AppendUint32(nil, Version)
	return binary.LittleEndian.AppendUint16(b, uint16(CmdSearch))
}

// ParseSearchAnswer gives the card's device id.
func ParseSearchAnswer(b []byte) (id string, err error) {
	if len(b) < versionLen+2+deviceIDLen || Command(binary.LittleEndian.Uint16(b[versionLen:])) != CmdSearchAnswer {
		return "", fmt.Errorf("%w: search answer of %d bytes", ErrPacket, len(b))
	}
	raw := b[versionLen+2:][:deviceIDLen]
	for i, c := range raw {
		if c == 0 {
			raw = raw[:i]
			break
		}
		if c < ' ' || c > '~' {
			return "", fmt.Errorf("%w: device id % X", ErrPacket, raw)
		}
	}
	return string(raw), nil
}

// Split cuts an order, or an answer, into its packets.
func Split(c Command, xml []byte) ([]Packet, error) {
	if len(xml) > MaxXML {
		return nil, fmt.Errorf("XML of %d bytes: the most is %d", len(xml), MaxXML)
	}
	var out []Packet
	for at := 0; at == 0 || at < len(xml); at += maxPart {
		part := xml[at:min(at+maxPart, len(xml))]
		b := binary.LittleEndian.AppendUint32(nil, uint32(len(xml)))
		b = binary.LittleEndian.AppendUint32(b, uint32(at))
		out = append(out, Packet{Command: c, Payload: append(b, part...)})
	}
	return out, nil
}

// Joiner puts the parts of an order or answer together. The zero value is ready.
type Joiner struct {
	xml   []byte
	total int
}

// Add takes a part and gives the whole when it was the last. A part that does not follow the one before it fails, and the whole is
// forgotten; a part from the beginning begins anew.
func (j *Joiner) Add(p Packet) (xml []byte, whole bool, err error) {
	if len(p.Payload) < orderHeadLen {
		return nil, false, fmt.Errorf("%w: part of %d bytes", ErrPacket, len(p.Payload))
	}
	total, at := binary.LittleEndian.Uint32(p.Payload), binary.LittleEndian.Uint32(p.Payload[4:])
	part := p.Payload[orderHeadLen:]
	if at == 0 {
		j.xml, j.total = nil, int(min(total, MaxXML+1))
	}
	if j.total > MaxXML || int64(total) != int64(j.total) || int64(at) != int64(len(j.xml)) || len(j.xml)+len(part) > j.total || len(part) == 0 && total > 0 {
		j.xml, j.total = nil, 0
		return nil, false, fmt.Errorf("%w: part of %d bytes at %d of %d", ErrPacket, len(part), at, total)
	}
	j.xml = append(j.xml, part...)
	if len(j.xml) < j.total {
		return nil, false, nil
	}
	xml = j.xml
	j.xml, j.total = nil, 0
	return xml, true, nil
}

// Decoder cuts a byte stream into packets, on either side. The zero value is ready. A stream that is out of step shows it by a length
// that cannot be: everything received is thrown away then, for packets have no mark to find the next one by.
type Decoder struct {
	buf     []byte
	garbage uint64
}

// Push takes received bytes. At most two packets are kept; what does not fit is thrown away.
func (d *Decoder) Push(p []byte) {
	d.buf = append(d.buf, p...)
	if len(d.buf) > 2*MaxPacket {
		d.Reset()
	}
}

// Next gives the next whole packet, if there is one.
func (d *Decoder) Next() (Packet, bool) {
	if len(d.buf) < headerLen {
		return Packet{}, false
	}
	n := int(binary.LittleEndian.Uint16(d.buf))
	command := Command(binary.LittleEndian.Uint16(d.buf[2:]))
	if n < headerLen || n > MaxPacket || !command.known() {
		d.Reset()
		return Packet{}, false
	}
	if len(d.buf) < n {
		return Packet{}, false
	}
	p := Packet{Command: command, Payload: append([]byte(nil), d.buf[headerLen:n]...)}
	d.buf = append(d.buf[:0], d.buf[n:]...)
	return p, true
}

// known reports whether c may begin a packet on a connection; files have 8001 to 8006.
func (c Command) known() bool {
	switch c {
	case CmdHeartbeat, CmdHeartbeatAnswer, CmdError, CmdVersion, CmdVersionAnswer, CmdOrder, CmdOrderAnswer:
		return true
	}
	return c >= 0x8001 && c <= 0x8006
}

// Garbage counts the bytes thrown away because they belonged to no packet.
func (d *Decoder) Garbage() uint64 { return d.garbage }

// Reset forgets everything received so far.
func (d *Decoder) Reset() {
	d.garbage += uint64(len(d.buf))
	d.buf = d.buf[:0]
}
