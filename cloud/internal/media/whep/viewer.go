package whep

import (
	"math/rand/v2"

	"github.com/pion/rtp"

	"halledge/cloud/internal/media/fanout"
)

const (
	// ringSize is how many packets back a viewer may ask for again: some seconds of a quiet picture, one of a busy one.
	ringSize = 512
	// maxResend is how often one packet is sent again.
	maxResend = 3
	// step is 1 ms of RTP time: the distance of pictures that are shown only to get up to date.
	step = 90
)

// viewer numbers a camera's packets for one receiver and remembers them. Payloads are shared with all others. One goroutine
// uses it.
type viewer struct {
	track *track
	seq   uint16
	shift uint32 // added to the camera's timestamps
	last  uint32 // timestamp sent last
	index uint64 // of the picture sent last
	ring  [ringSize]sent
	count counts
}

type sent struct {
	header  rtp.Header
	payload []byte
	resent  int
}

// counts are what a viewer got.
type counts struct {
	frames, packets, resent, again uint64
}

func newViewer(t *track) *viewer {
	return &viewer{track: t, seq: uint16(rand.Uint32()), last: rand.Uint32()}
}

// begin shows pictures that are over, up to now: they follow each other by a millisecond, and live ones follow after them.
func (v *viewer) begin(frames []*fanout.Frame) error {
	for _, f := range frames {
		v.shift = v.last + step - f.Timestamp
		if err := v.show(f); err != nil {
			return err
		}
	}
	return nil
}

// show sends one picture.
func (v *viewer) show(f *fanout.Frame) error {
	if v.count.frames == 0 {
		v.shift = v.last + step - f.Timestamp
	}
	v.last, v.index = f.Timestamp+v.shift, f.Index
	v.count.frames++
	for _, p := range f.Packets {
		s := &v.ring[v.seq%ringSize]
		*s = sent{header: rtp.Header{
			Version: 2, Marker: p.Marker, PayloadType: v.track.payload, SequenceNumber: v.seq, Timestamp: v.last, SSRC: v.track.ssrc,
		}, payload: p.Payload}
		v.seq++
		v.count.packets++
		if err := v.write(s); err != nil {
			return err
		}
	}
	return nil
}

// resend sends packets again that the viewer missed and that are still known.
func (v *viewer) resend(missing []uint16) error {
	for _, seq := range missing {
		s := &v.ring[seq%ringSize]
		if s.payload == nil || s.header.SequenceNumber != seq || s.resent >= maxResend {
			continue
		}
		s.resent++
		v.count.resent++
		if err := v.write(s); err != nil {
			return err
		}
	}
	return nil
}

func (v *viewer) write(s *sent) error {
	h := s.header // the library may add extensions
	_, err := v.track.out.WriteRTP(&h, s.payload)
	return err
}
