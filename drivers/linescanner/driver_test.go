package linescanner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/scan"
)

// played is a scanner.
type played struct{ farend.Voice }

// answering gives a scanner that answers what the host writes.
func answering(hear func(from []byte) []byte) *played { return &played{farend.Voice{Hear: hear}} }

func (p *played) send(b string) bool { return p.Send([]byte(b)) }

func (p *played) heard(b []byte) bool { return strings.Contains(p.Heard(), string(b)) }

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		tcp     bool
		options map[string]string
	}{
		"serial":  {false, map[string]string{}},
		"TCP":     {true, map[string]string{"end": "etx"}},
		"trigger": {false, map[string]string{"end": "etx", "trigger": "honeywell"}},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Scanner(t, func(*testing.T) drivertest.ScannerHarness {
				p := &played{}
				return drivertest.ScannerHarness{
					Harness: drivertest.Harness{New: New, Options: c.options, TCP: c.tcp, Far: p.Serve},
					Scan:    func(payload string) bool { return p.send("\x02" + payload + "\x03") },
					Spoil:   func(payload string) bool { return p.send("\x02" + payload + "\x07\x03") },
				}
			})
		})
	}
}

// rig is a scanner on a serial line with its driver.
type rig struct {
	device.Scanner
	far  *played
	line farend.Line
}

// run waits until the scanner is well.
func run(t *testing.T, far *played, options map[string]string) rig {
	t.Helper()
	r := connect(t, far, options)
	drivertest.Reaches(t, r, device.OK, "")
	return r
}

func connect(t *testing.T, far *played, options map[string]string) rig {
	t.Helper()
	line := drivertest.Cable(t, far.Serve)
	d, err := New(registry.Config{
		Name: "kiosk-1.scanner", Connect: registry.Connect{Serial: line.Path()}, Options: options, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Until(t, "the scanner at the other end", far.Here)
	return rig{Scanner: d.(device.Scanner), far: far, line: line}
}

// told waits for what could not be read.
func (r rig) told(t *testing.T) device.Fault {
	t.Helper()
	return drivertest.Next(t, r, r.Unread()).Fault
}

// untold checks that nobody was told of anything until now.
func (r rig) untold(t *testing.T) {
	t.Helper()
	select {
	case u := <-r.Unread():
		t.Errorf("told %s", u.Fault)
	default:
	}
}

func (r rig) next(t *testing.T) device.Scan {
	t.Helper()
	return drivertest.Next(t, r, r.Scans())
}

func TestCodesAsScannersSendThem(t *testing.T) {
	for name, c := range map[string]struct {
		options         map[string]string
		sent            string
		want, symbology string
	}{
		"CR LF":             {nil, "A001\r\n", "A001", ""},
		"silence":           {map[string]string{"end": "silence"}, "A001", "A001", ""},
		"AIM":               {map[string]string{"aim": "true", "end": "cr"}, "]Q1A001\r", "A001", "]Q1"},
		"GBK":               {nil, "\xc5\xc5\xb6\xd3\r", "排队", ""},
		"named charset":     {map[string]string{"charset": "gb18030"}, "\xc4\xe3\r", "你", ""},
		"prefix and suffix": {map[string]string{"prefix": "3c3c", "suffix": "3e"}, "<<A001>\r", "A001", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, &played{}, c.options)
			r.far.send(c.sent)
			if s := r.next(t); s.Payload.Reveal() != c.want || s.Symbology != c.symbology || s.At.IsZero() {
				t.Errorf("got %q %q", s.Payload.Reveal(), s.Symbology)
			}
			if h := r.Health(); h.Counters.Garbage != 0 || h.LastGood.IsZero() {
				t.Errorf("health %+v", h)
			}
		})
	}
}

func TestNoiseIsCountedAndTold(t *testing.T) {
	for name, c := range map[string]struct {
		options map[string]string
		noise   string
		garbage int
		told    device.Fault
		good    string
	}{
		"control characters": {nil, "\x05\x06\x07\r", 3, device.ScanUnreadable, "B001\r"},
		"no charset":         {nil, "\xff\xff\xff\r", 3, device.ScanUnreadable, "B001\r"},
		"too long":           {nil, strings.Repeat("x", scan.MaxCode+500) + "\r", scan.MaxCode + 500, device.ScanTooLong, "B001\r"},
		"too long, no end":   {nil, strings.Repeat("x", scan.MaxCode+1), scan.MaxCode + 1, device.ScanTooLong, "B001\r"},
		"no prefix":          {map[string]string{"prefix": "3c"}, "A001\r", 4, device.ScanUnreadable, "<B001\r"},
		"end never came":     {map[string]string{"end": "cr"}, "A001", 4, device.ScanUnreadable, "B001\r"},
		"broken frame":       {nil, "\x02A001", 4, device.ScanUnreadable, "B001\r"},
		"between frames":     {map[string]string{"end": "etx"}, "A001", 4, device.ScanUnreadable, "\x02B001\x03"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, &played{}, c.options)
			r.far.send(c.noise)
			if got := r.told(t); got != c.told {
				t.Errorf("told %s, want %s", got, c.told)
			}
			if n := r.Health().Counters.Garbage; n != uint64(c.garbage) {
				t.Errorf("%d bytes count as garbage, want %d", n, c.garbage)
			}
			r.far.send(c.good)
			if got := r.next(t).Payload.Reveal(); got != "B001" {
				t.Errorf("got %q", got)
			}
			r.untold(t)
		})
	}
}

// Some scanners put a byte or two around a code that nobody has told them to leave out.
func TestNoiseNextToACodeIsNotTold(t *testing.T) {
	r := run(t, &played{}, map[string]string{"end": "etx"})
	r.far.send("xx\x02A001\x03")
	r.next(t)
	drivertest.Until(t, "garbage", func() bool { return r.Health().Counters.Garbage == 2 })
	r.untold(t)
}

// A line at a wrong speed brings short texts in the midst of noise, which nobody has shown.
func TestNoiseHidesWhatLooksLikeACode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScanner(t, nil)
		s.unread.Read()
		chatter := func() {
			s.settle(&burst{codes: []code{{text: "x"}}, good: 1, bad: 30, fault: device.ScanUnreadable})
			time.Sleep(longBurst)
		}
		for !s.unread.Failing() { // until it is known that the line is bad, it may have been a code
			chatter()
			if len(s.scans) > 0 {
				<-s.scans
			}
			s.lastAt = time.Time{}
		}
		chatter()
		if len(s.scans) > 0 || s.Health().Code != device.CodeNoise {
			t.Errorf("%d codes came out of noise, health %+v", len(s.scans), s.Health())
		}
		s.settle(&burst{codes: []code{{text: "A001"}}, good: 4})
		if len(s.scans) != 1 || s.Health().State != device.OK {
			t.Errorf("a code on a quiet line: %d delivered, health %+v", len(s.scans), s.Health())
		}
	})
}

// A line that chatters without a pause has bursts all the same.
func TestBurstsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b burst
		b.add(nil, scan.CharsetAuto, 100, 0)
		if b.lasts() {
			t.Error("it ends at once")
		}
		time.Sleep(longBurst)
		if !b.lasts() || !b.noisy() {
			t.Error("it never ends")
		}
		b = burst{}
		for range backlog {
			b.add([]scan.Code{{Data: []byte("A")}}, scan.CharsetAuto, 0, 0)
		}
		if !b.lasts() {
			t.Error("it gathers codes without a bound")
		}
	})
}

func TestUnpluggedInTheMiddleOfACode(t *testing.T) {
	r := run(t, &played{}, map[string]string{"end": "cr"})
	r.far.send("A0")
	if err := r.line.Unplug(); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, r, device.Offline, device.CodeOffline)
	if err := r.line.Plug(); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, r, device.OK, "")
	drivertest.Until(t, "the scanner", func() bool { return r.far.send("B001\r") })
	if got := r.next(t).Payload.Reveal(); got != "B001" {
		t.Errorf("got %q, the rest of a code of another life", got)
	}
}

// wire is one end of a line in memory: what is written there has been read.
type wire struct{ net.Conn }

func (wire) Drain(context.Context) error { return nil }
func (wire) PortStatus() (transport.PortStatus, error) {
	return transport.PortStatus{}, errors.ErrUnsupported
}

// A code that is cut by the end of the connection is none, also where silence ends a code; a whole one before it is.
func TestWhatCameBeforeTheEndOfTheConnection(t *testing.T) {
	for name, c := range map[string]struct {
		options map[string]string
		sent    string
		codes   string
		told    device.Fault
		garbage int
	}{
		"marked end":          {map[string]string{"end": "cr"}, "A0", "", device.ScanUnreadable, 2},
		"silence is the end":  {map[string]string{"end": "silence"}, "A0", "", device.ScanUnreadable, 2},
		"frame":               {nil, "\x02A0", "", device.ScanUnreadable, 2},
		"packet":              {map[string]string{"protocol": "ssi"}, "\x09\xf3\x00", "", device.ScanUnreadable, 3},
		"too long":            {nil, strings.Repeat("x", scan.MaxCode+1), "", device.ScanTooLong, scan.MaxCode + 1},
		"behind a whole code": {nil, "A001\rB0", "A001", "", 2},
		"behind two":          {nil, "A001\rA002\rB", "A001 A002", "", 1},
		"nothing":             {nil, "", "", "", 0},
		"a whole code":        {nil, "A001\r", "A001", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScanner(t, c.options)
				host, far := net.Pipe()
				ended := make(chan error, 1)
				go func() { ended <- s.serve(t.Context(), wire{host}) }()
				if _, err := io.WriteString(far, c.sent); err != nil {
					t.Fatal(err)
				}
				if err := far.Close(); err != nil {
					t.Fatal(err)
				}
				if err := <-ended; err == nil {
					t.Error("it goes on without a connection")
				}
				var codes []string
				for len(s.scans) > 0 {
					codes = append(codes, (<-s.scans).Payload.Reveal())
				}
				var told device.Fault
				select {
				case u := <-s.Unread():
					told = u.Fault
				default:
				}
				if got := strings.Join(codes, " "); got != c.codes || told != c.told {
					t.Errorf("codes %q, told %q; want %q, %q", got, told, c.codes, c.told)
				}
				if n := s.Health().Counters.Garbage; n != uint64(c.garbage) {
					t.Errorf("%d bytes count as garbage, want %d", n, c.garbage)
				}
			})
		})
	}
}

// newScanner makes a scanner whose deliver is called by hand.
func newScanner(t *testing.T, options map[string]string) *Scanner {
	t.Helper()
	d, err := New(registry.Config{Name: "kiosk-1.scanner", Options: options, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Scanner)
}

func (s *Scanner) deliverAll(codes ...string) {
	for _, text := range codes {
		s.deliver(code{text: text})
	}
}

func TestRereadsAreNotSecondScans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScanner(t, map[string]string{"repeat": "2s"})
		take := func(want ...string) {
			t.Helper()
			var got []string
			for len(s.scans) > 0 {
				got = append(got, (<-s.scans).Payload.Reveal())
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("delivered %q, want %q", got, want)
			}
		}
		s.deliverAll("A", "A")
		take("A")
		for range 5 { // a telephone left in front of the scanner
			time.Sleep(1500 * time.Millisecond)
			s.deliverAll("A")
		}
		take()
		time.Sleep(2 * time.Second)
		s.deliverAll("A")
		take("A")
		s.deliverAll("B", "A") // another code between
		take("B", "A")
	})
}

func TestCodesNobodyTakesAreDropped(t *testing.T) {
	s := newScanner(t, nil)
	s.deliverAll("A", "B", "C", "D", "E", "F")
	if n := s.Health().Counters.Jobs; n != backlog || len(s.scans) != backlog {
		t.Errorf("%d delivered, %d waiting, want %d", n, len(s.scans), backlog)
	}
	if got := (<-s.scans).Payload.Reveal(); got != "A" {
		t.Errorf("first is %q", got)
	}
}

func TestSSI(t *testing.T) {
	packet := func(status byte, text string) string {
		b := append([]byte{byte(5 + len(text)), byte(scan.OpDecodeData), 0, status, 3}, text...)
		var sum uint16
		for _, c := range b {
			sum -= uint16(c)
		}
		return string(append(b, byte(sum>>8), byte(sum)))
	}
	ack, err := scan.SSICommand(scan.OpACK)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, &played{}, map[string]string{"protocol": "ssi", "repeat": "0s"})
	r.far.send(packet(0, "A001"))
	if got := r.next(t).Payload.Reveal(); got != "A001" {
		t.Errorf("got %q", got)
	}
	drivertest.Until(t, "an ACK", func() bool { return r.far.heard(ack) })
	r.far.send(packet(1, "A001")) // the ACK was lost
	drivertest.Until(t, "another ACK", func() bool { return r.far.heard(append(ack, ack...)) })
	if n := len(r.Unread()); n != 0 {
		t.Errorf("%d told", n)
	}
	broken := packet(0, "B001")
	r.far.send(broken[:len(broken)-3])
	nak, err := scan.SSICommand(scan.OpNAK, 1)
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Until(t, "a NAK", func() bool { return r.far.heard(nak) })
	r.far.send(packet(1, "B001"))
	if got := r.next(t).Payload.Reveal(); got != "B001" {
		t.Errorf("got %q, want the second code only once", got)
	}
	r.untold(t) // it was asked for again, and came
	r.far.send(broken[:len(broken)-3])
	if got := r.told(t); got != device.ScanUnreadable {
		t.Errorf("told %s of a code that does not come again", got)
	}
}

func TestSelfTest(t *testing.T) {
	unified := []byte("\x02\x010000#SCNTRG1\x06;\x03")
	register := []byte{0x02, 0x00, 0x00, 0x01, 0x00, 0x33, 0x31}
	ssi := []byte{0x04, 0xD0, 0x00, 0x00, 0xFF, 0x2C}
	for name, c := range map[string]struct {
		engine string
		reply  []byte
		want   device.Code // empty: passes
	}{
		"honeywell":        {"honeywell", nil, ""},
		"newland":          {"newland", nil, ""},
		"unified":          {"newland_unified", unified, ""},
		"unified refuses":  {"newland_unified", bytes.Replace(unified, []byte{6}, []byte{0x15}, 1), device.CodeBadReply},
		"register":         {"newland_register", register, ""},
		"register refuses": {"newland_register", []byte{0x02, 0x00, 0x03, 0x01, 0x00, 0x6A, 0x61}, device.CodeBadReply},
		"register, noise":  {"newland_register", []byte("?"), device.CodeBadReply},
		"register, silent": {"newland_register", nil, device.CodeTimeout},
		"ssi":              {"ssi", ssi, ""},
		"ssi, noise":       {"ssi", bytes.Repeat([]byte{1}, maxAnswer), device.CodeBadReply},
		"ssi refuses":      {"ssi", []byte{0x05, 0xD1, 0x00, 0x00, 0x02, 0xFF, 0x28}, device.CodeBadReply},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := engines(c.engine)
			far := answering(func(from []byte) []byte {
				if bytes.Equal(from, e.on) {
					return c.reply
				}
				return nil
			})
			r := run(t, far, map[string]string{"trigger": c.engine})
			err := r.Scanner.(device.SelfTester).SelfTest(t.Context())
			if drivertest.Code(err) != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("got %v, want code %q", err, c.want)
			}
			drivertest.Until(t, "the trigger", func() bool { return far.heard(e.on) && (c.want != "" || far.heard(e.off)) })
			far.send("A001\r") // codes arrive again
			if got := r.next(t).Payload.Reveal(); got != "A001" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSelfTestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	far := answering(func([]byte) []byte { cancel(); return nil })
	r := run(t, far, map[string]string{"trigger": "ssi"})
	if err := r.Scanner.(device.SelfTester).SelfTest(ctx); drivertest.Code(err) != device.CodeTimeout {
		t.Errorf("got %v", err)
	}
}

func TestWithoutTriggerThereIsNoSelfTest(t *testing.T) {
	var d any = newScanner(t, nil)
	if _, ok := d.(device.SelfTester); ok {
		t.Error("a scanner that cannot be told to light up has a self-test")
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"protocol": "udp", "end": "dot", "prefix": "xyz", "suffix": strings.Repeat("00", 17),
		"aim": "yes", "charset": "big5", "gap": "1ms", "repeat": "1h", "trigger": "finger", "colour": "red"})
}
