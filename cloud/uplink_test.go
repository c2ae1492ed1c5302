package cloud_test

import (
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Threat 5: a hall that says hello without end is answered with its cursor each time; what is signed for it alone, it is told seldom.
func TestThreat05HellosAreLimited(t *testing.T) {
	m := startMatrix(t)
	m.notice()
	b := m.box()
	const hellos = 40
	told := 0
	for range hellos {
		b.publish(hallsync.UpHello, hallsync.Hello{Hall: hall, Epoch: "e1", First: 1, Next: 1, Boot: "b1", ClockMS: time.Now().UnixMilli()})
		for answered := false; !answered; {
			select {
			case got := <-b.down:
				switch {
				case strings.HasSuffix(got.Topic(), hallsync.DownConfig):
					told++
				case strings.HasSuffix(got.Topic(), hallsync.DownAcks):
					answered = true
				}
			case <-time.After(patience):
				t.Fatal("no answer")
			}
		}
	}
	if told == 0 || told > hellos/2 {
		t.Errorf("told %d times after %d hellos", told, hellos)
	}
}
