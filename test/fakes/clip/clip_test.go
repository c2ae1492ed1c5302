package clip_test

import (
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"halledge/test/fakes/clip"
)

func TestLoad_isWhatTheREADMESays(t *testing.T) {
	film, err := clip.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(film.Frames), 10*clip.FPS; got != want {
		t.Errorf("%d frames, want %d", got, want)
	}
	for i, f := range film.Frames {
		if want := i%clip.GOP == 0; f.Key != want {
			t.Errorf("frame %d: key frame is %v, want %v", i, f.Key, want)
		}
		if want := map[bool]int{true: 3, false: 1}[f.Key]; len(f.NALUs) != want {
			t.Errorf("frame %d has %d NAL units, want %d", i, len(f.NALUs), want)
		}
	}
	var sps h264.SPS
	if err := sps.Unmarshal(film.SPS); err != nil {
		t.Fatal(err)
	}
	if sps.Width() != clip.Width || sps.Height() != clip.Height || sps.ProfileIdc != 77 {
		t.Errorf("%dx%d profile %d, want %dx%d profile 77 (main)", sps.Width(), sps.Height(), sps.ProfileIdc, clip.Width, clip.Height)
	}
}
