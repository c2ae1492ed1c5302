package inputs

import (
	"fmt"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

func TestShowed(t *testing.T) {
	d := New()
	d.Show("kiosk-1", "a", "b")
	if !d.Showed("kiosk-1", "a") || !d.Showed("kiosk-1", "b") || d.Showed("kiosk-2", "a") || d.Showed("kiosk-1", "c") {
		t.Fatal("it is not known who showed what where")
	}
	d.shown[shown{"kiosk-1", "a"}] = time.Now().Add(-shownTerm)
	if d.Showed("kiosk-1", "a") {
		t.Error("it is known for ever")
	}
	for n := range 2 * maxShown {
		d.Show("kiosk-1", hallsync.TicketID(fmt.Sprint(n)))
	}
	if len(d.shown) > maxShown || !d.Showed("kiosk-1", hallsync.TicketID(fmt.Sprint(2*maxShown-1))) {
		t.Errorf("%d are known", len(d.shown))
	}
}
