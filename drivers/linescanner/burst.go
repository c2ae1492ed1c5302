package linescanner

import (
	"time"

	"halledge/drivers/device"
	"halledge/firmware-protocols/scan"
)

// longBurst ends a burst that has no end of its own, as a line that chatters without a pause has none.
const longBurst = time.Second

// burst is what the scanner sent between two rests of the line: nearly always one code, or what should have been one.
type burst struct {
	codes []code
	good  int // bytes of codes
	bad   int // bytes of noise
	fault device.Fault
	began time.Time // zero while it is empty
}

// code is a code in characters.
type code struct{ text, aim string }

// add takes the codes that a decoder gave, and noise and tooLong that it counted meanwhile.
func (b *burst) add(codes []scan.Code, charset scan.Charset, noise, tooLong int) {
	for _, c := range codes {
		text, ok := charset.Text(c.Data)
		if !ok {
			noise += len(c.Data)
			continue
		}
		b.codes = append(b.codes, code{text, c.AIM})
		b.good += len(c.Data)
	}
	b.bad += noise
	switch {
	case tooLong > 0:
		b.fault = device.ScanTooLong
	case noise > 0 && b.fault == "":
		b.fault = device.ScanUnreadable
	}
	if b.began.IsZero() && (noise > 0 || len(b.codes) > 0) {
		b.began = time.Now()
	}
}

// lasts says that the burst is too long to wait for its end.
func (b *burst) lasts() bool {
	return len(b.codes) >= backlog || !b.began.IsZero() && time.Since(b.began) >= longBurst
}

// noisy says that the burst is more noise than codes: what looks like a code in it is most likely none.
func (b *burst) noisy() bool { return b.bad > b.good }
