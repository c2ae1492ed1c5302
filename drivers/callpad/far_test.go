package callpad

import (
	"io"
	"log/slog"
	"maps"
	"sync"
	"testing"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/modbus"
)

// line is an RS-485 pair with pads on it, seen from its far end.
type line struct {
	mu    sync.Mutex
	pads  map[byte]*modbus.Pad
	off   map[byte]bool               // pads without power
	says  map[byte][]modbus.Exception // given before the true answer
	odd   uint16                      // map version the pads claim instead of theirs
	login uint16                      // number entered at every pad
	noise []byte                      // sent before each answer
	deaf  func(modbus.Request) bool   // reports whether a question is not heard; nil: all are
}

// newLine makes a line with a pad for each unit.
func newLine(units ...byte) *line {
	l := &line{pads: map[byte]*modbus.Pad{}, off: map[byte]bool{}, says: map[byte][]modbus.Exception{}}
	for _, u := range units {
		l.pads[u] = modbus.NewPad(u)
	}
	return l
}

func (l *line) with(change func(l *line)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *line) press(unit byte, keys ...modbus.PadKey) {
	l.with(func(l *line) {
		for _, k := range keys {
			l.pads[unit].Press(k)
		}
	})
}

func (l *line) display(unit byte) modbus.PadDisplay {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pads[unit].Display()
}

func (l *line) acknowledged(unit byte) uint16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pads[unit].Acknowledged()
}

func (l *line) serve(rw io.ReadWriter) {
	units := map[byte]*modbus.RequestDecoder{}
	l.with(func(l *line) {
		for u := range l.pads {
			units[u] = modbus.NewRequestDecoder(u)
		}
	})
	farend.Converse(rw, func(b []byte) (out []byte) {
		for u, d := range units {
			d.Push(b)
			for q, ok := d.Next(); ok; q, ok = d.Next() {
				out = append(out, l.answer(u, q)...)
			}
		}
		return out
	})
}

func (l *line) answer(unit byte, q modbus.Request) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off[unit] || l.deaf != nil && l.deaf(q) {
		return nil
	}
	a, ok := l.pads[unit].Handle(q)
	if !ok {
		return nil
	}
	if says := l.says[unit]; len(says) > 0 {
		a.Exception, l.says[unit] = says[0], says[1:]
	} else if l.odd != 0 && len(a.Values) == modbus.PadInputs {
		a.Values[modbus.PadInputs-1] = l.odd
	}
	if l.login != 0 && len(a.Values) == modbus.PadInputs {
		a.Values[modbus.PadInputs-3] = l.login
	}
	out, err := a.Append(append([]byte(nil), l.noise...))
	if err != nil {
		return nil
	}
	return out
}

// reg knows the driver as the program does.
func reg() *registry.Registry {
	return registry.New(map[string]registry.Driver{"callpad": {New: New, Bus: true}})
}

func options(more map[string]string) map[string]string {
	o := map[string]string{"poll": "20ms", "reply_within": "500ms"}
	maps.Copy(o, more)
	return o
}

func model() registry.Model {
	return registry.Model{Name: "halledge-pad", Class: device.ClassCallPad, Driver: "callpad", Connect: registry.Line{Baud: 9600}}
}

func site(path string, options map[string]string) registry.Site {
	return registry.Site{Name: "window-" + options["unit"] + ".pad", Connect: registry.Connect{Serial: path}, Options: options}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start runs a driver for each of the options on one line that is plugged in.
func start(t *testing.T, far *line, each ...map[string]string) []*Pad {
	t.Helper()
	cable := drivertest.Cable(t, far.serve)
	r := reg()
	var pads []*Pad
	for _, more := range each {
		d, err := r.Build(model(), site(cable.Path(), options(more)), quiet())
		if err != nil {
			t.Fatal(err)
		}
		drivertest.Run(t, d)
		pads = append(pads, d.(*Pad))
	}
	return pads
}

// one runs the driver of unit 1 and waits until it is well.
func one(t *testing.T, far *line) *Pad {
	t.Helper()
	p := start(t, far, map[string]string{"unit": "1"})[0]
	drivertest.Reaches(t, p, device.OK, "")
	return p
}

// key waits for the next key.
func key(t *testing.T, p *Pad) device.Key {
	t.Helper()
	return drivertest.Next(t, p, p.Keys())
}
