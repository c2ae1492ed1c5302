// Package escpos drives thermal slip printers that speak ESC/POS, over a serial line, TCP port 9100 or /dev/usb/lp*. It asks the
// printer before it sends a slip and afterwards whether the slip came out.
package escpos

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/escpos"
)

// What a model says about its way back.
const (
	statusBarrier = "barrier" // answers DLE EOT at once and GS r in print order
	statusQuery   = "query"   // answers DLE EOT only
	statusProbe   = "probe"   // perhaps answers, first DLE EOT and then GS r; known once it did
	statusNone    = "none"    // never answers
)

// Who draws what.
const (
	byPrinter = "native"  // its own commands
	byUs      = "picture" // we send the dots
	byStore   = "stored"  // pictures only: the printer has the hall's logo as its first stored picture
	byNobody  = "none"
)

// model is what the options say about the printer.
type model struct {
	layout   escpos.Layout
	codePage int // sent at the head of each slip; -1: not
	qr       string
	barcode  string
	pictures string
	font     string // file of the font that draws what the printer has no glyphs for; empty: it prints □
	cutter   string
	tear     int // lines fed where the cutter does not feed by itself
	buzzer   string
	status   string
	auto     bool          // has automatic status back
	settle   time.Duration // time a slip takes, for printers that cannot tell its end
	poll     time.Duration // between two looks at an idle printer
}

// Printer is one printer. It implements device.Printer, device.PaperSensor and device.SelfTester.
type Printer struct {
	cfg     registry.Config
	model   model
	session *session.Session
	blind   atomic.Bool // it told nothing when it was asked last
	setter  setter

	// Guarded by the session's turns: only used inside Do, and while there is no connection.
	replies  escpos.ReplyReader // of this connection
	gone     bool               // the printer was away: what comes next may be another one
	answered bool               // it has answered DLE EOT once
	barriers bool               // it has answered GS r once
	owed     int                // GS r that it has not answered yet
	silent   int                // polls without an answer
	torn     int                // bytes of a job that broke off; the printer may wait for the rest of a command
}

// New makes a printer; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	m, err := readModel(cfg)
	if err != nil {
		return nil, err
	}
	p := &Printer{
		cfg:     cfg,
		model:   m,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		setter:  setter{model: m},
	}
	if m.font != "" {
		if p.setter.font, err = loadFont(m.font); err != nil {
			return nil, &device.Error{Op: "configure " + cfg.Name, Code: device.CodeBadConfig, Err: err}
		}
	}
	return p, nil
}

func readModel(cfg registry.Config) (model, error) {
	o := registry.NewOptions(cfg)
	m := model{
		layout: escpos.Layout{
			Columns: o.Int("columns", 32, 16, 96),
			Dots:    o.Int("dots", 384, 200, 1024),
			Charset: escpos.Charset(o.OneOf("charset", string(escpos.GBK),
				string(escpos.GBK), string(escpos.GB18030), string(escpos.UTF8), string(escpos.ASCII))),
			Doubled:  o.OneOf("chinese_size", "gs", "gs", "fs") == "fs",
			LineUnit: o.Int("line_unit", 1, 1, 2),
		},
		codePage: o.Int("code_page", -1, -1, 255),
		qr:       o.OneOf("qr", byPrinter, byPrinter, byUs),
		barcode:  o.OneOf("barcode", byPrinter, byPrinter, byUs),
		pictures: o.OneOf("pictures", byUs, byUs, byStore, byNobody),
		font:     o.String("font", ""),
		cutter:   o.OneOf("cutter", cutNone, cutNone, cutPartial, cutFull, cutPartialHere, cutFullHere),
		tear:     o.Int("tear_feed", 4, 0, 20),
		buzzer:   o.OneOf("buzzer", buzzNone, buzzNone, buzzB, buzzBEL, buzzPort),
		status:   o.OneOf("status", statusProbe, statusBarrier, statusQuery, statusProbe, statusNone),
		auto:     o.Bool("auto_status", false),
		settle:   o.Duration("settle", 1500*time.Millisecond, 10*time.Millisecond, 10*time.Second),
		poll:     o.Duration("poll", 2*time.Second, 50*time.Millisecond, time.Minute),
	}
	return m, o.Err()
}

// Run implements device.Device.
func (p *Printer) Run(ctx context.Context) error { return p.session.Run(ctx, p.open, p.serve) }

// open makes the connection, and forgets what was learnt of the printer before if that was away. A connection that is only made anew
// because nobody answers forgets nothing: a printer that was switched off must not be taken for one that tells nothing. What may still
// be held by a printer whose cable was pulled, an unfinished command and slips with their answers, is not forgotten either.
func (p *Printer) open(ctx context.Context) (transport.Conn, error) {
	conn, err := p.cfg.Open(ctx)
	if err != nil {
		var de *device.Error
		p.gone = p.gone || errors.As(err, &de) && de.Code == device.CodeOffline
		return nil, err
	}
	p.replies, p.silent = escpos.ReplyReader{}, 0
	if p.gone {
		p.gone, p.answered = false, false
		if !p.certain() {
			p.owed = 0
		}
		p.barriers = p.barriers && p.owed > 0
	}
	return conn, nil
}

// certain says whether the printer's word is due at the end of a slip.
func (p *Printer) certain() bool { return p.model.status == statusBarrier || p.barriers }

// Health implements device.Device.
func (p *Printer) Health() device.Health {
	h := p.session.Health()
	h.Blind = p.blind.Load()
	return h
}

// serve looks at the printer again and again. All talk to it happens inside Do, so a look never falls into a job.
func (p *Printer) serve(ctx context.Context, _ transport.Conn) error {
	if p.model.auto {
		if err := p.do(ctx, "set up", (*exchange).setUp); err != nil {
			return err
		}
	}
	return p.session.Every(ctx, p.model.poll, "status", p.exchanged((*exchange).look))
}

// Print implements device.Printer. An error after the first byte was sent has Retry false, whatever its code: part of the slip
// may be on paper, and a second one must be somebody's decision.
func (p *Printer) Print(ctx context.Context, job device.PrintJob) error {
	op := p.cfg.Name + " print " + job.ID
	data, err := p.setter.set(job)
	if err != nil {
		return &device.Error{Op: op, Code: device.CodeUnsupported, Out: device.OutNothing, Err: err}
	}
	out := device.OutNothing
	err = p.do(ctx, "print "+job.ID, func(x *exchange) error { return x.print(data, &out) })
	if err == nil {
		p.session.Job()
		return nil
	}
	failed := device.Error{Op: op, Code: device.CodeOffline, Out: out, Err: err}
	var de *device.Error
	if errors.As(err, &de) {
		failed.Code, failed.Retry = de.Code, de.Retry && out == device.OutNothing
	}
	return &failed
}

// Paper implements device.PaperSensor. It fails with CodeUnsupported where nothing can be asked.
func (p *Printer) Paper(ctx context.Context) (device.Paper, error) {
	var paper device.Paper
	err := p.do(ctx, "paper", func(x *exchange) error {
		if err := x.forget(); err != nil {
			return err
		}
		known, err := x.ask()
		if err == nil && !known {
			err = &device.Error{Op: "ask the paper sensors", Code: device.CodeUnsupported}
		}
		s := x.status
		paper = device.Paper{End: s.PaperEnd || s.PaperStop, NearEnd: s.NearEnd, Cover: s.CoverOpen}
		return err
	})
	return paper, err
}

// SelfTest implements device.SelfTester: it prints a slip that shows alignment, sizes, Chinese with a rare character, codes and the
// cut. Whoever asks for it stands at the printer: a jam that stopped it is cleared, so it is told to go on first.
func (p *Printer) SelfTest(ctx context.Context) error {
	if err := p.do(ctx, "recover", (*exchange).recover); err != nil {
		return err
	}
	l := p.model.layout
	return p.Print(ctx, device.PrintJob{ID: "self-test", Cut: true, Beep: true, Lines: []device.Line{
		{Text: "打印测试", Align: device.Center, Size: 2, Bold: true},
		{Text: p.cfg.Name, Align: device.Center},
		{Rule: true},
		{Text: "左 left"},
		{Text: "中 center", Align: device.Center},
		{Text: "右 right", Align: device.Right},
		{Text: fmt.Sprintf("%d columns, %d dots, %s", l.Columns, l.Dots, l.Charset)},
		{Text: "生僻字 㙍 𠮷"},
		{Feed: 1},
		{Code128: "12345678", Align: device.Center},
		{Feed: 1},
		{QR: p.cfg.Name, Align: device.Center},
	}})
}

// do runs fn in an exchange with the printer.
func (p *Printer) do(ctx context.Context, op string, fn func(*exchange) error) error {
	return p.session.Do(ctx, op, p.exchanged(fn))
}

func (p *Printer) exchanged(fn func(*exchange) error) session.Serve {
	return func(ctx context.Context, conn transport.Conn) error {
		x := &exchange{p: p, ctx: ctx, conn: conn}
		noise := p.replies.Garbage()
		err := fn(x)
		p.session.Garbage(int(p.replies.Garbage() - noise))
		if errors.Is(err, transport.ErrGone) && p.cfg.Connect.TCP == "" { // a network printer may hang up whenever it likes
			p.gone = true
		}
		return err
	}
}
