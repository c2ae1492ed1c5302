package modbus

import (
	"encoding/binary"
	"fmt"
)

// Exception is why a unit did not do what it was asked; 0 means that it did.
type Exception byte

// The exceptions.
const (
	NoException     Exception = 0
	IllegalFunction Exception = 1
	IllegalAddress  Exception = 2
	IllegalValue    Exception = 3
	DeviceFailure   Exception = 4
	Acknowledge     Exception = 5 // it will take a while
	DeviceBusy      Exception = 6 // ask again later
)

// Error implements error.
func (e Exception) Error() string {
	names := [...]string{"no exception", "illegal function", "illegal data address", "illegal data value", "device failure",
		"acknowledged, still working", "device busy"}
	if int(e) < len(names) {
		return "Modbus exception: " + names[e]
	}
	return fmt.Sprintf("Modbus exception %d", byte(e))
}

// Response is a unit's answer. Values holds the registers read, or the one value written; Address and Count repeat the
// request of a write.
type Response struct {
	Unit      byte
	Function  Function
	Exception Exception
	Address   uint16
	Count     uint16
	Values    []uint16
}

// Append appends the frame to dst, as a unit sends it.
func (r Response) Append(dst []byte) ([]byte, error) {
	be := binary.BigEndian
	b := []byte{r.Unit, byte(r.Function)}
	switch {
	case r.Exception != NoException:
		b[1] |= exceptionBit
		b = append(b, byte(r.Exception))
	case r.Function == ReadHolding || r.Function == ReadInput:
		if len(r.Values) < 1 || len(r.Values) > MaxRead {
			return dst, fmt.Errorf("answer with %d registers: 1 to %d are possible", len(r.Values), MaxRead)
		}
		b = append(b, byte(2*len(r.Values)))
		b = appendRegisters(b, r.Values)
	case r.Function == WriteCoil || r.Function == WriteRegister:
		if len(r.Values) != 1 {
			return dst, fmt.Errorf("answer to one write: %d values given", len(r.Values))
		}
		b = be.AppendUint16(be.AppendUint16(b, r.Address), r.Values[0])
	case r.Function == WriteRegisters:
		b = be.AppendUint16(be.AppendUint16(b, r.Address), r.Count)
	default:
		return dst, fmt.Errorf("function %02X is not supported", byte(r.Function))
	}
	return appendCRC(dst, b), nil
}

// ParseResponse decodes one whole response frame. An exception is part of the response, not an error.
func ParseResponse(b []byte) (Response, error) {
	if err := checkFrame(b, responseLength(b)); err != nil {
		return Response{}, err
	}
	be := binary.BigEndian
	r := Response{Unit: b[0], Function: Function(b[1] &^ exceptionBit)}
	switch {
	case b[1]&exceptionBit != 0:
		if r.Exception = Exception(b[2]); r.Exception == NoException {
			return Response{}, fmt.Errorf("%w: exception 0", ErrFrame)
		}
	case r.Function == ReadHolding || r.Function == ReadInput:
		r.Values = registers(b[readHeaderLen : len(b)-crcLen])
	case r.Function == WriteRegisters:
		r.Address, r.Count = be.Uint16(b[2:]), be.Uint16(b[4:])
	default:
		r.Address, r.Values = be.Uint16(b[2:]), registers(b[4:6])
	}
	return r, nil
}

// Answers reports whether the response can be the answer to q.
func (r Response) Answers(q Request) bool {
	if r.Unit != q.Unit || r.Function != q.Function {
		return false
	}
	if r.Exception != NoException {
		return true
	}
	switch r.Function {
	case ReadHolding, ReadInput:
		return len(r.Values) == int(q.Count)
	case WriteRegisters:
		return r.Address == q.Address && int(r.Count) == len(q.Values)
	}
	return r.Address == q.Address && len(q.Values) == 1 && r.Values[0] == q.Values[0]
}

// responseLength is the length of the response that begins with b: 0 when more bytes are needed to know, -1 when none does.
func responseLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch f := Function(b[1] &^ exceptionBit); f {
	case ReadHolding, ReadInput, WriteCoil, WriteRegister, WriteRegisters:
		if b[1]&exceptionBit != 0 {
			return exceptionLen
		}
		if f != ReadHolding && f != ReadInput {
			return requestLen
		}
		if len(b) < readHeaderLen {
			return 0
		}
		if n := int(b[2]); n < 2 || n > 2*MaxRead || n%2 != 0 {
			return -1
		}
		return readHeaderLen + int(b[2]) + crcLen
	}
	return -1
}
