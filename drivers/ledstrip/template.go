package ledstrip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/ledtemplate"
)

const (
	tries    = 3                     // a frame is sent this often before the strip counts as silent
	hearFor  = 5 * time.Millisecond  // of a strip that never answers, to notice that its line is gone
	quietFor = 50 * time.Millisecond // silence that ends what a missed answer left behind
	maxNoise = 4096                  // bytes thrown away at once
	maxReply = 32
)

// templated is a strip whose frames follow a template. It implements card.
type templated struct {
	session  *session.Session
	template *ledtemplate.Template
	address  int
	firstRow int
	face     *face
	gap      time.Duration // silence after a frame
	reply    []byte        // what an answer begins with; empty: it never answers
	within   time.Duration

	owed bool // an answer is still to come; of the open connection
}

// Station gives the strip, or the rows of it, that a device with some options is. Strips of other templates do not hear what is for it.
func Station(options map[string]string) (registry.Station, bool) {
	o := registry.NewOptions(registry.Config{Options: options})
	s := registry.Station{Among: "strip " + options["template"]}
	t, err := readTemplate(o)
	if err != nil {
		return s, false
	}
	if t.Has("address") {
		s.Option, s.Number = "address", readAddress(o)
	}
	if t.Has("row") {
		first := readFirstRow(o)
		s.Part, s.First, s.Last = "first_row", first, first+readFace(o).rows.Count-1
	}
	return s, true
}

func readTemplate(o *registry.Options) (*ledtemplate.Template, error) {
	text := o.String("template", "")
	set := ledtemplate.Set(o.OneOf("charset", string(ledtemplate.GB2312), string(ledtemplate.GB2312), string(ledtemplate.GBK), string(ledtemplate.UTF8)))
	return ledtemplate.Parse(text, set)
}

func readAddress(o *registry.Options) int { return o.Int("address", 1, 0, 9999) }

func readFirstRow(o *registry.Options) int { return o.Int("first_row", 1, 0, 99) }

func newTemplated(o *registry.Options, cfg registry.Config, s *session.Session, f *face) card {
	t := &templated{
		session:  s,
		face:     f,
		address:  readAddress(o),
		firstRow: readFirstRow(o),
		gap:      o.Duration("gap", 20*time.Millisecond, 0, time.Second),
		reply:    o.Hex("reply", maxReply),
		within:   o.Duration("reply_within", 300*time.Millisecond, 20*time.Millisecond, 5*time.Second),
	}
	var err error
	if t.template, err = readTemplate(o); err != nil {
		o.Reject("template", err.Error())
		return t
	}
	if t.template.Has("row") != (f.rows.Count > 1) {
		o.Reject("rows", "a template with {row} is for more rows than one, one without for a single row")
	}
	if t.template.Has("colour") != (f.values != nil) {
		o.Reject("colour_values", "goes with {colour} in the template")
	}
	if t.template.Has("flash") != (f.flashes != nil) {
		o.Reject("flash_values", "goes with {flash} in the template")
	}
	if err := t.fits(f.blank()); err != nil {
		o.Reject("template", err.Error())
	}
	return t
}

func (t *templated) mute() bool { return len(t.reply) == 0 }

func (t *templated) fits(lines []line) error {
	for i, l := range lines {
		if _, err := t.frame(i, l); err != nil {
			return err
		}
	}
	return nil
}

func (t *templated) frame(row int, l line) ([]byte, error) {
	m := ledtemplate.Message{Address: t.address, Row: t.firstRow + row, Text: l.text}
	if m.Text == "" {
		m.Text = " " // some take an empty text for a broken frame
	}
	if t.face.values != nil {
		m.Colour = octets(t.face.values[l.colour])
	}
	if t.face.flashes != nil {
		m.Flash = octets(t.face.flashes[onOff(l.flash)])
	}
	return t.template.Append(nil, m)
}

// octets writes a number in one byte, or in two when it has them.
func octets(n int64) string {
	if n > 0xFF {
		return string([]byte{byte(n >> 8), byte(n)})
	}
	return string([]byte{byte(n)})
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 0, 16)
	return int64(n), err
}

// Begin implements panel.Card.
func (t *templated) Begin() { t.owed = false }

// Blank implements panel.Card.
func (t *templated) Blank(ctx context.Context, conn transport.Conn) error {
	return t.Draw(ctx, conn, t.face.blank())
}

// Draw implements panel.Card.
func (t *templated) Draw(ctx context.Context, conn transport.Conn, lines []line) error {
	for i, l := range lines {
		frame, err := t.frame(i, l)
		if err != nil {
			return err
		}
		if err := t.send(ctx, conn, frame); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return nil
}

// Look implements panel.Card. There is no question that every strip answers: one that does is known by its answers to frames.
func (t *templated) Look(_ context.Context, conn transport.Conn) error {
	n, err := transport.Discard(conn, maxNoise, hearFor)
	t.session.Garbage(n)
	return err
}

// send puts a frame on the line until it is answered, if it ever is.
func (t *templated) send(ctx context.Context, conn transport.Conn, frame []byte) error {
	for try := 1; ; try++ {
		err := t.once(ctx, conn, frame)
		if err == nil {
			return transport.Pause(ctx, t.gap)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil || try == tries {
			return err
		}
	}
}

func (t *templated) once(ctx context.Context, conn transport.Conn, frame []byte) error {
	if t.owed { // a late answer must not be taken for this frame's
		n, err := transport.Discard(conn, maxNoise, quietFor)
		t.session.Garbage(n)
		if err != nil {
			return err
		}
	}
	if err := conn.SetDeadline(time.Now().Add(lineTime + t.within)); err != nil {
		return err
	}
	if _, err := conn.Write(frame); err != nil {
		return err
	}
	if err := conn.Drain(ctx); err != nil {
		return err
	}
	if t.mute() {
		return nil
	}
	return t.hear(conn)
}

// lineTime is more than any frame needs on the line.
const lineTime = 5 * time.Second

// hear waits for the answer.
func (t *templated) hear(conn transport.Conn) error {
	t.owed = true
	if err := conn.SetDeadline(time.Now().Add(t.within)); err != nil {
		return err
	}
	var heard []byte
	buf := make([]byte, 64)
	for {
		n, err := conn.Read(buf)
		heard = append(heard, buf[:n]...)
		if at := bytes.Index(heard, t.reply); at >= 0 {
			t.session.Garbage(at)
			t.owed = false
			return nil
		}
		if over := len(heard) - maxNoise; over > 0 {
			return &device.Error{Op: "read the answer", Code: device.CodeBadReply, Retry: true, Err: session.ErrNonsense}
		}
		if err != nil {
			t.session.Garbage(len(heard))
			return session.Unanswered(err, len(heard) > 0)
		}
	}
}
