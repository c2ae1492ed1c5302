package fanout

import "github.com/pion/rtp"

// stills carries Motion JPEG as it comes; every picture is a key frame.
type stills struct {
	packets []*rtp.Packet
	bytes   int
	damaged bool
}

// maxStill bounds one JPEG picture.
const maxStill = 2 << 20

func (*stills) info() Info { return Info{Codec: MJPEG} }

func (s *stills) add(p *rtp.Packet, lost bool) ([]*rtp.Packet, uint32, bool) {
	if lost || (len(s.packets) > 0 && s.packets[0].Timestamp != p.Timestamp) {
		s.damaged = lost
		s.packets, s.bytes = nil, 0
	}
	s.packets = append(s.packets, p)
	if s.bytes += len(p.Payload); s.bytes > maxStill {
		s.damaged = true
		s.packets, s.bytes = nil, 0
	}
	if !p.Marker {
		return nil, 0, false
	}
	out, damaged := s.packets, s.damaged
	s.packets, s.bytes, s.damaged = nil, 0, false
	if damaged || len(out) == 0 {
		return nil, 0, false
	}
	return out, p.Timestamp, true
}
