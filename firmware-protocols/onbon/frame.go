// Package onbon gives the wire protocol of Onbon (仰邦) K-series LED controllers, the cards with a built-in Chinese font
// (BX-5K, 5MK, 6K), as the maker's public headers and documents describe it: frames, the commands a calling screen needs,
// the dynamic text areas and the card's replies.
//
// A frame is eight A5, the escaped header, data and CRC-16/ARC, and 5A. Numbers are little-endian. Text is GB 2312.
package onbon

import (
	"encoding/binary"
	"errors"
	"fmt"

	"halledge/firmware-protocols/internal/crc16"
)

// Addresses and card types.
const (
	Host      uint16 = 0x8000 // the address of the sending computer
	Broadcast uint16 = 0xFFFE // every screen; none of them replies
	AnyCard   byte   = 0xFE   // a card type every card takes for its own
)

// MaxData is the most data one frame may carry.
const MaxData = 4096

const (
	head, tail     = 0xA5, 0x5A
	headCount      = 8
	headerLen      = 14
	barcodeLen     = 16
	crcLen         = 2
	maxBody        = headerLen + barcodeLen + MaxData + crcLen
	protocol       = 0x02
	checkCRC       = 0
	checkNone      = 2
	crcUnchecked   = 0xFFFF // a stored value cards take for "not checked"
	offsetBarcode  = 7
	offsetCheck    = 8
	offsetCardType = 10
	offsetDataLen  = 12
)

// Frame is one message. Dst and Src are screen numbers or Host.
type Frame struct {
	Dst, Src uint16
	CardType byte
	Data     []byte
}

// AppendFrame appends the frame as it goes over the wire.
func AppendFrame(dst []byte, f Frame) ([]byte, error) {
	if len(f.Data) > MaxData {
		return dst, fmt.Errorf("frame data of %d bytes: the most is %d", len(f.Data), MaxData)
	}
	le := binary.LittleEndian
	body := make([]byte, headerLen, headerLen+len(f.Data)+crcLen)
	le.PutUint16(body, f.Dst)
	le.PutUint16(body[2:], f.Src)
	body[offsetCardType] = f.CardType
	body[offsetCardType+1] = protocol
	le.PutUint16(body[offsetDataLen:], uint16(len(f.Data)))
	body = append(body, f.Data...)
	body = le.AppendUint16(body, crc16.Sum(crc16.ARC, body))

	for range headCount {
		dst = append(dst, head)
	}
	for _, c := range body {
		switch c {
		case 0xA5:
			dst = append(dst, 0xA6, 0x02)
		case 0xA6:
			dst = append(dst, 0xA6, 0x01)
		case 0x5A:
			dst = append(dst, 0x5B, 0x02)
		case 0x5B:
			dst = append(dst, 0x5B, 0x01)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, tail), nil
}

var errFrame = errors.New("not a frame")

// parseBody reads what stood between head and tail, unescaped.
func parseBody(b []byte) (Frame, error) {
	le := binary.LittleEndian
	if len(b) < headerLen+crcLen {
		return Frame{}, fmt.Errorf("%w: %d bytes", errFrame, len(b))
	}
	covered, stored := b[:len(b)-crcLen], le.Uint16(b[len(b)-crcLen:])
	switch b[offsetCheck] {
	case checkCRC:
		if stored != crcUnchecked && stored != crc16.Sum(crc16.ARC, covered) {
			return Frame{}, fmt.Errorf("%w: wrong CRC", errFrame)
		}
	case checkNone:
	default:
		return Frame{}, fmt.Errorf("%w: check mode %d", errFrame, b[offsetCheck])
	}
	data := covered[headerLen:]
	if b[offsetBarcode] != 0 {
		if len(data) < barcodeLen {
			return Frame{}, fmt.Errorf("%w: cut barcode", errFrame)
		}
		data = data[barcodeLen:]
	}
	if int(le.Uint16(b[offsetDataLen:])) != len(data) {
		return Frame{}, fmt.Errorf("%w: length %d, %d bytes of data", errFrame, le.Uint16(b[offsetDataLen:]), len(data))
	}
	return Frame{Dst: le.Uint16(b), Src: le.Uint16(b[2:]), CardType: b[offsetCardType], Data: append([]byte(nil), data...)}, nil
}
