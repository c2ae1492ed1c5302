package sound

import (
	"math"
	"slices"
	"time"
)

// Join puts clips of one rate behind each other, with a silence between two.
func Join(silence time.Duration, clips ...Clip) (out Clip) {
	for i, c := range clips {
		out.Rate = c.Rate
		if i > 0 {
			out.Samples = append(out.Samples, make([]int16, int(silence.Seconds()*float64(c.Rate)))...)
		}
		out.Samples = append(out.Samples, c.Samples...)
	}
	return out
}

// At gives the clip at a volume in percent.
func (c Clip) At(volume int) Clip {
	out := Clip{Rate: c.Rate, Samples: slices.Clone(c.Samples)}
	for i, sample := range out.Samples {
		out.Samples[i] = int16(int(sample) * volume / 100)
	}
	return out
}

// Chime is the ding-dong before a call that makes people look up: two notes of half a second that fade.
func Chime(rate int) Clip {
	const loudest, seconds, fade = 9000, 0.5, 6
	out := Clip{Rate: rate}
	for _, pitch := range []float64{659.3, 523.3} { // E and C
		for i := range int(seconds * float64(rate)) {
			at := float64(i) / float64(rate)
			out.Samples = append(out.Samples, int16(loudest*math.Exp(-fade*at)*math.Sin(2*math.Pi*pitch*at)))
		}
	}
	return out
}
