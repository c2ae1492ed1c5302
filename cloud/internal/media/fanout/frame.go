package fanout

import (
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph265"
	"github.com/pion/rtp"
)

// maxPayload keeps an RTP packet with its header within 1200 bytes, which every path between a node and a browser carries.
const maxPayload = 1188

// The codecs a camera may have.
const (
	H264  = "h264"
	H265  = "h265"
	MJPEG = "mjpeg"
)

// ErrCodec is the error of Publish for a format that is none of the three.
var ErrCodec = errors.New("codec is not H.264, H.265 or MJPEG")

// Frame is one picture, cut into RTP packets once for everybody. Nobody may change it. The packets have payload type, marker
// and timestamp of the publisher; sequence numbers and SSRC are each receiver's own.
type Frame struct {
	Index     uint64 // counts up by one within a publication
	Packets   []*rtp.Packet
	Timestamp uint32 // RTP, 90 kHz
	Key       bool   // a decoder can begin here
	At        time.Time
	Bytes     int // of payload
}

// Info is what a stream says of itself. Width and Height are 0 until known.
type Info struct {
	Codec         string
	Width, Height int
	Profile       string // of H.264: the six hex digits of profile-level-id, such as 4d001f
}

// plausible keeps sizes that a camera can have; an SPS from outside may say anything.
func (i Info) plausible() Info {
	const largest = 16384
	if i.Width < 1 || i.Height < 1 || i.Width > largest || i.Height > largest {
		i.Width, i.Height = 0, 0
	}
	return i
}

// assembler makes frames out of a publisher's packets.
type assembler interface {
	// add takes the next packet and gives the packets of a whole picture, or nil. lost says that packets are missing before it.
	add(p *rtp.Packet, lost bool) (out []*rtp.Packet, ts uint32, key bool)
	info() Info
}

func newAssembler(f format.Format) (assembler, error) {
	switch f := f.(type) {
	case *format.H264:
		enc := &rtph264.Encoder{PayloadType: f.PayloadTyp, PayloadMaxSize: maxPayload, PacketizationMode: 1}
		if err := enc.Init(); err != nil {
			return nil, fmt.Errorf("write H.264: %w", err)
		}
		sps, pps := f.SafeParams()
		open := func() (decoder, error) { return f.CreateDecoder() }
		return newVideo(open, enc, rtph264.ErrMorePacketsNeeded, avc{}, sps, pps)
	case *format.H265:
		enc := &rtph265.Encoder{PayloadType: f.PayloadTyp, PayloadMaxSize: maxPayload}
		if err := enc.Init(); err != nil {
			return nil, fmt.Errorf("write H.265: %w", err)
		}
		vps, sps, pps := f.SafeParams()
		open := func() (decoder, error) { return f.CreateDecoder() }
		return newVideo(open, enc, rtph265.ErrMorePacketsNeeded, hevc{}, vps, sps, pps)
	case *format.MJPEG:
		return &stills{}, nil
	}
	return nil, ErrCodec
}
