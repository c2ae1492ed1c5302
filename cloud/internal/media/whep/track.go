package whep

import (
	"errors"
	"strings"
	"sync"

	"github.com/pion/webrtc/v4"
)

var errNoCodec = errors.New("viewer takes no H.264")

// track is a viewer's line out. It writes nothing by itself: bound tells when it may be written to.
type track struct {
	profile string // of the camera, six hex digits
	bound   chan struct{}
	once    sync.Once

	// Set before bound is closed.
	out     webrtc.TrackLocalWriter
	ssrc    uint32
	payload uint8
}

func newTrack(profile string) *track { return &track{profile: profile, bound: make(chan struct{})} }

// Bind implements webrtc.TrackLocal: the codecs are agreed on. The camera's own profile is best, but all browsers decode all.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	var chosen *webrtc.RTPCodecParameters
	for _, codec := range c.CodecParameters() {
		if !strings.EqualFold(codec.MimeType, webrtc.MimeTypeH264) {
			continue
		}
		if chosen == nil || sameProfile(codec.SDPFmtpLine, t.profile) {
			chosen = &codec
		}
	}
	if chosen == nil {
		return webrtc.RTPCodecParameters{}, errNoCodec
	}
	t.once.Do(func() {
		t.out, t.ssrc, t.payload = c.WriteStream(), uint32(c.SSRC()), uint8(chosen.PayloadType)
		close(t.bound)
	})
	return *chosen, nil
}

// sameProfile compares profile_idc, the first byte of profile-level-id.
func sameProfile(fmtp, profile string) bool {
	_, id, ok := strings.Cut(fmtp, "profile-level-id=")
	return ok && len(id) >= 2 && len(profile) >= 2 && strings.EqualFold(id[:2], profile[:2])
}

// Unbind implements webrtc.TrackLocal.
func (*track) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID implements webrtc.TrackLocal.
func (*track) ID() string { return "video" }

// RID implements webrtc.TrackLocal.
func (*track) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (*track) StreamID() string { return "camera" }

// Kind implements webrtc.TrackLocal.
func (*track) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }
