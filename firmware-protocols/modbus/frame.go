// Package modbus gives Modbus RTU frames, both sides, and the register maps of HallEdge call pads and rating devices on top of them. It
// follows
// "MODBUS Application Protocol Specification V1.1b3" and "MODBUS over Serial Line V1.02".
//
// A frame is unit, function, data and CRC-16/MODBUS with the low byte first; numbers are big-endian. RTU marks the ends of
// frames by silence, which a USB adapter does not keep: the decoders here go by the length each function implies, and by the
// CRC.
package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"halledge/firmware-protocols/internal/crc16"
)

// Function is a function code.
type Function byte

// The functions.
const (
	ReadHolding    Function = 0x03
	ReadInput      Function = 0x04
	WriteCoil      Function = 0x05
	WriteRegister  Function = 0x06
	WriteRegisters Function = 0x10
)

// Limits of the standard.
const (
	MaxRead   = 125 // registers one request can read
	MaxWrite  = 123 // registers one request can write
	MaxFrame  = 256
	Broadcast = 0   // the unit every device obeys and none answers
	MaxUnit   = 247 // the highest unit of a device
)

// The two values of WriteCoil.
const (
	CoilOn  uint16 = 0xFF00
	CoilOff uint16 = 0x0000
)

// ErrFrame says that bytes are not a frame of the kind asked for.
var ErrFrame = errors.New("not a Modbus frame")

const (
	exceptionBit   = 0x80
	crcLen         = 2
	requestLen     = 8 // every request but WriteRegisters, and every answer to a write
	exceptionLen   = 5
	readHeaderLen  = 3 // unit, function, byte count
	writeHeaderLen = 7 // unit, function, address, count, byte count
)

// Request is a question or an order to a unit.
type Request struct {
	Unit     byte
	Function Function
	Address  uint16
	Count    uint16   // registers to read; not used for writes
	Values   []uint16 // registers to write; WriteCoil takes CoilOn or CoilOff
}

// Append appends the frame to dst. It fails when the numbers break the limits of the standard.
func (r Request) Append(dst []byte) ([]byte, error) {
	be := binary.BigEndian
	b := be.AppendUint16([]byte{r.Unit, byte(r.Function)}, r.Address)
	switch r.Function {
	case ReadHolding, ReadInput:
		if r.Count < 1 || r.Count > MaxRead {
			return dst, fmt.Errorf("read %d registers: 1 to %d can be read", r.Count, MaxRead)
		}
		b = be.AppendUint16(b, r.Count)
	case WriteCoil, WriteRegister:
		if len(r.Values) != 1 {
			return dst, fmt.Errorf("write one register: %d values given", len(r.Values))
		}
		b = be.AppendUint16(b, r.Values[0])
	case WriteRegisters:
		if len(r.Values) < 1 || len(r.Values) > MaxWrite {
			return dst, fmt.Errorf("write %d registers: 1 to %d can be written", len(r.Values), MaxWrite)
		}
		b = be.AppendUint16(b, uint16(len(r.Values)))
		b = append(b, byte(2*len(r.Values)))
		b = appendRegisters(b, r.Values)
	default:
		return dst, fmt.Errorf("function %02X is not supported", byte(r.Function))
	}
	return appendCRC(dst, b), nil
}

// ParseRequest decodes one whole request frame.
func ParseRequest(b []byte) (Request, error) {
	if err := checkFrame(b, requestLength(b)); err != nil {
		return Request{}, err
	}
	be := binary.BigEndian
	r := Request{Unit: b[0], Function: Function(b[1]), Address: be.Uint16(b[2:])}
	switch r.Function {
	case ReadHolding, ReadInput:
		r.Count = be.Uint16(b[4:])
		if r.Count < 1 || r.Count > MaxRead {
			return Request{}, fmt.Errorf("%w: %d registers to read", ErrFrame, r.Count)
		}
	case WriteRegisters:
		r.Values = registers(b[writeHeaderLen : len(b)-crcLen])
		if int(be.Uint16(b[4:])) != len(r.Values) || int(b[6]) != 2*len(r.Values) {
			return Request{}, fmt.Errorf("%w: %d registers announced, %d there", ErrFrame, be.Uint16(b[4:]), len(r.Values))
		}
	default:
		r.Values = registers(b[4:6])
	}
	return r, nil
}

// requestLength is the length of the request that begins with b: 0 when more bytes are needed to know, -1 when none does.
func requestLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch Function(b[1]) {
	case ReadHolding, ReadInput, WriteCoil, WriteRegister:
		return requestLen
	case WriteRegisters:
		if len(b) < writeHeaderLen {
			return 0
		}
		if n := int(b[6]); n < 2 || n > 2*MaxWrite || n%2 != 0 {
			return -1
		}
		return writeHeaderLen + int(b[6]) + crcLen
	}
	return -1
}

// Gap is the silence that ends a frame: 3.5 characters of 11 bits, and 1.75 ms above 19200 baud.
func Gap(baud int) time.Duration {
	if baud <= 0 || baud > 19200 {
		return 1750 * time.Microsecond
	}
	return time.Duration(3.5 * 11 * float64(time.Second) / float64(baud))
}

func checkFrame(b []byte, want int) error {
	if want <= 0 || len(b) != want {
		return fmt.Errorf("%w: %d bytes", ErrFrame, len(b))
	}
	if crc16.Sum(crc16.Modbus, b) != 0 { // the CRC of a frame with its own CRC is 0
		return fmt.Errorf("%w: wrong CRC", ErrFrame)
	}
	return nil
}

func registers(b []byte) []uint16 {
	v := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		v = append(v, binary.BigEndian.Uint16(b))
	}
	return v
}

func appendRegisters(b []byte, values []uint16) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func appendCRC(dst, frame []byte) []byte {
	crc := crc16.Sum(crc16.Modbus, frame)
	return append(append(dst, frame...), byte(crc), byte(crc>>8))
}
