//go:build vm

package vm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/sdt"
	"halledge/test/fakes/hardware"
)

// headLen is how much of each frame goes over the first pair of endpoints of a reader that has two.
const headLen = 7

// reader is an identity-card reader on bare USB. Its endpoints are files of FunctionFS (Linux Documentation/usb/functionfs.rst).
type reader struct {
	*gadget
	dir   string
	pairs int
	card  hardware.CardReader
	deaf  deaf

	setup *os.File   // endpoint 0
	ends  []*os.File // one in, one out of each pair
	all   sync.WaitGroup
}

func newReader(t *testing.T, pairs int) *reader {
	t.Helper()
	r := &reader{dir: t.TempDir(), pairs: pairs}
	r.gadget = newGadget(t, 0, identity{vendor: "0400", product: "c35a", serial: "R1", title: "Reader"}, "ffs", nil)
	if err := unix.Mount("of0", r.dir, "functionfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.pull()
		if r.setup != nil {
			_ = r.setup.Close()
		}
		if err := unix.Unmount(r.dir, 0); err != nil {
			t.Error(err)
		}
	})
	var err error
	if r.setup, err = os.OpenFile(r.dir+"/ep0", os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	for _, said := range [][]byte{descriptors(pairs), interfaceNames()} {
		if _, err := r.setup.Write(said); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// descriptors are those of an interface of no class of USB, for both speeds, as linux/usb/functionfs.h wants them.
func descriptors(pairs int) []byte {
	const magic, fullSpeed, highSpeed = 3, 1, 2
	le := binary.LittleEndian
	count := uint32(1 + 2*pairs)
	var speeds []byte
	for _, packet := range []byte{0, 2} { // of 64 bytes, and of 512
		speeds = append(speeds, 9, 4, 0, 0, byte(2*pairs), 0xff, 0, 0, 1)
		for i := range pairs {
			small := byte(0)
			if packet == 0 {
				small = 64
			}
			speeds = append(speeds, 7, 5, byte(0x81+i), 2, small, packet, 0, 7, 5, byte(0x01+i), 2, small, packet, 0)
		}
	}
	head := le.AppendUint32(nil, magic)
	head = le.AppendUint32(head, uint32(4*5+len(speeds)))
	head = le.AppendUint32(head, fullSpeed|highSpeed)
	head = le.AppendUint32(le.AppendUint32(head, count), count)
	return append(head, speeds...)
}

func interfaceNames() []byte {
	const magic, english = 2, 0x409
	name := append([]byte("Reader"), 0)
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magic)
	b = le.AppendUint32(b, uint32(4*4+2+len(name)))
	b = le.AppendUint32(le.AppendUint32(b, 1), 1)
	return append(le.AppendUint16(b, english), name...)
}

// insert plugs the reader in and plays it until pull.
func (r *reader) insert() {
	r.t.Helper()
	r.plug()
	r.configured()
	r.enabled()
	for i := range 2 * r.pairs {
		// Without O_NONBLOCK whoever reads an endpoint just after the cable was pulled waits until it is plugged in again.
		f, err := os.OpenFile(fmt.Sprintf("%s/ep%d", r.dir, i+1), os.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		r.ends = append(r.ends, f)
	}
	var line io.ReadWriter = pair{in: r.ends[0], out: r.ends[1]}
	if r.pairs == 2 {
		line = &pairs{first: pair{r.ends[0], r.ends[1]}, second: pair{r.ends[2], r.ends[3]}}
	}
	r.deaf.ReadWriter = line
	r.all.Go(func() { r.card.Serve(&r.deaf) })
}

// enabled waits until the endpoints can be used, which is a moment after the host has set the device up.
func (r *reader) enabled() {
	r.t.Helper()
	const length, kind, enable = 12, 8, 2 // of struct usb_functionfs_event
	events := make([]byte, 4*length)
	for {
		n, err := r.setup.Read(events)
		if err != nil {
			r.t.Fatal(err)
		}
		for e := events[:n]; len(e) >= length; e = e[length:] {
			if e[kind] == enable {
				return
			}
		}
	}
}

// pull takes the reader off its cable.
func (r *reader) pull() {
	r.unplug() // ends what the endpoints wait for
	r.all.Wait()
	for _, f := range r.ends {
		_ = f.Close()
	}
	r.ends = nil
}

// deaf is a line that loses what is said to the reader while it is on.
type deaf struct {
	io.ReadWriter
	on atomic.Bool
}

func (d *deaf) Read(b []byte) (int, error) {
	for {
		n, err := d.ReadWriter.Read(b)
		if err != nil || !d.on.Load() {
			return n, err
		}
	}
}

// pair is two endpoints, named as the host sees them. A transfer is read whole.
type pair struct{ in, out *os.File }

func (p pair) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p pair) Write(b []byte) (int, error) { return p.in.Write(b) }

// pairs are two pairs of endpoints: of each frame the head goes over the first one, the rest over the second.
type pairs struct {
	first, second pair
	rest          bool
}

func (p *pairs) Read(b []byte) (int, error) {
	from := p.first
	if p.rest {
		from = p.second
	}
	p.rest = !p.rest
	return from.Read(b)
}

func (p *pairs) Write(b []byte) (int, error) {
	head := min(len(b), headLen)
	n, err := p.first.Write(b[:head])
	if err != nil {
		return n, err
	}
	m, err := p.second.Write(b[head:])
	return n + m, err
}

func citizen(name, number string) sdt.Card {
	return sdt.Card{
		Kind: sdt.Resident, Name: sdt.NewPrivate(name), Sex: sdt.Male, EthnicCode: "01", Birth: sdt.NewPrivate(number[6:14]),
		Address: sdt.NewPrivate("测试省测试市测试路1号"), Number: sdt.NewPrivate(number), Issuer: "测试市公安局",
		ValidFrom: "20200307", ValidTo: "20400307",
	}
}

// A reader that no driver of the kernel's knows is spoken to over usbdevfs, pulled, and found again.
func TestACardIsReadOverUSB(t *testing.T) {
	for n, name := range []string{"one pair of endpoints", "two pairs of endpoints"} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, n+1)
			d := start(t, device.ClassIDCard, "generic-sdt-usb", registry.Connect{USB: "0400:c35a"}, nil).(device.IDCardReader)
			drivertest.Reaches(t, d, device.Offline, device.CodeOffline)
			r.insert()
			node := r.found(attached.USB)
			leads(t, "/dev/hall/idcard", node.Path)
			belongs(t, node.Path, "plugdev")
			drivertest.Reaches(t, d, device.OK, "")
			r.card.Tap(citizen("测试甲", "991101199003070016"), "")
			if c := drivertest.Next(t, d, d.Cards()); c.Number.Reveal() != "991101199003070016" || c.Name.Reveal() != "测试甲" {
				t.Error("another card was read")
			}
			r.pull()
			before := away(t, d, n == 1)
			r.insert()
			drivertest.Reaches(t, d, device.OK, "")
			back(t, before)
			r.card.Tap(citizen("测试乙", "991101198811120021"), "")
			drivertest.Next(t, d, d.Cards())
		})
	}
}

// Another program that has the reader is named, and not robbed of it.
func TestAReaderOfAnotherProgramIsLeftAlone(t *testing.T) {
	r := newReader(t, 1)
	r.insert()
	node := r.found(attached.USB)
	f, err := os.OpenFile(node.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	const claimInterface = 0x8004550f // USBDEVFS_CLAIMINTERFACE
	if err := unix.IoctlSetPointerInt(int(f.Fd()), claimInterface, 0); err != nil {
		t.Fatal(err)
	}
	d := start(t, device.ClassIDCard, "generic-sdt-usb", registry.Connect{USB: "0400:c35a"}, nil)
	drivertest.Reaches(t, d, device.Offline, device.CodeBusy)
	if err := f.Close(); err != nil && !errors.Is(err, unix.ENODEV) {
		t.Fatal(err)
	}
	drivertest.Reaches(t, d, device.OK, "")
}

// Transfers that nobody answers are taken back, and the reader that answers again is found.
func TestAReaderThatFallsSilentOverUSB(t *testing.T) {
	for n, name := range []string{"one pair of endpoints", "two pairs of endpoints"} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, n+1)
			r.insert()
			r.found(attached.USB)
			d := start(t, device.ClassIDCard, "generic-sdt-usb", registry.Connect{USB: "0400:c35a"}, nil).(device.IDCardReader)
			drivertest.Reaches(t, d, device.OK, "")
			r.card.Tap(citizen("测试甲", "991101199003070016"), hardware.Damaged)
			if u := drivertest.Next(t, d, d.Unread()); u.Fault != device.CardUnreadable {
				t.Errorf("told %s", u.Fault)
			}
			r.deaf.on.Store(true)
			drivertest.Reaches(t, d, device.Offline, device.CodeTimeout)
			r.deaf.on.Store(false)
			drivertest.Reaches(t, d, device.OK, "")
			r.card.Tap(citizen("测试甲", "991101199003070016"), "")
			if c := drivertest.Next(t, d, d.Cards()); c.Number.Reveal() != "991101199003070016" {
				t.Error("another card was read")
			}
		})
	}
}
