package wire

import "encoding/binary"

// Kind is what a packet means for somebody who begins to look at the stream.
type Kind int

const (
	Other Kind = iota // no part of a picture: delimiters, SEI
	Slice             // part of a picture, or the middle of one
	Key               // a picture that needs no other one begins here, or its parameter sets do
)

// The codecs a relay knows, as CameraStatus.Codec says them.
const (
	H264  = "h264"
	H265  = "h265"
	MJPEG = "mjpeg"
)

const rtpHeader = 12

// Payload gives the payload of an RTP packet (RFC 3550 §5.1) or nil when the packet is malformed.
func Payload(p []byte) []byte {
	if len(p) < rtpHeader || p[0]>>6 != 2 {
		return nil
	}
	at := rtpHeader + 4*int(p[0]&0x0f)
	if p[0]&0x10 != 0 { // header extension
		if len(p) < at+4 {
			return nil
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(p[at+2:]))
	}
	end := len(p)
	if p[0]&0x20 != 0 { // padding; its last byte is its length
		end -= int(p[len(p)-1])
	}
	if at >= end {
		return nil
	}
	return p[at:end]
}

// KindOf classifies an RTP payload. A payload it cannot read counts as a slice: it is never a place to begin.
func KindOf(codec string, payload []byte) Kind {
	switch codec {
	case H264:
		return kindH264(payload)
	case H265:
		return kindH265(payload)
	default: // MJPEG: every picture stands alone, and the fragment with offset 0 begins one (RFC 2435 §3.1.2)
		if len(payload) >= 4 && payload[1]|payload[2]|payload[3] == 0 {
			return Key
		}
		return Slice
	}
}

// kindH264 reads RFC 6184: single NAL units, STAP-A (24) and FU-A (28).
func kindH264(p []byte) Kind {
	if len(p) == 0 {
		return Slice
	}
	switch t := p[0] & 0x1f; t {
	case 24:
		if len(p) < 4 {
			return Slice
		}
		return h264NAL(p[3] & 0x1f)
	case 28:
		if len(p) < 2 || p[1]&0x80 == 0 {
			return Slice
		}
		return h264NAL(p[1] & 0x1f)
	default:
		return h264NAL(t)
	}
}

func h264NAL(t byte) Kind {
	switch t {
	case 5, 7, 8: // IDR, SPS, PPS
		return Key
	case 1, 2, 3, 4:
		return Slice
	case 6, 9, 10, 11, 12: // SEI, delimiter, ends, filler
		return Other
	}
	return Slice
}

// kindH265 reads RFC 7798: single NAL units, aggregation (48) and fragmentation (49).
func kindH265(p []byte) Kind {
	if len(p) < 3 {
		return Slice
	}
	switch t := p[0] >> 1 & 0x3f; t {
	case 48:
		if len(p) < 5 {
			return Slice
		}
		return h265NAL(p[4] >> 1 & 0x3f)
	case 49:
		if p[2]&0x80 == 0 {
			return Slice
		}
		return h265NAL(p[2] & 0x3f)
	default:
		return h265NAL(t)
	}
}

func h265NAL(t byte) Kind {
	switch {
	case t >= 16 && t <= 21, t >= 32 && t <= 34: // random access pictures, VPS, SPS, PPS
		return Key
	case t < 32:
		return Slice
	case t >= 35 && t <= 40: // delimiter, ends, filler, SEI
		return Other
	}
	return Slice
}
