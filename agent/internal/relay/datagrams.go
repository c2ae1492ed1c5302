package relay

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"halledge/agent/internal/relay/wire"
)

// maxRun is how many bytes of one picture are collected before they are written.
const maxRun = 48 << 10

// datagrams takes the packets of a UDP camera, which come one by one through the protocol library, and writes those of a
// picture together. Its methods are called from one goroutine at a time per kind of packet.
type datagrams struct {
	fwd *forward
	run []byte
	ts  uint32
}

// rtp takes one packet.
func (d *datagrams) rtp(p *rtp.Packet) {
	now := time.Now()
	d.fwd.mu.Lock()
	defer d.fwd.mu.Unlock()
	if d.fwd.out == nil {
		return
	}
	if p.Timestamp != d.ts {
		d.flush(now)
		d.ts = p.Timestamp
	}
	from, size := len(d.run), p.MarshalSize()
	if size > wire.MaxUnit-wire.FrameHeader {
		return
	}
	d.run = append(d.run, '$', 0, byte(size>>8), byte(size))
	d.run = append(d.run, make([]byte, size)...)
	if _, err := p.MarshalTo(d.run[from+wire.FrameHeader:]); err != nil || !d.fwd.rtp(d.run[from:], now, d.fwd.out.level(now)) {
		d.run = d.run[:from]
	}
	if p.Marker || len(d.run) > maxRun {
		d.flush(now)
	}
}

func (d *datagrams) flush(now time.Time) {
	d.fwd.send(d.run, now)
	d.run = d.run[:0]
}

// rtcp takes one control packet.
func (d *datagrams) rtcp(p rtcp.Packet) {
	body, err := p.Marshal()
	if err != nil {
		return
	}
	frame := append([]byte{'$', 0, byte(len(body) >> 8), byte(len(body))}, body...)
	now := time.Now()
	d.fwd.mu.Lock()
	defer d.fwd.mu.Unlock()
	if d.fwd.rtcp(frame, now) {
		d.fwd.send(frame, now)
	}
}
