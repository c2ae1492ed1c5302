// Package clip gives the film that fake cameras show: ten seconds of H.264 that loop. How it was made is in README.md.
package clip

import (
	_ "embed"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// What the film is.
const (
	Width  = 640
	Height = 360
	FPS    = 15
	// GOP is the number of frames from one key frame to the next.
	GOP = 15
	// ClockRate is the RTP clock of H.264; a frame lasts ClockRate/FPS ticks.
	ClockRate = 90000
)

//go:embed clip.h264
var annexB []byte

// Frame is one access unit. A key frame holds SPS, PPS and IDR, every other one a single slice.
type Frame struct {
	NALUs [][]byte
	Key   bool
}

// Film is the whole clip, and the parameter sets for an SDP.
type Film struct {
	Frames []Frame
	SPS    []byte
	PPS    []byte
}

// Load splits the embedded clip into frames. The NAL units share memory with the clip and must not be changed.
func Load() (Film, error) {
	var units h264.AnnexB
	if err := units.Unmarshal(annexB); err != nil {
		return Film{}, fmt.Errorf("split clip: %w", err)
	}
	var film Film
	var head [][]byte // what comes before the slice of its frame
	for _, u := range units {
		switch h264.NALUType(u[0] & 0x1f) {
		case h264.NALUTypeSPS:
			film.SPS = u
			head = append(head, u)
		case h264.NALUTypePPS:
			film.PPS = u
			head = append(head, u)
		case h264.NALUTypeIDR:
			film.Frames = append(film.Frames, Frame{NALUs: append(head, u), Key: true})
			head = nil
		case h264.NALUTypeNonIDR:
			film.Frames = append(film.Frames, Frame{NALUs: append(head, u)})
			head = nil
		}
	}
	if len(film.Frames) == 0 || film.SPS == nil || film.PPS == nil {
		return Film{}, fmt.Errorf("clip has %d frames, %d bytes of SPS, %d of PPS", len(film.Frames), len(film.SPS), len(film.PPS))
	}
	return film, nil
}
