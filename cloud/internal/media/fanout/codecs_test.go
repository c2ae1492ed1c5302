package fanout

import (
	"bytes"
	"errors"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph265"
	"github.com/pion/rtp"
)

// hevcSPS is the SPS of a 1920x1080 stream, Main profile, as x265 writes it.
func hevcSPS() []byte {
	return []byte{
		0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03,
		0x00, 0x78, 0xa0, 0x03, 0xc0, 0x80, 0x10, 0xe5, 0x96, 0x66, 0x69, 0x24, 0xca, 0xe0, 0x10, 0x00,
		0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01, 0xe0, 0x80,
	}
}

func TestPublisher_h265(t *testing.T) {
	vps, pps := []byte{0x40, 0x01, 0x0c}, []byte{0x44, 0x01, 0xc1, 0x72}
	key := append([]byte{0x26, 0x01, 0x80}, bytes.Repeat([]byte{7}, 5000)...)
	next := append([]byte{0x02, 0x01, 0x80}, bytes.Repeat([]byte{9}, 2000)...)
	enc := &rtph265.Encoder{PayloadType: 98, PayloadMaxSize: 1400}
	if err := enc.Init(); err != nil {
		t.Fatal(err)
	}
	h := quietHub()
	p, err := h.Publish(cam, &format.H265{PayloadTyp: 98, VPS: vps, SPS: hevcSPS(), PPS: pps}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	send := func(ts uint32, skip int, au ...[]byte) *Frame {
		packets, err := enc.Encode(au)
		if err != nil {
			t.Fatal(err)
		}
		for _, packet := range packets {
			packet.Timestamp = ts
		}
		return write(p, packets[skip:])
	}
	if f := send(0, 0, key); f == nil || !f.Key {
		t.Fatalf("key frame: %+v", f)
	}
	if f := send(6000, 0, next); f == nil || f.Key {
		t.Fatalf("next: %+v", f)
	}
	if f := send(12000, 1, next); f != nil {
		t.Error("a picture without its beginning went on")
	}
	if f := send(18000, 0, next); f != nil {
		t.Error("a picture that builds on it went on")
	}
	if f := send(24000, 1, key); f != nil {
		t.Error("a key frame without its beginning went on")
	}
	if f := send(30000, 0, vps, hevcSPS(), pps, key); f == nil || !f.Key {
		t.Error("a whole key frame did not go on")
	}
	info, err := h.Live(cam)
	if err != nil || info.Codec != H265 || info.Width != 1920 || info.Height != 1080 {
		t.Errorf("info %+v, %v", info, err)
	}
}

func TestPublisher_mjpeg(t *testing.T) {
	p, err := quietHub().Publish(cam, &format.MJPEG{}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	seq := uint16(65530)
	send := func(ts uint32, marker bool, skip uint16) *Frame {
		seq += 1 + skip
		return p.Write(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: ts, Marker: marker}, Payload: make([]byte, 1000)})
	}
	send(0, false, 0)
	if f := send(0, true, 0); f == nil || !f.Key || len(f.Packets) != 2 {
		t.Fatalf("picture %+v", f)
	}
	send(1, false, 0)
	if f := send(1, true, 3); f != nil {
		t.Error("a picture with a hole went on")
	}
	send(2, false, 0) // its end never comes
	if f := send(3, true, 0); f == nil || len(f.Packets) != 1 {
		t.Errorf("picture %+v", f)
	}
}

func TestPublish_refusesOtherCodecs(t *testing.T) {
	if _, err := quietHub().Publish(cam, &format.VP8{PayloadTyp: 96}, func() {}); !errors.Is(err, ErrCodec) {
		t.Errorf("VP8: %v", err)
	}
}

// What halls send comes from cameras in open networks: nothing in it may panic, or pass as more than 1200 bytes.
func FuzzPublisher(f *testing.F) {
	f.Add(uint8(0), []byte{0x67, 0x4d, 0, 0x1f}, []byte{0x68, 1}, []byte{0x65, 0x88, 0x80, 0xff}, uint8(4))
	f.Add(uint8(1), []byte{0x42, 1, 1}, []byte{0x44, 1}, []byte{0x26, 1, 0x80, 0x62, 1, 0x93, 0x80}, uint8(3))
	f.Add(uint8(2), []byte{}, []byte{}, []byte{0, 0, 0, 0, 1, 60, 80, 45}, uint8(8))
	f.Fuzz(func(t *testing.T, codec uint8, sps, pps, stream []byte, size uint8) {
		formats := []format.Format{
			&format.H264{PayloadTyp: 96, PacketizationMode: 1, SPS: sps, PPS: pps},
			&format.H265{PayloadTyp: 96, VPS: pps, SPS: sps, PPS: pps},
			&format.MJPEG{},
		}
		h := quietHub()
		p, err := h.Publish(cam, formats[codec%3], func() {})
		if err != nil {
			return
		}
		for i := uint16(0); len(stream) > 0; i++ {
			n := min(int(size)+1, len(stream))
			packet := &rtp.Packet{Header: rtp.Header{SequenceNumber: i + uint16(stream[0]&1), Timestamp: uint32(i / 3), Marker: stream[0]&2 != 0},
				Payload: stream[:n]}
			stream = stream[n:]
			frame := p.Write(packet)
			if frame == nil || codec%3 == 2 {
				continue
			}
			for _, out := range frame.Packets {
				if out.MarshalSize() > 1200 {
					t.Fatalf("a packet of %d bytes", out.MarshalSize())
				}
			}
		}
		h.Cameras()
		p.Close()
	})
}
