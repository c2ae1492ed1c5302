// Package registry turns the configuration of a device into the device: it knows which driver a model needs, merges the model's
// file with the site's options and checks that the driver gives what the model's class promises.
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/internal/trace"
	"halledge/drivers/internal/transport"
)

// Connect says where a device is: Serial (with Baud, Parity and Flow), TCP, File or USB.
type Connect = transport.Spec

// Config is all a driver gets to know about one device.
type Config struct {
	Name    string            // as configured, such as kiosk-1.printer
	Connect Connect           // with the model's defaults filled in
	Options map[string]string // the model's, overridden by the site's; read them with NewOptions
	Log     *slog.Logger      // names the device already

	ports *transport.Ports // set for devices that may share a bus
	party bool             // of those: they speak unasked
	tape  *Tape
}

// Open opens the device's connection, or its share of the bus that it stands on.
func (c Config) Open(ctx context.Context) (transport.Conn, error) {
	switch {
	case c.ports == nil:
		return c.tape.Wrap(transport.Open(ctx, c.Connect))
	case c.party:
		return c.tape.Wrap(c.ports.Listen(ctx, c.Connect))
	}
	return c.tape.Wrap(c.ports.Open(ctx, c.Connect))
}

// Driver makes devices of one protocol.
type Driver struct {
	// New checks the configuration and makes the device. It touches no hardware. Its error is a *device.Error with CodeBadConfig.
	New func(Config) (device.Device, error)
	// Bus says that several devices may stand on one line, each with its own address.
	Bus bool
	// Station gives by its options what a device of a Bus driver takes of its line; ok is false where they do not say. nil: nothing that
	// others may not take too.
	Station func(options map[string]string) (s Station, ok bool)
	// Party says of a Bus driver that its devices speak unasked, so that each must hear all that arrives on the line.
	Party bool
	// Node is what connect.file means when it names a USB device: the kind of node that the driver opens. Empty: a printer.
	Node attached.Kind
	// USB says that the driver also speaks to devices that are nothing but bulk endpoints: connect.usb.
	USB bool
}

// Registry makes devices out of configuration.
type Registry struct {
	drivers map[string]Driver
	ports   transport.Ports
}

// New makes a registry of the drivers given by name.
func New(drivers map[string]Driver) *Registry { return &Registry{drivers: drivers} }

// Shares reports whether several devices of model m may stand on one line.
func (r *Registry) Shares(m Model) bool { return r.drivers[m.Driver].Bus }

// At gives how a device of model m is connected at a node with the reference ref (empty: it has none); ok is false when its driver
// does not drive such nodes.
func (r *Registry) At(m Model, n attached.Node, ref string) (c Connect, ok bool) {
	where := n.Path
	if ref != "" {
		where = "usb:" + ref
	}
	driver := r.drivers[m.Driver]
	node := driver.Node
	switch n.Kind {
	case attached.Serial:
		return Connect{Serial: where}, node == ""
	case attached.USB:
		return Connect{USB: ref}, driver.USB && ref != ""
	case attached.Printer:
		return Connect{File: where}, node == "" && m.Class == device.ClassPrinter
	default:
		return Connect{File: where}, node == n.Kind
	}
}

// Site is what the site says about one device.
type Site struct {
	Name    string
	Connect Connect
	Options map[string]string
	Tape    *Tape // records what passes; nil: nothing does
}

// Tape records the bytes between the host and one device while somebody has it switched on; Record is what it has.
type (
	Tape   = trace.Tape
	Record = trace.Record
)

// NewTape gives the tape of a device. Those of card readers and scanners keep nothing of what people show.
func NewTape(class device.Class) *Tape { return trace.New(class) }

// Build makes the device that site describes, of model m. Its error is a *device.Error with CodeBadConfig.
func (r *Registry) Build(m Model, site Site, log *slog.Logger) (device.Device, error) {
	driver, ok := r.drivers[m.Driver]
	if !ok {
		return nil, badConfig(site.Name, fmt.Errorf("model %s needs the driver %q, which this program does not have", m.Name, m.Driver))
	}
	cfg := Config{
		Name:    site.Name,
		Connect: m.At(site.Connect),
		Options: merge(m.Options, site.Options),
		Log:     log.With("device", site.Name),
		tape:    site.Tape,
	}
	cfg.Connect.Kind = driver.Node
	if driver.Node == attached.Input {
		site.Tape.Typed()
	}
	if err := cfg.Connect.Check(); err != nil {
		return nil, badConfig(site.Name, err)
	}
	if cfg.Connect.USB != "" && !driver.USB {
		return nil, badConfig(site.Name, fmt.Errorf("the driver %s speaks over no bare USB device: use serial or file", m.Driver))
	}
	if driver.Bus {
		cfg.ports, cfg.party = &r.ports, driver.Party
	}
	d, err := driver.New(cfg)
	if err != nil {
		return nil, badConfig(site.Name, err)
	}
	if !Is(d, m.Class) {
		return nil, badConfig(site.Name, fmt.Errorf("model %s is of class %s, its driver %s is not", m.Name, m.Class, m.Driver))
	}
	return d, nil
}

// Is reports whether d can do what class promises.
func Is(d device.Device, class device.Class) bool {
	var ok bool
	switch class {
	case device.ClassPrinter:
		_, ok = d.(device.Printer)
	case device.ClassScanner:
		_, ok = d.(device.Scanner)
	case device.ClassIDCard:
		_, ok = d.(device.IDCardReader)
	case device.ClassScreen:
		_, ok = d.(device.Screen)
	case device.ClassSpeaker:
		_, ok = d.(device.Speaker)
	case device.ClassCallPad:
		_, ok = d.(device.CallPad)
	case device.ClassRatingPad:
		_, ok = d.(device.RatingPad)
	}
	return ok
}

func merge(model, site map[string]string) map[string]string {
	all := make(map[string]string, len(model)+len(site))
	for _, options := range []map[string]string{model, site} {
		for key, value := range options {
			all[key] = value
		}
	}
	return all
}

// badConfig keeps an error that is a *device.Error already.
func badConfig(name string, err error) error {
	var de *device.Error
	if errors.As(err, &de) {
		return err
	}
	return &device.Error{Op: "configure " + name, Code: device.CodeBadConfig, Err: err}
}
