package wire_test

import (
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/pion/rtp"

	"halledge/agent/internal/relay/wire"
	"halledge/test/fakes/clip"
)

// A viewer may begin with the first packet of each key frame of a real film, and with no other one.
func TestKindOf_realFilm(t *testing.T) {
	film, err := clip.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{200, 1400, 60000} { // fragments only, a mix, whole pictures
		enc := &rtph264.Encoder{PayloadType: 96, PayloadMaxSize: size, PacketizationMode: 1}
		if err := enc.Init(); err != nil {
			t.Fatal(err)
		}
		for i, f := range film.Frames {
			packets, err := enc.Encode(f.NALUs)
			if err != nil {
				t.Fatal(err)
			}
			for j, p := range packets {
				got := wire.KindOf(wire.H264, p.Payload)
				if begins := got == wire.Key; begins != (f.Key && j == 0) && !(f.Key && isStart(p)) {
					t.Fatalf("size %d, frame %d (key %v), packet %d: kind %d", size, i, f.Key, j, got)
				}
				if j == 0 && f.Key && got != wire.Key {
					t.Fatalf("size %d, frame %d does not begin with a key packet", size, i)
				}
			}
		}
	}
}

// isStart tells whether a packet of a key frame is the first fragment of its picture, which follows the parameter sets.
func isStart(p *rtp.Packet) bool { return p.Payload[0]&0x1f == 28 && p.Payload[1]&0x80 != 0 }

func TestKindOf(t *testing.T) {
	tests := []struct {
		name    string
		codec   string
		payload []byte
		want    wire.Kind
	}{
		{"h264 nothing", wire.H264, nil, wire.Slice},
		{"h264 delimiter", wire.H264, []byte{9, 0x10}, wire.Other},
		{"h264 SEI", wire.H264, []byte{6, 5}, wire.Other},
		{"h264 IDR", wire.H264, []byte{0x65, 0x88}, wire.Key},
		{"h264 P slice", wire.H264, []byte{0x41, 0x9a}, wire.Slice},
		{"h264 STAP-A of SPS", wire.H264, []byte{0x78, 0, 2, 0x67, 0x42}, wire.Key},
		{"h264 short STAP-A", wire.H264, []byte{0x78, 0}, wire.Slice},
		{"h264 IDR first fragment", wire.H264, []byte{0x7c, 0x85, 0}, wire.Key},
		{"h264 IDR later fragment", wire.H264, []byte{0x7c, 0x05, 0}, wire.Slice},
		{"h264 short fragment", wire.H264, []byte{0x7c}, wire.Slice},
		{"h264 reserved", wire.H264, []byte{0x1e}, wire.Slice},
		{"h265 VPS", wire.H265, []byte{0x40, 1, 0}, wire.Key},
		{"h265 IDR", wire.H265, []byte{0x26, 1, 0}, wire.Key},
		{"h265 IDR first fragment", wire.H265, []byte{0x62, 1, 0x93}, wire.Key},
		{"h265 IDR later fragment", wire.H265, []byte{0x62, 1, 0x13}, wire.Slice},
		{"h265 aggregate of VPS", wire.H265, []byte{0x60, 1, 0, 2, 0x40, 1}, wire.Key},
		{"h265 short aggregate", wire.H265, []byte{0x60, 1, 0}, wire.Slice},
		{"h265 trailing picture", wire.H265, []byte{0x02, 1, 0}, wire.Slice},
		{"h265 SEI", wire.H265, []byte{0x4e, 1, 0}, wire.Other},
		{"h265 short", wire.H265, []byte{0x40}, wire.Slice},
		{"mjpeg begin", wire.MJPEG, []byte{0, 0, 0, 0, 1, 60, 80, 45}, wire.Key},
		{"mjpeg rest", wire.MJPEG, []byte{0, 0, 5, 120, 1, 60, 80, 45}, wire.Slice},
		{"mjpeg short", wire.MJPEG, []byte{0}, wire.Slice},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := wire.KindOf(tt.codec, tt.payload); got != tt.want {
				t.Errorf("KindOf = %d, want %d", got, tt.want)
			}
		})
	}
}

// The offsets are ours, the oracle is pion's parser.
func FuzzPayload(f *testing.F) {
	whole, err := (&rtp.Packet{Header: rtp.Header{Version: 2, CSRC: []uint32{1}, Extension: true, ExtensionProfile: 0x1234,
		Extensions: []rtp.Extension{}}, Payload: []byte{1, 2, 3}}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte{0xa0, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 7, 8, 9, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := wire.Payload(b)
		for _, codec := range []string{wire.H264, wire.H265, wire.MJPEG} {
			wire.KindOf(codec, got)
		}
		var p rtp.Packet
		if p.Unmarshal(b) != nil || len(b) < 12 || b[0]>>6 != 2 {
			return
		}
		if string(got) != string(p.Payload) {
			t.Errorf("payload of %x is %x, pion says %x", b, got, p.Payload)
		}
	})
}
