package relay

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtcp"

	"halledge/agent/internal/relay/wire"
)

// forward takes a camera's packets to the node: it renumbers the channel, keeps the SSRC the same for the whole connection,
// counts what the camera lost, and leaves out whole groups of pictures when the line is slow. Nothing is decoded or copied.
// The goroutine that reads from the camera calls it, the one that watches the stream reads its counters.
type forward struct {
	codec string

	mu      sync.Mutex
	out     *sink // nil until the node takes the stream
	media   byte  // payload type
	channel byte  // the node's RTP channel; RTCP is the next one
	gate    wire.Gate
	count   counters

	ssrc    uint32 // of the first packet: what the node sees
	camera  uint32 // of the newest packet
	highest uint32 // highest sequence number with its cycles, as RFC 3550 A.1
	base    uint32 // where counting began
	report  uint32 // middle bits of the camera's last sender report
	heard   time.Time
	self    uint32 // our SSRC in receiver reports
	lost    uint32 // count.lost at the last receiver report
	seen    uint64 // count.packets at the last receiver report
}

// counters count since the connection to the camera began.
type counters struct {
	packets uint64 // received from the camera
	bytes   uint64
	lost    uint64 // sequence numbers the camera left out
	dropped uint64 // packets left out by us
	groups  uint64 // times we began to leave out
	last    time.Time
	key     time.Time // last key frame
}

// start lets packets through. began counts as the last sign of life until the first packet comes.
func (f *forward) start(out *sink, media, channel byte, began time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out, f.media, f.channel, f.self = out, media, channel, rand.Uint32()
	f.count.last, f.count.key = began, began
}

// counters gives a copy.
func (f *forward) counters() counters {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.count
	c.dropped, c.groups = f.gate.Packets, f.gate.Groups
	return c
}

// rtp looks at one frame with an RTP packet in it, makes it the node's, and reports whether it goes on. mu is held.
func (f *forward) rtp(frame []byte, now time.Time, waiting wire.Level) bool {
	p := frame[wire.FrameHeader:]
	payload := wire.Payload(p)
	if f.out == nil || payload == nil || p[1]&0x7f != f.media {
		return false
	}
	ssrc := binary.BigEndian.Uint32(p[8:])
	f.sequence(binary.BigEndian.Uint16(p[2:]), ssrc)
	f.count.packets++
	f.count.bytes += uint64(len(p))
	f.count.last = now
	k := wire.KindOf(f.codec, payload)
	if k == wire.Key {
		f.count.key = now
	}
	if !f.gate.Pass(binary.BigEndian.Uint32(p[4:]), k, waiting) {
		return false
	}
	frame[1] = f.channel
	binary.BigEndian.PutUint32(p[8:], f.ssrc)
	return true
}

// sequence counts what is missing. A new SSRC, a jump and a step back are a camera that began anew, not a fault.
func (f *forward) sequence(seq uint16, ssrc uint32) {
	if f.count.packets == 0 || ssrc != f.camera {
		if f.count.packets == 0 {
			f.ssrc = ssrc
		}
		f.camera, f.highest, f.base = ssrc, uint32(seq), uint32(seq)
		return
	}
	const jump = 3000 // MAX_DROPOUT of RFC 3550 A.1
	step := seq - uint16(f.highest)
	switch {
	case step == 0 || step > 1<<16-100: // again, or a little late
	case step > jump:
		f.highest = f.highest&0xffff0000 | uint32(seq)
	default:
		f.count.lost += uint64(step - 1)
		f.highest += uint32(step)
	}
}

// rtcp makes a frame with RTCP in it the node's and reports whether it goes on. mu is held.
func (f *forward) rtcp(frame []byte, now time.Time) bool {
	p := frame[wire.FrameHeader:]
	if len(p) < 8 || p[0]>>6 != 2 || f.out == nil || f.count.packets == 0 {
		return false
	}
	if p[1] == 200 && len(p) >= 28 { // sender report, RFC 3550 §6.4.1
		f.report, f.heard = binary.BigEndian.Uint32(p[10:]), now
		binary.BigEndian.PutUint32(p[4:], f.ssrc)
	}
	frame[1] = f.channel + 1
	return true
}

// send gives frames to the node and closes the gate when it takes no more. mu is held.
func (f *forward) send(frames []byte, now time.Time) {
	if len(frames) == 0 {
		return
	}
	// Every other error has ended the sink, which its watcher sees.
	if err := f.out.send(frames, now); errors.Is(err, errStuck) {
		f.gate.Shut()
	}
}

// receiverReport gives a frame for the camera on its RTCP channel, or nil before the first packet. Over TCP nothing needs it
// but the cameras that end a stream nobody reports on.
func (f *forward) receiverReport(channel byte, now time.Time) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count.packets == 0 {
		return nil
	}
	lost, seen := uint32(f.count.lost)-f.lost, f.count.packets-f.seen
	f.lost, f.seen = uint32(f.count.lost), f.count.packets
	r := rtcp.ReceptionReport{
		SSRC:               f.camera,
		TotalLost:          uint32(min(f.count.lost, 1<<23-1)), // a signed field of 24 bits
		LastSequenceNumber: f.highest,
		LastSenderReport:   f.report,
	}
	if all := uint64(lost) + seen; all > 0 {
		r.FractionLost = uint8(min(uint64(lost)*256/all, 255))
	}
	if !f.heard.IsZero() {
		r.Delay = uint32(now.Sub(f.heard).Seconds() * 65536)
	}
	body, err := (&rtcp.ReceiverReport{SSRC: f.self, Reports: []rtcp.ReceptionReport{r}}).Marshal()
	if err != nil {
		return nil
	}
	return append([]byte{'$', channel, byte(len(body) >> 8), byte(len(body))}, body...)
}
