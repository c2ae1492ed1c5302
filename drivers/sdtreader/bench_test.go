package sdtreader

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/sdt"
)

// atRest gives a driver at work on a reader that answers at once, over a pseudo-terminal. It looks for no card by itself while a
// benchmark lasts.
func atRest(b *testing.B, far func(io.ReadWriter)) *Reader {
	b.Helper()
	line := drivertest.Cable(b, far)
	d, err := New(registry.Config{
		Name: "kiosk-1.idcard", Connect: registry.Connect{Serial: line.Path(), Baud: 115200},
		Options: map[string]string{"find_every": "5s"}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	drivertest.Run(b, d)
	drivertest.Reaches(b, d, device.OK, "")
	return d.(*Reader)
}

// frames answers each whole command with a frame.
func frames(b *testing.B, card bool) func(io.ReadWriter) {
	frame := func(s sdt.Status, data []byte) []byte {
		f, err := sdt.AppendReply(nil, s, data)
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	data, err := sdt.CardData(zhang(), nil)
	if err != nil {
		b.Fatal(err)
	}
	said := map[sdt.Command][]byte{
		sdt.CmdStatus: frame(sdt.StatusOK, nil), sdt.CmdSAMNumber: frame(sdt.StatusOK, make([]byte, 16)),
		sdt.CmdFind: frame(sdt.StatusNoCard, nil), sdt.CmdSelect: frame(sdt.StatusOK, make([]byte, 8)), sdt.CmdReadCard: frame(sdt.StatusOK, data),
	}
	if card {
		said[sdt.CmdFind] = frame(sdt.StatusFound, make([]byte, 4))
	}
	return func(rw io.ReadWriter) {
		farend.Answer(rw, &sdt.RequestDecoder{}, func(q sdt.Request) []byte { return said[q.Command] })
	}
}

// BenchmarkCard is from the question whether a card is there to its holder's identity in the hands of whoever waits for it. The reader
// takes no time; limit-p50 is what the same bytes take over a connection alone, with nobody who looks at them.
func BenchmarkCard(b *testing.B) {
	r := atRest(b, frames(b, true))
	if _, open := <-r.Cards(); !open { // of the first look
		b.Fatal("no card")
	}
	var took, bare []time.Duration
	for b.Loop() {
		began := time.Now()
		err := r.session.Do(b.Context(), "find", func(ctx context.Context, conn transport.Conn) error {
			r.seen = newPresence() // somebody else's card
			return r.look(ctx, conn)
		})
		if err != nil {
			b.Fatal(err)
		}
		if c := <-r.Cards(); c.Number.Empty() {
			b.Fatal("a card of nobody")
		}
		took = append(took, time.Since(began))
		if err := r.session.Do(b.Context(), "compare", func(_ context.Context, conn transport.Conn) error {
			began := time.Now()
			err := sameBytes(conn)
			bare = append(bare, time.Since(began))
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	for name, all := range map[string][]time.Duration{"": took, "limit-": bare} {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, name+"p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, name+"p99-ms")
	}
}

// sameBytes passes what reading a card does.
func sameBytes(conn transport.Conn) error {
	buf := make([]byte, 1295)
	for _, trip := range []struct {
		command sdt.Command
		answer  int
	}{{sdt.CmdFind, 15}, {sdt.CmdSelect, 19}, {sdt.CmdReadCard, 1295}} {
		if _, err := conn.Write(sdt.AppendRequest(nil, trip.command)); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, buf[:trip.answer]); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLook is what an empty reader costs: the processor's time of a look, with the played reader's own, as a part of one core when
// there is one every 300 ms, and the bytes on the line in a second then.
func BenchmarkLook(b *testing.B) {
	r := atRest(b, frames(b, false))
	before := spent(b)
	for b.Loop() {
		if err := r.session.Do(b.Context(), "find", r.look); err != nil {
			b.Fatal(err)
		}
	}
	const every = 300 * time.Millisecond
	look := (spent(b) - before) / time.Duration(b.N)
	b.ReportMetric(float64(look.Nanoseconds())/1000, "cpu-µs/look")
	b.ReportMetric(100*float64(look)/float64(every), "%core")
	b.ReportMetric(float64(len(sdt.AppendRequest(nil, sdt.CmdFind))+11)*float64(time.Second)/float64(every), "B/s")
}

// spent is the processor's time of this program.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(os.NewSyscallError("getrusage", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
