package whep

import (
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"halledge/cloud/internal/media/fanout"
)

const (
	connectTimeout = 15 * time.Second
	// A line without a word is disconnected, then failed and taken down. Viewers check it every 2 s or so.
	disconnected = 5 * time.Second
	failed       = 10 * time.Second
	keepalive    = 2 * time.Second
	// pictureEvery is how often a viewer may ask for the picture from its key frame on.
	pictureEvery = time.Second
	// requests is how many of a viewer's wishes may wait.
	requests = 16
)

// session is one viewer of one camera. Its serve is the goroutine that owns it.
type session struct {
	id      string
	camera  string
	asked   time.Time
	connect time.Duration // from the offer until the line is up
	hub     *fanout.Hub
	log     *slog.Logger
	release func()          // the camera is not wanted any more, and the place is free
	permit  <-chan struct{} // closed when the viewer may not look any more; nil: never

	pc     *webrtc.PeerConnection
	sender *webrtc.RTPSender
	track  *track

	up    chan struct{} // closed when the line is up
	down  chan struct{} // closed when it is not any more
	quit  chan struct{} // closed when it is to end
	once  struct{ up, down, quit sync.Once }
	again chan struct{} // the viewer wants the picture anew
	nacks chan []uint16 // the viewer misses packets
	ended chan struct{} // serve has returned
}

// notPermitted is the reason of an end in the log.
const notPermitted = "signed out"

// watch makes the connection's events into signals. They come from the library's goroutines, which must not wait.
func (s *session) watch() {
	s.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			s.once.up.Do(func() { close(s.up) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			s.once.down.Do(func() { close(s.down) })
		}
	})
}

// stop ends the session; serve cleans up.
func (s *session) stop() { s.once.quit.Do(func() { close(s.quit) }) }

// serve shows the camera until the viewer, the camera or the server goes.
func (s *session) serve() {
	defer close(s.ended)
	defer s.release()
	var feedback sync.WaitGroup
	feedback.Go(s.listen)
	reason, v := s.show()
	if err := s.pc.GracefulClose(); err != nil {
		s.log.Debug("viewer did not close well", "camera", s.camera, "error", err.Error())
	}
	feedback.Wait()
	if v != nil {
		s.log.Info("viewer left", "camera", s.camera, "reason", reason, "duration_s", int(time.Since(s.asked).Seconds()),
			"frames", v.count.frames, "resent", v.count.resent, "again", v.count.again)
	} else {
		s.log.Info("viewer did not connect", "camera", s.camera, "reason", reason)
	}
}

// show waits for the line and sends pictures over it. It gives the reason of the end, and the viewer if there was one.
func (s *session) show() (reason string, v *viewer) {
	timeout := time.NewTimer(s.connect)
	defer timeout.Stop()
	for _, ready := range []chan struct{}{s.up, s.track.bound} {
		select {
		case <-ready:
		case <-s.down:
			return "no connection", nil
		case <-s.permit:
			return notPermitted, nil
		case <-s.quit:
			return "ended", nil
		case <-timeout.C:
			return "no connection in time", nil
		}
	}
	sub, err := s.hub.Subscribe(s.camera)
	if err != nil {
		return "camera left", nil
	}
	defer sub.Close()
	defer s.hub.Join(s.camera)()
	v = newViewer(s.track)
	if err := v.begin(sub.Start); over(err) {
		return "line is closed", v
	}
	s.log.Info("viewer connected", "camera", s.camera, "transport", s.transport(), "pictures_at_once", len(sub.Start),
		"after_ms", time.Since(s.asked).Milliseconds())
	return s.stream(v, sub), v
}

// stream sends what comes, and what is asked for again.
func (s *session) stream(v *viewer, sub *fanout.Subscription) (reason string) {
	var begun time.Time
	for {
		var err error
		select {
		case f, ok := <-sub.Frames():
			if !ok {
				return "camera left"
			}
			err = v.show(f)
		case <-s.again:
			if now := time.Now(); now.Sub(begun) >= pictureEvery {
				begun = now
				v.count.again++
				err = v.begin(sub.Again(v.index))
			}
		case missing := <-s.nacks:
			err = v.resend(missing)
		case <-s.down:
			return "viewer went away"
		case <-s.permit:
			return notPermitted
		case <-s.quit:
			return "ended"
		}
		if over(err) {
			return "line is closed"
		}
	}
}

// over tells whether nothing can be sent any more. Other errors are single packets the line did not take: the viewer asks for
// them, or for the picture anew.
func over(err error) bool { return errors.Is(err, io.ErrClosedPipe) }

// listen reads what the viewer reports until the connection is closed.
func (s *session) listen() {
	for {
		packets, _, err := s.sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				select {
				case s.again <- struct{}{}:
				default:
				}
			case *rtcp.TransportLayerNack:
				select {
				case s.nacks <- missing(p):
				default: // it will ask again
				}
			}
		}
	}
}

// missing lists the packets of a NACK (RFC 4585 §6.2.1).
func missing(n *rtcp.TransportLayerNack) (out []uint16) {
	for _, pair := range n.Nacks {
		if out = append(out, pair.PacketList()...); len(out) >= ringSize {
			break
		}
	}
	return out
}

// transport says how the viewer is connected: udp or tcp.
func (s *session) transport() string {
	pair, err := s.sender.Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return ""
	}
	return pair.Local.Protocol.String()
}
