package escpos

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/escpos"
)

// options are those of an 80 mm printer in a hurry.
func options(more ...string) map[string]string {
	o := map[string]string{"columns": "48", "dots": "576", "charset": "gb18030", "cutter": "partial", "poll": "50ms", "settle": "50ms"}
	for i := 0; i < len(more); i += 2 {
		o[more[i]] = more[i+1]
	}
	return o
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		tcp, pipe bool
		noBarrier bool
		options   map[string]string
	}{
		"serial, tells all":         {options: options("status", "barrier", "auto_status", "true", "buzzer", "esc_b")},
		"TCP, tells all":            {tcp: true, options: options("status", "barrier", "qr", "picture")},
		"serial, DLE EOT only":      {noBarrier: true, options: options("status", "query")},
		"serial, turns out to tell": {noBarrier: true, options: options("status", "probe")},
		"USB port without way back": {pipe: true, options: options("status", "none", "pictures", "stored")},
		"USB port, probed in vain":  {pipe: true, options: options("status", "probe", "barcode", "picture")},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Printer(t, func(*testing.T) drivertest.PrinterHarness {
				p := &printer{noBarrier: c.noBarrier}
				return drivertest.PrinterHarness{
					Harness: drivertest.Harness{New: New, Options: c.options, TCP: c.tcp, Pipe: c.pipe, Far: p.serve},
					Slips:   p.texts,
					Mute:    c.pipe,
				}
			})
		})
	}
}

// rig is a printer on a serial line with its driver.
type rig struct {
	*Printer
	line farend.Line
}

// run starts a driver; the line is plugged in.
func run(t *testing.T, p *printer, opts map[string]string) rig {
	t.Helper()
	line := drivertest.Cable(t, p.serve)
	d, err := New(registry.Config{
		Name: "kiosk-1.printer", Connect: registry.Connect{Serial: line.Path()}, Options: opts, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	return rig{Printer: d.(*Printer), line: line}
}

func slip(number string) device.PrintJob {
	return device.PrintJob{ID: "job-" + number, Cut: true, Lines: []device.Line{
		{Text: "政务服务大厅", Align: device.Center}, {Text: number, Size: 4}, {QR: "https://hall.example/t/" + number}}}
}

// leaves checks how much of a failed job is on paper.
func leaves(t *testing.T, err error, want device.Outcome) {
	t.Helper()
	var de *device.Error
	if !errors.As(err, &de) || de.Out != want {
		t.Errorf("got %+v, want %q on paper", de, want)
	}
}

func count(slips []string, text string) int { return strings.Count(strings.Join(slips, ""), text) }

func TestFaultsStopAJobBeforeItBegins(t *testing.T) {
	for name, c := range map[string]struct {
		status escpos.Status
		code   device.Code
		retry  bool
	}{
		"no paper":         {escpos.Status{Offline: true, PaperEnd: true, PaperStop: true}, device.CodePaperOut, false},
		"cover open":       {escpos.Status{Offline: true, CoverOpen: true, PaperEnd: true}, device.CodeCoverOpen, false},
		"cutter jammed":    {escpos.Status{Offline: true, Error: true, Cutter: true}, device.CodeCutter, false},
		"broken":           {escpos.Status{Offline: true, Error: true, Unrecoverable: true}, device.CodeOffline, false},
		"hot head":         {escpos.Status{Offline: true, Error: true, AutoRecover: true}, device.CodeBusy, true},
		"feed button held": {escpos.Status{Offline: true, FedByButton: true}, device.CodeBusy, true},
		"off line":         {escpos.Status{Offline: true}, device.CodeOffline, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &printer{}
			r := run(t, p, options("status", "barrier"))
			drivertest.Reaches(t, r, device.OK, "")
			if r.Health().Blind {
				t.Error("the printer counts as one that tells nothing")
			}
			p.set(c.status)
			err := r.Print(t.Context(), slip("A001"))
			drivertest.Fails(t, err, c.code, c.retry)
			leaves(t, err, device.OutNothing)
			if h := r.Health(); h.State != device.Degraded || h.Code != c.code {
				t.Errorf("health is %+v", h)
			}
			p.set(escpos.Status{})
			drivertest.Reaches(t, r, device.OK, "")
			if err := r.Print(t.Context(), slip("A002")); err != nil {
				t.Error(err)
			}
			if slips := p.texts(); count(slips, "A001") != 0 || len(slips) != 1 {
				t.Errorf("on paper: %q", slips)
			}
		})
	}
}

func TestOneStrayByteIsNoFault(t *testing.T) {
	p := &printer{}
	r := run(t, p, options("status", "barrier", "poll", "1m"))
	drivertest.Reaches(t, r, device.OK, "")
	offline := escpos.Status{Offline: true}
	p.mu.Lock()
	p.stray = []byte{offline.Reply(escpos.QueryPrinter)}
	p.mu.Unlock()
	if err := r.Print(t.Context(), slip("A001")); err != nil || len(p.texts()) != 1 {
		t.Errorf("%v, on paper %q", err, p.texts())
	}
}

func TestPaperLow(t *testing.T) {
	p := &printer{status: escpos.Status{NearEnd: true}}
	r := run(t, p, options("status", "barrier"))
	drivertest.Reaches(t, r, device.Degraded, device.CodePaperLow)
	if err := r.Print(t.Context(), slip("A001")); err != nil {
		t.Error(err)
	}
	drivertest.Reaches(t, r, device.Degraded, device.CodePaperLow)
	if got, err := r.Paper(t.Context()); err != nil || got != (device.Paper{NearEnd: true}) {
		t.Errorf("paper %+v, %v", got, err)
	}
	p.set(escpos.Status{NearEnd: true, PaperEnd: true, CoverOpen: true, Offline: true})
	if got, err := r.Paper(t.Context()); err != nil || got != (device.Paper{NearEnd: true, End: true, Cover: true}) {
		t.Errorf("paper %+v, %v", got, err)
	}
}

// A printer that gives its answer at the end of a slip and stops without it has not cut the slip. Whoever only watched a printer for a
// while does not know how far it was, and with a jammed cutter all the text is on paper.
func TestStoppedInTheMiddle(t *testing.T) {
	noPaper := escpos.Status{Offline: true, PaperEnd: true, PaperStop: true}
	for name, c := range map[string]struct {
		opts   map[string]string
		status escpos.Status
		code   device.Code
		out    device.Outcome
	}{
		"tells all":     {options("status", "barrier"), noPaper, device.CodePaperOut, device.OutPart},
		"tells unasked": {options("status", "barrier", "auto_status", "true"), noPaper, device.CodePaperOut, device.OutPart},
		"DLE EOT only":  {options("status", "query", "settle", "1s"), noPaper, device.CodePaperOut, device.OutUnknown},
		"cover opened":  {options("status", "barrier"), escpos.Status{Offline: true, CoverOpen: true}, device.CodeCoverOpen, device.OutPart},
		"cutter jammed": {options("status", "barrier"), escpos.Status{Offline: true, Error: true, Cutter: true}, device.CodeCutter, device.OutUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			p := &printer{noBarrier: name == "DLE EOT only"}
			p.onLine = func(text string) {
				if text == "A001" {
					p.set(c.status)
				}
			}
			r := run(t, p, c.opts)
			drivertest.Reaches(t, r, device.OK, "")
			err := r.Print(t.Context(), slip("A001"))
			drivertest.Fails(t, err, c.code, false)
			leaves(t, err, c.out)
			drivertest.Reaches(t, r, device.Degraded, c.code)
			if r.Health().Counters.Jobs != 0 {
				t.Error("the job counts as done")
			}
		})
	}
}

// A printer that is found out to answer DLE EOT may or may not know GS r: where it does, the slip's end is known at once.
func TestProbedPrinters(t *testing.T) {
	for _, knows := range []bool{true, false} {
		p := &printer{noBarrier: !knows}
		r := run(t, p, options("status", "probe", "settle", "300ms"))
		drivertest.Reaches(t, r, device.OK, "")
		drivertest.Until(t, "the driver to ask", func() bool { return p.questions() > 2 })
		for _, number := range []string{"A001", "A002"} {
			if err := r.Print(t.Context(), slip(number)); err != nil {
				t.Error(err)
			}
			if count(p.texts(), "/t/"+number) != 1 {
				t.Errorf("knows GS r %v: on paper: %q", knows, p.texts())
			}
		}
		if r.barriers != knows {
			t.Errorf("the driver thinks that knowing GS r is %v", r.barriers)
		}
	}
}

func TestHotHeadIsWaitedFor(t *testing.T) {
	for name, opts := range map[string]map[string]string{
		"tells all":    options("status", "barrier", "poll", "1m"),
		"DLE EOT only": options("status", "query", "poll", "1m"),
	} {
		t.Run(name, func(t *testing.T) {
			p := &printer{noBarrier: name == "DLE EOT only"}
			hot := make(chan struct{}, 1)
			p.onLine = func(text string) {
				if text == "A001" {
					p.set(escpos.Status{Offline: true, Error: true, AutoRecover: true})
					hot <- struct{}{}
				}
			}
			r := run(t, p, opts)
			drivertest.Reaches(t, r, device.OK, "")
			call := make(chan error, 1)
			go func() { call <- r.Print(t.Context(), slip("A001")) }()
			<-hot
			asked := p.questions()
			drivertest.Until(t, "the driver to ask", func() bool { return p.questions() > asked })
			p.set(escpos.Status{})
			if err := <-call; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnpluggedInTheMiddle(t *testing.T) {
	p := &printer{}
	reached := make(chan struct{}, 1)
	p.onLine = func(text string) {
		if text == "A001" {
			p.set(escpos.Status{Offline: true}) // nothing is printed or cut any more
			reached <- struct{}{}
		}
	}
	r := run(t, p, options("status", "barrier"))
	drivertest.Reaches(t, r, device.OK, "")
	call := make(chan error, 1)
	go func() { call <- r.Print(t.Context(), slip("A001")) }()
	<-reached
	if err := r.line.Unplug(); err != nil {
		t.Fatal(err)
	}
	err := <-call
	drivertest.Fails(t, err, device.CodeOffline, false)
	leaves(t, err, device.OutUnknown)
	leaves(t, r.Print(t.Context(), slip("A001")), device.OutNothing)
	drivertest.Reaches(t, r, device.Offline, device.CodeOffline)
	p.set(escpos.Status{})
	if err := r.line.Plug(); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, r, device.OK, "")
	if err := r.Print(t.Context(), slip("A002")); err != nil {
		t.Error(err)
	}
	if slips := p.texts(); len(slips) != 1 || count(slips, "A001") != 0 {
		t.Errorf("the driver printed by itself: %q", slips)
	}
}

// A job that breaks off inside a picture leaves the printer waiting for the picture's rest; the next slip must not be that rest.
func TestNextJobAfterATornOne(t *testing.T) {
	p := &printer{}
	stalled, goOn := make(chan struct{}), make(chan struct{})
	p.onLine = func(text string) {
		if text == "A001" {
			close(stalled)
			<-goOn
		}
	}
	r := run(t, p, options("status", "query", "qr", "picture"))
	drivertest.Reaches(t, r, device.OK, "")
	job := slip("A001")
	for range 8 { // far more than the line buffers
		job.Lines = append(job.Lines, device.Line{QR: strings.Repeat("https://hall.example/", 20), QRDot: 8})
	}
	ctx, cancel := context.WithCancel(t.Context())
	call := make(chan error, 1)
	go func() { call <- r.Print(ctx, job) }()
	<-stalled
	cancel()
	drivertest.Fails(t, <-call, device.CodeTimeout, false)
	close(goOn)
	drivertest.Reaches(t, r, device.OK, "")
	drivertest.Until(t, "a printer that answers again", func() bool { return r.Print(t.Context(), slip("A002")) == nil })
	slips := p.texts()
	if len(slips) == 0 {
		t.Fatal("nothing came out")
	}
	last := slips[len(slips)-1]
	if strings.Count(last, "政务服务大厅") != 1 || !strings.Contains(last, "A002") || p.garbage() != 0 {
		t.Errorf("the next slip is %q after %d bytes of noise", last, p.garbage())
	}
}

func TestPrintersThatTellNothing(t *testing.T) {
	for _, status := range []string{"none", "probe"} {
		t.Run(status, func(t *testing.T) {
			p := &printer{dumb: true}
			r := run(t, p, options("status", status))
			drivertest.Reaches(t, r, device.OK, "")
			if err := r.Print(t.Context(), slip("A001")); err != nil {
				t.Error(err)
			}
			drivertest.Until(t, "the slip", func() bool { return count(p.texts(), "/t/A001") == 1 })
			if !r.Health().Blind {
				t.Error("the printer counts as one that tells how it is")
			}
			_, err := r.Paper(t.Context())
			drivertest.Fails(t, err, device.CodeUnsupported, false)
			if asked := p.questions(); (asked > 0) != (status == "probe") {
				t.Errorf("asked %d times", asked)
			}
			if err := r.line.Unplug(); err != nil {
				t.Fatal(err)
			}
			drivertest.Reaches(t, r, device.Offline, device.CodeOffline)
		})
	}
}

func TestPromisedAnswersThatNeverCome(t *testing.T) {
	p := &printer{dumb: true}
	r := run(t, p, options("status", "query"))
	drivertest.Reaches(t, r, device.Offline, device.CodeTimeout)
	err := r.Print(t.Context(), slip("A001"))
	var de *device.Error
	if !errors.As(err, &de) || !de.Retry || de.Code != device.CodeTimeout && de.Code != device.CodeOffline {
		t.Errorf("got %v", err)
	}
	if len(p.texts()) != 0 {
		t.Error("a job was sent to a printer that does not answer")
	}
}

func TestWhatASlipCannotHold(t *testing.T) {
	p := &printer{}
	for name, lines := range map[string][]device.Line{
		"too many lines":     make([]device.Line, maxLines+1),
		"too long a QR code": {{QR: strings.Repeat("长", 1000)}},
		"an empty QR code":   {{QR: "\x1b\x00"}},
	} {
		for _, qr := range []string{"native", "picture"} {
			r := run(t, p, options("status", "barrier", "qr", qr))
			drivertest.Reaches(t, r, device.OK, "")
			drivertest.Fails(t, r.Print(t.Context(), device.PrintJob{ID: name, Lines: lines, Cut: true}), device.CodeUnsupported, false)
		}
	}
	if len(p.texts()) != 0 {
		t.Errorf("on paper: %q", p.texts())
	}
}

func TestThreat11TextIsOnlyEverText(t *testing.T) {
	p := &printer{}
	r := run(t, p, options("status", "barrier"))
	drivertest.Reaches(t, r, device.OK, "")
	hostile := "\x1bp\x00\x19\xfa\x10\x14\x01\x00\x01\x1dV\x00" + "张测试"
	job := device.PrintJob{ID: "hostile", Lines: []device.Line{{Text: hostile}, {QR: hostile}}, Cut: true}
	if err := r.Print(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if slips := p.texts(); p.drawer || len(slips) != 1 || count(slips, "pV张测试") != 2 {
		t.Errorf("drawer %v, on paper: %q", p.drawer, slips)
	}
}

func TestSelfTestShowsEverything(t *testing.T) {
	p := &printer{}
	r := run(t, p, options("status", "barrier", "buzzer", "esc_b"))
	drivertest.Reaches(t, r, device.OK, "")
	if err := r.SelfTest(t.Context()); err != nil {
		t.Fatal(err)
	}
	slips := p.texts()
	for _, want := range []string{"打印测试", "kiosk-1.printer", "48 columns, 576 dots, gb18030", "[QR kiosk-1.printer]", "[barcode 12345678]", "✂"} {
		if count(slips, want) == 0 {
			t.Errorf("%q is missing in %q", want, slips)
		}
	}
}

// A jammed cutter stops the printer until it is told to go on, and only whoever stands there knows that the jam is gone: the test slip,
// which somebody asks for, tells it, the driver by itself never does.
func TestSelfTestRecoversAfterAJam(t *testing.T) {
	jammed := escpos.Status{Offline: true, Error: true, Cutter: true}
	p := &printer{status: jammed, cleared: true}
	r := run(t, p, options("status", "barrier"))
	drivertest.Reaches(t, r, device.Degraded, device.CodeCutter)
	drivertest.Fails(t, r.Print(t.Context(), slip("A001")), device.CodeCutter, false)
	if p.recoveries() != 0 {
		t.Error("the driver told a jammed printer to go on")
	}
	if err := r.SelfTest(t.Context()); err != nil {
		t.Fatal(err)
	}
	drivertest.Reaches(t, r, device.OK, "")
	if slips := p.texts(); len(slips) != 1 || count(slips, "打印测试") != 1 || p.recoveries() != 1 {
		t.Errorf("told %d times, on paper: %q", p.recoveries(), slips)
	}
}

func TestOptions(t *testing.T) {
	drivertest.Refuses(t, New, map[string]string{"columns": "8", "dots": "wide", "charset": "big5", "cutter": "laser", "status": "maybe",
		"poll": "1ms", "settle": "1h", "qr": "yes", "buzzer": "loud", "tear_feed": "99", "auto_status": "1", "colour": "red",
		"barcode": "yes", "pictures": "all", "code_page": "256", "chinese_size": "xl", "font": "/nowhere/font.ttf"})
}
