package trace_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/trace"
	"halledge/drivers/internal/transport"
)

// far is a device that answers each message with one of its own.
func far(answer []byte) farend.Serve {
	return func(rw io.ReadWriter) {
		buf := make([]byte, 256)
		for {
			if _, err := rw.Read(buf); err != nil {
				return
			}
			if _, err := rw.Write(answer); err != nil {
				return
			}
		}
	}
}

// talk opens a line, says question, reads the whole answer and closes.
func talk(t *testing.T, tape *trace.Tape, question, answer []byte) {
	t.Helper()
	line := farend.NewPTY(filepath.Join(t.TempDir(), "tty"), far(answer))
	if err := line.Plug(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := line.Unplug(); err != nil {
			t.Error(err)
		}
	}()
	conn, err := tape.Wrap(transport.Open(t.Context(), transport.Spec{Serial: line.Path()}))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(question); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, len(answer))); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

// joined gives all that is kept of one way, and how long it was.
func joined(r trace.Record, way trace.Way) (kept []byte, length int) {
	for _, e := range r.Entries {
		if e.Way == way {
			kept, length = append(kept, e.Bytes...), length+e.Length
		}
	}
	return kept, length
}

func TestATapeKeepsWhatPassesAndNothingPersonal(t *testing.T) {
	card := append([]byte{0xaa, 0xaa, 0xaa, 0x96, 0x69, 0x05, 0x08, 0, 0, 0x90}, "991101199003070016"...)
	for class, c := range map[device.Class]struct {
		answer, kept []byte
		masked       bool
	}{
		device.ClassPrinter: {[]byte{0x12, 0x16}, []byte{0x12, 0x16}, false},
		device.ClassIDCard:  {card, card[:10], true},
		device.ClassScanner: {[]byte("991101199003070016\r"), nil, true},
	} {
		t.Run(string(class), func(t *testing.T) {
			tape := trace.New(class)
			question := []byte{0x10, 0x04, 0x01}
			talk(t, tape, question, c.answer)
			if r := tape.Record(0); r.On || !r.Until.IsZero() || len(r.Entries) != 0 {
				t.Errorf("recorded although it was off: %+v", r)
			}
			tape.Start(time.Minute)
			talk(t, tape, question, c.answer)
			r := tape.Record(0)
			in, inLength := joined(r, trace.In)
			out, _ := joined(r, trace.Out)
			if !bytes.Equal(out, question) || inLength != len(c.answer) || !bytes.HasPrefix(c.kept, in) || (len(c.kept) > 0) != (len(in) > 0) {
				t.Errorf("out % x, in % x of %d", out, in, inLength)
			}
			if !r.On || r.Masked != c.masked || r.Entries[0].Text != "opened" || r.Entries[len(r.Entries)-1].Text != "closed" {
				t.Errorf("%+v", r)
			}
			if later := tape.Record(r.Entries[0].Seq); len(later.Entries) != len(r.Entries)-1 {
				t.Errorf("%d entries after the first of %d", len(later.Entries), len(r.Entries))
			}
			tape.Stop()
			talk(t, tape, question, c.answer)
			if again := tape.Record(0); again.On || len(again.Entries) != len(r.Entries) {
				t.Errorf("goes on after its end: %+v", again)
			}
		})
	}
}

// A personal number must not come back by the way in which its bytes are cut: a piece may begin anywhere.
func FuzzMasks(f *testing.F) {
	f.Add([]byte("991101199003070016"), true)
	f.Add([]byte{0xaa, 0xaa, 0xaa, 0x96, 0x69, 0x05, 0x08, 0, 0, 0x90, '9', '9'}, true)
	f.Fuzz(func(t *testing.T, b []byte, card bool) {
		class := device.ClassScanner
		if card {
			class = device.ClassIDCard
		}
		tape := trace.New(class)
		tape.Start(time.Minute)
		conn, err := tape.Wrap(played{bytes.NewReader(b)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn) // ends with the bytes
		for _, e := range tape.Record(0).Entries {
			if len(e.Bytes) > 0 && (!card || len(e.Bytes) > 10 || !bytes.HasPrefix(e.Bytes, []byte{0xaa, 0xaa, 0xaa, 0x96, 0x69})) {
				t.Errorf("%q of %q is kept", e.Bytes, b)
			}
		}
	})
}

// played is a connection that gives what a reader has.
type played struct{ io.Reader }

func (played) Write(b []byte) (int, error)                   { return len(b), nil }
func (played) Close() error                                  { return nil }
func (played) SetDeadline(time.Time) error                   { return nil }
func (played) SetReadDeadline(time.Time) error               { return nil }
func (played) SetWriteDeadline(time.Time) error              { return nil }
func (played) Drain(context.Context) error                   { return nil }
func (played) PortStatus() (s transport.PortStatus, e error) { return s, os.ErrClosed }

func TestATapeEndsAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := trace.New(device.ClassPrinter)
		conn, err := tape.Wrap(played{strings.NewReader("")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		write := func(n int) {
			for range n {
				if _, err := conn.Write(make([]byte, 4096)); err != nil {
					t.Fatal(err)
				}
			}
		}
		tape.Start(24 * time.Hour)
		write(trace.MaxEntries + 100)
		r := tape.Record(0)
		if len(r.Entries) != trace.MaxEntries || r.Entries[0].Seq != 101 || len(r.Entries[0].Bytes) != trace.MaxBytes || r.Entries[0].Length != 4096 {
			t.Errorf("%d entries, the first %+v", len(r.Entries), r.Entries[0])
		}
		time.Sleep(trace.MaxTime)
		write(1)
		if again := tape.Record(0); again.On || again.Entries[len(again.Entries)-1].Seq != r.Entries[len(r.Entries)-1].Seq {
			t.Error("a tape goes on for more than its time")
		}
		tape.Start(time.Minute)
		write(1)
		if r := tape.Record(0); len(r.Entries) != 1 || r.Entries[0].Seq != trace.MaxEntries+101 {
			t.Errorf("the new record has %d entries", len(r.Entries))
		}
	})
}

// A scanner that types may have been taken for a keypad.
func TestWhatIsTypedIsMasked(t *testing.T) {
	tape := trace.New(device.ClassCallPad)
	tape.Typed()
	tape.Start(time.Minute)
	conn, err := tape.Wrap(played{strings.NewReader("991101199003070016")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatal(err)
	}
	r := tape.Record(0)
	length := 0
	for _, e := range r.Entries {
		length += e.Length
		if len(e.Bytes) > 0 {
			t.Errorf("%q is kept", e.Bytes)
		}
	}
	if length != 18 || !r.Masked {
		t.Errorf("%d bytes of 18, masked: %t", length, r.Masked)
	}
}

func TestWithoutATapeNothingIsWrapped(t *testing.T) {
	var none *trace.Tape
	line := played{strings.NewReader("")}
	if conn, err := none.Wrap(line, nil); conn != transport.Conn(line) || err != nil {
		t.Errorf("%v, %v", conn, err)
	}
}
