//go:build vm

package vm

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/escpos"
	"halledge/test/fakes/hardware"
)

// Of linux/usb/g_printer.h.
const (
	setPrinterStatus = 0xc0016722 // GADGET_SET_PRINTER_STATUS: the byte that the host's LPGETSTATUS asks for
	printerWell      = 0x18       // selected, no error
	printerNoPaper   = 0x30       // selected, an error, no paper
)

// printer is one of the USB printer class. What comes over its cable goes to a played printer.
type printer struct {
	*gadget
	serve func(io.ReadWriter)

	mu   sync.Mutex
	end  *os.File // its own end, nil while it is pulled out
	done chan struct{}
}

func newPrinter(t *testing.T, serve func(io.ReadWriter)) *printer {
	t.Helper()
	p := &printer{serve: serve}
	p.gadget = newGadget(t, 0, identity{vendor: "0416", product: "5011", serial: "P58", title: "POS58"}, "printer",
		map[string]string{"pnp_string": "MFG:Maker;MDL:POS58;CLS:PRINTER;CMD:ESC/POS;", "q_len": "1"})
	t.Cleanup(p.pull)
	return p
}

// insert plugs the printer in and plays it until pull.
func (p *printer) insert() {
	p.t.Helper()
	p.plug()
	p.configured()
	var f *os.File
	drivertest.Until(p.t, "the printer's own end", func() bool {
		var err error
		f, err = os.OpenFile("/dev/g_printer0", os.O_RDWR|unix.O_NONBLOCK, 0)
		return err == nil
	})
	p.mu.Lock()
	p.end, p.done = f, make(chan struct{})
	p.mu.Unlock()
	p.says(printerWell)
	go func() {
		defer close(p.done)
		p.serve(f)
	}()
}

// pull takes the printer off its cable.
func (p *printer) pull() {
	p.mu.Lock()
	f := p.end
	p.end = nil
	p.mu.Unlock()
	if f == nil {
		return
	}
	p.unplug()
	_ = f.Close() // ends what serve waits for
	<-p.done
}

// says sets the status byte that the printer class has.
func (p *printer) says(status byte) {
	p.t.Helper()
	raw, err := p.end.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) { err = ioctl(fd, setPrinterStatus, uintptr(status)) }); e != nil || err != nil {
		p.t.Fatal(e, err)
	}
}

func slip(id string, lines int) device.PrintJob {
	job := device.PrintJob{ID: id, Cut: true, Lines: []device.Line{{Text: "政务服务大厅", Align: device.Center}, {Text: id, Size: 3}}}
	for range lines {
		job.Lines = append(job.Lines, device.Line{Text: strings.Repeat("请在休息区等候", 24)})
	}
	job.Lines = append(job.Lines, device.Line{QR: "https://a.example/t/" + id})
	return job
}

func TestASlipIsPrintedOverUSB(t *testing.T) {
	slips := make(chan hardware.Slip, 4)
	far := hardware.NewPrinter(func(s hardware.Slip) { slips <- s })
	far.Layout.Charset = escpos.GBK
	p := newPrinter(t, far.Serve)
	for name, path := range map[string]string{"by its name": "/dev/hall/printer-P58", "by its numbers": "usb:0416:5011"} {
		t.Run(name, func(t *testing.T) {
			d := start(t, device.ClassPrinter, "escpos-80", registry.Connect{File: path}, nil).(device.Printer)
			drivertest.Reaches(t, d, device.Offline, device.CodeOffline)
			p.insert()
			n := p.found(attached.Printer)
			leads(t, "/dev/hall/printer-P58", n.Path)
			belongs(t, n.Path, "lp")
			drivertest.Reaches(t, d, device.OK, "")
			if err := d.Print(t.Context(), slip("A001", 2)); err != nil {
				t.Fatal(err)
			}
			if text := drivertest.Next(t, d, slips).Text(); !strings.Contains(text, "政务服务大厅") || !strings.Contains(text, "A001") {
				t.Errorf("printed\n%s", text)
			}
			far.Set(func(s *escpos.Status) { s.CoverOpen, s.Offline = true, true })
			drivertest.Reaches(t, d, device.Degraded, device.CodeCoverOpen)
			far.Set(func(s *escpos.Status) { s.CoverOpen, s.Offline = false, false })
			drivertest.Reaches(t, d, device.OK, "")

			p.pull()
			before := away(t, d, name == "by its name")
			p.insert()
			drivertest.Reaches(t, d, device.OK, "")
			back(t, before)
			if err := d.Print(t.Context(), slip("A002", 2)); err != nil {
				t.Fatal(err)
			}
			if s := drivertest.Next(t, d, slips); s.Number != "A002" {
				t.Errorf("printed\n%s", s.Text())
			}
			p.pull()
		})
	}
}

// A printer that answers no command still has the status byte of its USB class.
func TestAMutePrinterIsAskedByItsPort(t *testing.T) {
	p := newPrinter(t, func(rw io.ReadWriter) { _, _ = io.Copy(io.Discard, rw) })
	p.insert()
	n := p.found(attached.Printer)
	d := start(t, device.ClassPrinter, "escpos-80", registry.Connect{File: n.Path}, nil).(device.Printer)
	drivertest.Reaches(t, d, device.OK, "")
	p.says(printerNoPaper)
	drivertest.Reaches(t, d, device.Degraded, device.CodePaperOut)
	var de *device.Error
	if err := d.Print(t.Context(), slip("A003", 1)); !errors.As(err, &de) || de.Code != device.CodePaperOut || de.Out != device.OutNothing {
		t.Errorf("printing without paper: %v", err)
	}
	p.says(printerWell)
	drivertest.Reaches(t, d, device.OK, "")
	if err := d.Print(t.Context(), slip("A003", 1)); err != nil {
		t.Error(err)
	}
	if h := d.Health(); h.Blind {
		t.Errorf("a printer whose port answers counts as blind: %+v", h)
	}
}

// A printer stops taking bytes and is then pulled out: nobody can say how much of the slip is on paper.
func TestAPrinterIsPulledInTheMiddleOfASlip(t *testing.T) {
	const some = 2000
	stopped := make(chan struct{})
	var once sync.Once
	p := newPrinter(t, func(rw io.ReadWriter) {
		if _, err := io.CopyN(io.Discard, rw, some); err == nil {
			once.Do(func() { close(stopped) })
		}
	})
	p.insert()
	n := p.found(attached.Printer)
	d := start(t, device.ClassPrinter, "escpos-80", registry.Connect{File: n.Path}, map[string]string{"status": "none"}).(device.Printer)
	drivertest.Reaches(t, d, device.OK, "")
	printed := make(chan error, 1)
	go func() { printed <- d.Print(t.Context(), slip("A004", 100)) }()
	drivertest.Next(t, d, stopped)
	p.pull()
	var de *device.Error
	if err := drivertest.Next(t, d, printed); !errors.As(err, &de) || de.Code != device.CodeOffline || de.Retry || de.Out != device.OutUnknown {
		t.Errorf("printing on a printer that was pulled out: %v", err)
	}
	drivertest.Reaches(t, d, device.Offline, device.CodeOffline)
}
