package ledpanel

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"halledge/drivers/internal/panel"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/onbon"
)

const halfHour = 30 * time.Minute

// schedule is the brightness of each half hour of a day; all 0: the card's own.
type schedule [onbon.HalfHours]byte

// readBrightness reads a number, or some with the time of day from which each is in force, such as "07:00=14 19:30=6".
func readBrightness(o *registry.Options) schedule {
	text := o.String("brightness", "")
	s, err := parseSchedule(text)
	if err != nil {
		o.Reject("brightness", err.Error())
	}
	return s
}

func parseSchedule(text string) (s schedule, err error) {
	parts := strings.Fields(text)
	if len(parts) == 1 && !strings.Contains(text, "=") {
		parts[0] = "00:00=" + parts[0]
	}
	for _, part := range parts {
		from, number, _ := strings.Cut(part, "=")
		at, err := time.Parse("15:04", from)
		step, bad := strconv.Atoi(number)
		if err != nil || bad != nil || step < onbon.MinBrightness || step > onbon.MaxBrightness || at.Minute()%30 != 0 {
			return schedule{}, fmt.Errorf("%q: want a number from %d to %d, or such numbers as 07:00=14, on the half hour", part, onbon.MinBrightness, onbon.MaxBrightness)
		}
		if s[slot(at)] != 0 {
			return schedule{}, fmt.Errorf("%q: this time has one already", part)
		}
		s[slot(at)] = byte(step)
	}
	last := byte(0) // of the evening before
	for i := range 2 * len(s) {
		if here := &s[i%len(s)]; *here != 0 {
			last = *here
		} else if i >= len(s) {
			*here = last
		}
	}
	return s, nil
}

func slot(t time.Time) int {
	return int((time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute) / halfHour)
}

// dim sets the brightness of this half hour when it is another one than the card was told. A card that refuses it keeps its own: people
// can read it nevertheless.
func (c *card) dim(ctx context.Context, conn transport.Conn) error {
	b := onbon.Brightness{Now: c.bright[slot(c.now())], Day: c.bright}
	if b.Now == c.set {
		return nil
	}
	r, err := b.Request()
	if err != nil {
		return err
	}
	if err = c.ask(ctx, conn, r); panel.Refusable(err) != nil {
		return err
	}
	if err != nil {
		c.log.Warn("brightness refused", "step", b.Now, "error", err)
	}
	c.set = b.Now
	return nil
}
