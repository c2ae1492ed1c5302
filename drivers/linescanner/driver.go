// Package linescanner drives bar- and QR-code scanners that send each code as a line: on a serial line (real RS-232, USB virtual COM
// ports, serial servers), or typed as a USB keyboard would.
package linescanner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
	"halledge/firmware-protocols/scan"
)

// backlog is how many codes wait for their reader. An older code is of no use to anybody: its citizen has gone on.
const backlog = 4

// Scanner is one scanner. It implements device.Scanner.
type Scanner struct {
	cfg     registry.Config
	session *session.Session
	options options
	scans   chan device.Scan
	unread  *session.Unread
	hears   atomic.Pointer[chan []byte] // set while a self-test waits for the engine's answer

	refused string // setting, and why; of Run's goroutine, as what follows

	last   device.Secret // the last code, to know a re-read
	lastAt time.Time
}

// options are what the configuration says.
type options struct {
	typed   evdev.Alt // it plays a keyboard and types so what has no key; empty: it does not
	ssi     bool      // packets of Zebra's SSI instead of lines
	framing scan.Options
	charset scan.Charset
	gap     time.Duration // silence that ends a code
	repeat  time.Duration // the same code within this is a re-read
	engine  engine

	settings []setting
}

// New makes a scanner; see sample.yaml for its options. Where the engine has a trigger, it implements device.SelfTester too.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	opts := readOptions(o, scan.EndAuto)
	opts.ssi = o.OneOf("protocol", "line", "line", "ssi") == "ssi"
	dialect := o.OneOf("trigger", "none", "none", "honeywell", "newland", "newland_unified", "newland_register", "ssi", "bytes")
	opts.engine, opts.settings = engines(dialect), settings(o, dialect)
	if on, off := o.Hex("trigger_on", maxTrigger), o.Hex("trigger_off", maxTrigger); dialect == "bytes" {
		if opts.engine = (engine{on: on, off: off}); len(on) == 0 {
			o.Reject("trigger_on", "the trigger bytes needs the bytes that light the scanner up")
		}
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	s := scannerOf(cfg, opts)
	if len(opts.engine.on) == 0 {
		return s, nil
	}
	return &triggered{s}, nil
}

// NewKeyboard makes a scanner that types its codes as a USB keyboard; see keyboard.yaml for its options.
func NewKeyboard(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	opts := readOptions(o, scan.EndCR)
	opts.typed = evdev.Alt(o.OneOf("alt", string(evdev.AltGBK), string(evdev.AltGBK), string(evdev.AltUnicode), string(evdev.AltBytes)))
	if err := o.Err(); err != nil {
		return nil, err
	}
	return scannerOf(cfg, opts), nil
}

func scannerOf(cfg registry.Config, opts options) *Scanner {
	line := session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log})
	return &Scanner{
		cfg:     cfg,
		session: line,
		options: opts,
		scans:   make(chan device.Scan, backlog),
		unread:  line.NewUnread(device.CodeNoise),
	}
}

// readOptions reads what all scanners have.
func readOptions(o *registry.Options, end scan.End) options {
	return options{
		framing: scan.Options{
			End: scan.End(o.OneOf("end", string(end), string(scan.EndAuto), string(scan.EndCR), string(scan.EndLF),
				string(scan.EndCRLF), string(scan.EndETX), string(scan.EndGap))),
			Prefix: string(o.Hex("prefix", 16)),
			Suffix: string(o.Hex("suffix", 16)),
			AIM:    o.Bool("aim", false),
		},
		charset: scan.Charset(o.OneOf("charset", string(scan.CharsetAuto), string(scan.CharsetAuto), string(scan.CharsetUTF8),
			string(scan.CharsetGB18030))),
		gap:    o.Duration("gap", 50*time.Millisecond, 10*time.Millisecond, time.Second),
		repeat: o.Duration("repeat", 2*time.Second, 0, 10*time.Second),
	}
}

// Run implements device.Device.
func (s *Scanner) Run(ctx context.Context) error {
	defer close(s.scans)
	defer s.unread.Close()
	return s.session.Run(ctx, s.cfg.Open, s.serve)
}

// Health implements device.Device.
func (s *Scanner) Health() device.Health { return s.session.Health() }

// Scans implements device.Scanner.
func (s *Scanner) Scans() <-chan device.Scan { return s.scans }

// Unread implements device.Scanner.
func (s *Scanner) Unread() <-chan device.Unread { return s.unread.C() }

// decoder turns bytes into codes. answer goes back to the scanner; the one of flush asks for the code once more.
type decoder interface {
	feed(p []byte) (codes []scan.Code, answer []byte)
	flush() (codes []scan.Code, answer []byte)
	pending() bool
	garbage() int
	tooLong() int
}

// serve reads the scanner until the connection is lost.
func (s *Scanner) serve(_ context.Context, conn transport.Conn) error {
	if err := s.grab(conn); err != nil {
		return err
	}
	if err := s.setUp(conn); err != nil {
		return err
	}
	s.well() // a scanner says nothing before somebody scans
	d := s.newDecoder()
	buf := make([]byte, 1024)
	var b burst
	defer func() { s.end(d, &b) }()
	for {
		if err := conn.SetReadDeadline(s.until(d, &b)); err != nil {
			return err
		}
		n, err := conn.Read(buf)
		var codes []scan.Code
		var answer []byte
		again := false
		noise, tooLong := d.garbage(), d.tooLong()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			codes, answer = d.flush()
			again = len(answer) > 0
		case err != nil:
			return err
		case s.overheard(buf[:n]):
		default:
			codes, answer = d.feed(buf[:n])
		}
		if len(answer) > 0 {
			if err := send(conn, answer); err != nil {
				return err
			}
		}
		b.add(codes, s.options.charset, d.garbage()-noise, d.tooLong()-tooLong)
		if !d.pending() && !again || b.lasts() {
			s.settle(&b)
			b = burst{}
		}
	}
}

// until is when the silence that ends a code will have lasted long enough, or the wait for one that was asked for once more.
func (s *Scanner) until(d decoder, b *burst) time.Time {
	switch {
	case d.pending():
		return time.Now().Add(s.options.gap)
	case !b.began.IsZero():
		return b.began.Add(longBurst)
	}
	return time.Time{}
}

// end passes on what came before the connection was lost. A code that had begun is cut, whatever usually ends one.
func (s *Scanner) end(d decoder, b *burst) {
	noise, tooLong := d.garbage(), d.tooLong()
	cut, _ := d.flush()
	noise = d.garbage() - noise
	for _, c := range cut {
		noise += len(c.Data)
	}
	b.add(nil, s.options.charset, noise, d.tooLong()-tooLong)
	s.settle(b)
}

// settle passes on what a burst was. On a line that goes on making noise, codes out of the midst of it are noise too.
func (s *Scanner) settle(b *burst) {
	s.session.Garbage(b.bad)
	if b.noisy() && s.unread.Failing() {
		b.codes = nil
	}
	for _, c := range b.codes {
		s.deliver(c)
	}
	switch {
	case b.noisy() && len(b.codes) == 0:
		s.unread.Failed(b.fault, fmt.Sprintf("%d bytes", b.bad))
	case b.noisy():
		s.unread.Noise()
	case len(b.codes) > 0:
		s.well()
	}
}

// deliver passes a code on, unless it is a re-read of the code before.
func (s *Scanner) deliver(c code) {
	now := time.Now()
	again := !s.lastAt.IsZero() && c.text == s.last.Reveal() && now.Sub(s.lastAt) < s.options.repeat
	s.last, s.lastAt = device.NewSecret(c.text), now
	if again {
		return
	}
	select {
	case s.scans <- device.Scan{Payload: s.last, Symbology: c.aim, At: now}:
		s.session.Job()
	default:
		s.cfg.Log.Warn("scan_not_taken", "waiting", len(s.scans))
	}
}

// sendTime is how long a scanner may take for a command of a few bytes.
const sendTime = time.Second

func send(conn transport.Conn, b []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return err
	}
	_, err := conn.Write(b)
	return err
}
