package camera

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/pion/rtp"

	"halledge/test/fakes/clip"
)

const payloadType = 96

// packets is the clip, cut into RTP once for all cameras.
type packets struct {
	film   clip.Film
	frames [][]*rtp.Packet
}

func packetize() (*packets, error) {
	film, err := clip.Load()
	if err != nil {
		return nil, err
	}
	enc := &rtph264.Encoder{PayloadType: payloadType, PayloadMaxSize: 1400, PacketizationMode: 1}
	if err := enc.Init(); err != nil {
		return nil, fmt.Errorf("packetize clip: %w", err)
	}
	p := &packets{film: film}
	for _, f := range film.Frames {
		out, err := enc.Encode(f.NALUs)
		if err != nil {
			return nil, fmt.Errorf("packetize clip: %w", err)
		}
		p.frames = append(p.frames, out)
	}
	return p, nil
}

func (p *packets) format() format.Format {
	return &format.H264{PayloadTyp: payloadType, SPS: p.film.SPS, PPS: p.film.PPS, PacketizationMode: 1}
}

// film is what one camera shows.
type film struct {
	packets *packets
	frozen  *atomic.Bool
	speed   int
	first   int // frame to begin with, so that many cameras do not all send their key frames at once
	media   *description.Media
	stream  *gortsplib.ServerStream
}

// play shows the clip until stop is closed. Sequence numbers and timestamps go on without a gap where the clip begins again.
func (f *film) play(stop <-chan struct{}) {
	tick := time.NewTicker(time.Second / time.Duration(clip.FPS*f.speed))
	defer tick.Stop()
	seq, ts := uint16(rand.Uint32()), rand.Uint32()
	for i := f.first; ; i = (i + 1) % len(f.packets.frames) {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if f.frozen.Load() {
			continue
		}
		for _, p := range f.packets.frames[i] {
			out := *p // the payload is shared, the header is ours
			out.SequenceNumber, out.Timestamp = seq, ts
			seq++
			// It fails only while the camera is being closed.
			_ = f.stream.WritePacketRTP(f.media, &out)
		}
		ts += clip.ClockRate / clip.FPS
	}
}
