package whep

import (
	"errors"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"
)

var errGather = errors.New("candidates are not ready")

// negotiate makes the session's connection from the viewer's offer; afterwards it has an answer with all candidates. After an
// error the connection is closed.
func (s *Server) negotiate(v *session, offer string) (err error) {
	if v.pc, err = s.api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return fmt.Errorf("make connection: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.pc.GracefulClose())
		}
	}()
	v.watch()
	direction := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
	transceiver, err := v.pc.AddTransceiverFromTrack(v.track, direction)
	if err != nil {
		return fmt.Errorf("add track: %w", err)
	}
	v.sender = transceiver.Sender()
	if err := v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return fmt.Errorf("read offer: %w", err)
	}
	answer, err := v.pc.CreateAnswer(nil)
	if err != nil {
		// The offer is sound, so this is a video stream without any of our codecs.
		return fmt.Errorf("make answer: %w", errors.Join(errNoCodec, err))
	}
	if !sendsVideo(answer) {
		return errNoCodec
	}
	gathered := webrtc.GatheringCompletePromise(v.pc)
	if err := v.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("set answer: %w", err)
	}
	timeout := time.NewTimer(gather)
	defer timeout.Stop()
	select {
	case <-gathered:
		return nil
	case <-timeout.C:
		return errGather
	}
}

// sendsVideo tells whether the answer has a video stream that the viewer takes.
func sendsVideo(answer webrtc.SessionDescription) bool {
	parsed, err := answer.Unmarshal()
	if err != nil {
		return false
	}
	for _, m := range parsed.MediaDescriptions {
		_, sends := m.Attribute("sendonly")
		if m.MediaName.Media == "video" && m.MediaName.Port.Value != 0 && sends {
			return true
		}
	}
	return false
}
