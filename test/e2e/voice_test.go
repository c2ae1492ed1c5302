package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"halledge/test/demo"
)

// sentences are what the hall's speaker said to its end, without the second time each is said.
func sentences(t *testing.T, d *demo.Demo) (heard []string) {
	t.Helper()
	lines := strings.Split(d.Sim(t, "look", "hall.speaker"), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		if lines[i] == lines[i+1] {
			heard = append(heard, lines[i])
		}
	}
	return heard
}

// says waits until the speaker has said sentences, each twice, in this order and nothing else.
func says(t *testing.T, d *demo.Demo, want ...string) {
	t.Helper()
	demo.Until(t, demo.Patience, "the calls to be said", func() error {
		if heard := sentences(t, d); !slices.Equal(heard, want) {
			return fmt.Errorf("heard %q, want %q", heard, want)
		}
		return nil
	})
}

func TestCallsAreSpokenAndARecallGoesAhead(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	d.Verb(t, "1", "open", nil)
	d.Verb(t, "2", "open", nil)
	for range 3 {
		d.Take(t, "A")
	}
	d.Verb(t, "1", "call-next", nil)
	first := "请A零零一号，到一号窗口"
	says(t, d, first)

	d.Sim(t, "unplug", "hall.speaker")
	are(t, d, "offline", "offline", "hall.speaker")
	d.Verb(t, "2", "call-next", nil)
	d.Verb(t, "1", "recall", nil)
	d.Sim(t, "plug", "hall.speaker")
	says(t, d, first, first, "请A零零二号，到二号窗口")
}
