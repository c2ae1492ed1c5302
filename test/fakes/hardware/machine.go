package hardware

import (
	"errors"
	"fmt"
	"path"

	"halledge/drivers/drivertest/sysfs"
)

// failures are what went wrong while a machine was made.
type failures struct{ all []error }

func (*failures) Helper() {}

func (f *failures) Fatal(args ...any) { f.all = append(f.all, errors.New(fmt.Sprint(args...))) }

// NewMachine makes a box below root with devices in its USB sockets that nobody has configured yet: a slip printer, a scanner and a
// serial adapter, behind which nothing can be seen. The agent finds them and can open none.
func NewMachine(root string) error {
	var f failures
	m := sysfs.At(root, &f)
	m.Hub("1-1")
	for _, d := range []struct{ port, ids, serial, maker, title, class, node string }{
		{"1-1.1", "04b8:0202", "DEMO000001", "EPSON", "TM-T88V", "usbmisc", "usb/lp0"},
		{"1-1.2", "1eab:1303", "", "Newland", "Barcode Scanner", "tty", "ttyACM0"},
		{"1-2", "1a86:7523", "", "QinHeng", "USB Serial", "tty", "ttyUSB0"},
	} {
		dir := m.Plug(d.port, d.ids, d.serial, d.title, "bus/usb/"+d.port)
		m.Write(dir+"/manufacturer", d.maker)
		m.Node(dir, d.port+":1.0", d.class, path.Base(d.node), d.node)
	}
	return errors.Join(f.all...)
}
