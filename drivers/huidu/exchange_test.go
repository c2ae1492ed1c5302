package huidu

import (
	"io"
	"log/slog"
	"slices"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
)

// What came unasked, such as the beginning of a packet whose end never comes, does not swallow the next answer.
func TestNoiseBeforeAnAnswer(t *testing.T) {
	t.Parallel()
	far := newGlass()
	lines := make(chan io.Writer, 1)
	socket := drivertest.Socket(t, func(rw io.ReadWriter) {
		lines <- rw
		far.serve(rw)
	})
	s, err := New(registry.Config{
		Name: "hall.led", Connect: registry.Connect{TCP: socket.Addr()}, Options: options(map[string]string{"poll": "1m"}), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, s)
	drivertest.Until(t, "the screen", func() bool { return s.Health().State == device.OK })
	if _, err := (<-lines).Write([]byte{0x88, 0x13, 0x04, 0x20, 'x'}); err != nil { // 5000 bytes of an answer are to come
		t.Fatal(err)
	}
	if err := s.(*Screen).Show(t.Context(), device.Frame{Lines: []string{"请A001号"}}); err != nil {
		t.Fatal(err)
	}
	if c := s.Health().Counters; c.Failures != 0 || c.Garbage == 0 || !slices.Equal(far.lines(), []string{"请A001号"}) {
		t.Errorf("counters %+v, shows %q", c, far.lines())
	}
}
