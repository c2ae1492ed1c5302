package ingest

import (
	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtp"
)

// pick finds the first video stream with a codec we carry.
func pick(d *description.Session) (*description.Media, format.Format, bool) {
	for _, m := range d.Medias {
		if m.Type != description.MediaTypeVideo {
			continue
		}
		for _, f := range m.Formats {
			switch f.(type) {
			case *format.H264, *format.H265, *format.MJPEG:
				return m, f, true
			}
		}
	}
	return nil, nil, false
}

// write takes one packet of the hall. Readers get the pictures as the fan-out cut them, whole ones only.
func (p *publication) write(packet *rtp.Packet) {
	frame := p.feed.Write(packet)
	if frame == nil || p.readers.Load() == 0 {
		return
	}
	for _, shared := range frame.Packets {
		out := *shared // the stream writes its own SSRC into it
		// It fails only while the stream is being closed; a reader that is too slow is told to OnStreamWriteError.
		_ = p.stream.WritePacketRTP(p.media, &out)
	}
}

// admit lifts the time limit of a connection that has proved itself.
func admit(c *gortsplib.ServerConn) {
	if known, ok := c.NetConn().(*conn); ok {
		known.admit()
	}
}

func remote(c *gortsplib.ServerConn) string { return c.NetConn().RemoteAddr().String() }

func status(code base.StatusCode) *base.Response { return &base.Response{StatusCode: code} }
