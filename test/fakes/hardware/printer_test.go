package hardware_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/firmware-protocols/escpos"
	"halledge/test/fakes/hardware"
)

// A printer whose cutter jammed goes on when it is told to, as its driver's test tells it; what it held is gone, its paper is not back.
func TestPrinterRecovers(t *testing.T) {
	var slips []string
	p := hardware.NewPrinter(func(s hardware.Slip) { slips = append(slips, s.Text()) })
	host, far := net.Pipe()
	var played sync.WaitGroup
	played.Go(func() { p.Serve(far) })
	if err := host.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		t.Helper()
		if _, err := host.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(q escpos.Query) byte {
		t.Helper()
		write([]byte{0x10, 4, byte(q)})
		var b [1]byte
		if _, err := io.ReadFull(host, b[:]); err != nil {
			t.Fatal(err)
		}
		return b[0]
	}
	well := (&escpos.Status{}).Reply(escpos.QueryError)
	jam := escpos.Status{Offline: true, Error: true, Cutter: true, PaperStop: true, PaperEnd: true}
	p.Set(func(s *escpos.Status) { *s = jam })
	write([]byte("lost\n"))
	write(escpos.RecoverRequest())
	if got := ask(escpos.QueryError); got != well {
		t.Errorf("the error is %02X still", got)
	}
	if got, want := ask(escpos.QueryOffline), (&escpos.Status{PaperStop: true}).Reply(escpos.QueryOffline); got != want {
		t.Errorf("off line because of %02X, want %02X: recovering brings no paper", got, want)
	}
	p.Set(func(s *escpos.Status) { *s = escpos.Status{} })
	write([]byte("kept\n"))
	write(escpos.RecoverRequest()) // of a printer without an error
	write([]byte("\x1dV\x00"))
	ask(escpos.QueryError)
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	played.Wait()
	if len(slips) != 1 || !strings.Contains(slips[0], "kept") || strings.Contains(slips[0], "lost") {
		t.Errorf("on paper: %q", slips)
	}
}
