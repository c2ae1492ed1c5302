package fanout

import (
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/pion/rtp"
)

// part is what a NAL unit is to us.
type part int

const (
	dropped part = iota // delimiters, filler, SEI
	slice
	keySlice
	parameter0 // VPS
	parameter1 // SPS
	parameter2 // PPS
)

// codec is what H.264 and H.265 differ in.
type codec interface {
	part(nalu []byte) part
	// begins reports whether a packet is surely the first of its picture.
	begins(payload []byte) bool
	describe(sps []byte) (Info, error)
}

type decoder interface {
	Decode(p *rtp.Packet) ([][]byte, error)
}

type encoder interface {
	Encode(au [][]byte) ([]*rtp.Packet, error)
}

// video assembles H.264 and H.265. Each key frame leaves with the parameter sets in front, whether the camera repeats them or
// said them once in its SDP; a picture with a hole, and all that build on it, do not leave at all.
type video struct {
	open   func() (decoder, error)
	dec    decoder
	enc    encoder
	more   error // of dec: go on
	codec  codec
	params [3][]byte
	about  Info

	ts      uint32 // of the picture being collected
	begun   bool
	damaged bool   // wait for a key frame
	holed   bool   // the picture at hole may lack its beginning
	hole    uint32 // RTP timestamp
}

func newVideo(open func() (decoder, error), enc encoder, more error, c codec, params ...[]byte) (*video, error) {
	dec, err := open()
	if err != nil {
		return nil, fmt.Errorf("read video: %w", err)
	}
	v := &video{open: open, dec: dec, enc: enc, more: more, codec: c}
	for _, p := range params {
		v.learn(p)
	}
	return v, nil
}

func (v *video) info() Info { return v.about }

func (v *video) add(p *rtp.Packet, lost bool) (out []*rtp.Packet, ts uint32, key bool) {
	if lost && !v.restart(p) {
		return nil, 0, false
	}
	au, err := v.dec.Decode(p)
	switch {
	case errors.Is(err, v.more):
		if !v.begun {
			v.begun, v.ts = true, p.Timestamp
		}
		return nil, 0, false
	case err != nil:
		v.damaged = true
		return nil, 0, false
	}
	// The decoder ends a picture at the marker, or at the next timestamp when a camera sets none.
	ts = p.Timestamp
	if v.begun && v.ts != p.Timestamp {
		ts, v.ts = v.ts, p.Timestamp
	} else {
		v.begun = false
	}
	return v.picture(au, ts)
}

// restart forgets the picture at hand, because packets are missing before p.
func (v *video) restart(p *rtp.Packet) bool {
	dec, err := v.open()
	if err != nil {
		return false
	}
	v.dec, v.begun, v.damaged = dec, false, true
	v.holed, v.hole = !v.codec.begins(p.Payload), p.Timestamp
	return true
}

// picture cuts one access unit for sending.
func (v *video) picture(au [][]byte, ts uint32) ([]*rtp.Packet, uint32, bool) {
	slices, key := v.slices(au)
	holed := v.holed && v.hole == ts
	if len(slices) == 0 || holed || (v.damaged && !key) {
		return nil, 0, false
	}
	if key {
		head, ok := v.head()
		if !ok { // nobody could decode it
			return nil, 0, false
		}
		v.damaged, v.holed = false, false
		slices = append(head, slices...)
	}
	out, err := v.enc.Encode(slices)
	if err != nil {
		v.damaged = true
		return nil, 0, false
	}
	for _, p := range out {
		p.Timestamp = ts
	}
	return out, ts, key
}

// slices takes the picture out of an access unit and learns its parameter sets.
func (v *video) slices(au [][]byte) (out [][]byte, key bool) {
	for _, nalu := range au {
		if len(nalu) == 0 {
			continue
		}
		switch p := v.codec.part(nalu); p {
		case slice, keySlice:
			key = key || p == keySlice
			out = append(out, nalu)
		case parameter0, parameter1, parameter2:
			v.learn(nalu)
		}
	}
	return out, key
}

// learn keeps a parameter set, and from an SPS what the stream is.
func (v *video) learn(nalu []byte) {
	if len(nalu) == 0 {
		return
	}
	p := v.codec.part(nalu)
	if p < parameter0 || string(v.params[p-parameter0]) == string(nalu) {
		return
	}
	v.params[p-parameter0] = nalu
	if p == parameter1 {
		if about, err := v.codec.describe(nalu); err == nil {
			v.about = about.plausible()
		}
	}
}

// head gives the parameter sets, and whether they are complete.
func (v *video) head() (out [][]byte, ok bool) {
	for _, p := range v.params {
		if p != nil {
			out = append(out, p)
		}
	}
	return out, v.params[1] != nil && v.params[2] != nil
}

type avc struct{}

func (avc) part(nalu []byte) part {
	switch h264.NALUType(nalu[0] & 0x1f) {
	case h264.NALUTypeIDR:
		return keySlice
	case h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA, h264.NALUTypeDataPartitionB, h264.NALUTypeDataPartitionC:
		return slice
	case h264.NALUTypeSPS:
		return parameter1
	case h264.NALUTypePPS:
		return parameter2
	}
	return dropped
}

func (avc) begins(p []byte) bool {
	switch {
	case len(p) < 3:
		return false
	case p[0]&0x1f == 24: // STAP-A begins with a parameter set, or at macroblock 0
		return len(p) > 4 && avcBegins(p[3]&0x1f, p[4])
	case p[0]&0x1f == 28: // FU-A
		return p[1]&0x80 != 0 && avcBegins(p[1]&0x1f, p[2])
	}
	return avcBegins(p[0]&0x1f, p[1])
}

// avcBegins reads the first bit of a slice header: 1 codes first_mb_in_slice 0.
func avcBegins(t, next byte) bool {
	switch h264.NALUType(t) {
	case h264.NALUTypeSPS, h264.NALUTypePPS, h264.NALUTypeAccessUnitDelimiter:
		return true
	}
	return t >= 1 && t <= 5 && next&0x80 != 0
}

func (avc) describe(b []byte) (Info, error) {
	var sps h264.SPS
	if err := sps.Unmarshal(b); err != nil {
		return Info{}, err
	}
	// The three bytes behind the NAL header are profile, constraints and level (RFC 6184 §8.1).
	return Info{Codec: H264, Width: sps.Width(), Height: sps.Height(), Profile: fmt.Sprintf("%x", b[1:4])}, nil
}

type hevc struct{}

func (hevc) part(nalu []byte) part {
	switch t := h265.NALUType(nalu[0] >> 1 & 0x3f); {
	case t >= h265.NALUType_BLA_W_LP && t <= h265.NALUType_CRA_NUT:
		return keySlice
	case t < 32:
		return slice
	case t == h265.NALUType_VPS_NUT:
		return parameter0
	case t == h265.NALUType_SPS_NUT:
		return parameter1
	case t == h265.NALUType_PPS_NUT:
		return parameter2
	}
	return dropped
}

func (hevc) begins(p []byte) bool {
	switch {
	case len(p) < 4:
		return false
	case p[0]>>1&0x3f == 48: // aggregation
		return len(p) > 6 && hevcBegins(p[4]>>1&0x3f, p[6])
	case p[0]>>1&0x3f == 49: // fragmentation
		return p[2]&0x80 != 0 && hevcBegins(p[2]&0x3f, p[3])
	}
	return hevcBegins(p[0]>>1&0x3f, p[2])
}

// hevcBegins reads first_slice_segment_in_pic_flag.
func hevcBegins(t, next byte) bool {
	switch h265.NALUType(t) {
	case h265.NALUType_VPS_NUT, h265.NALUType_SPS_NUT, h265.NALUType_PPS_NUT, h265.NALUType_AUD_NUT:
		return true
	}
	return t < 32 && next&0x80 != 0
}

func (hevc) describe(b []byte) (Info, error) {
	var sps h265.SPS
	if err := sps.Unmarshal(b); err != nil {
		return Info{}, err
	}
	return Info{Codec: H265, Width: sps.Width(), Height: sps.Height()}, nil
}
