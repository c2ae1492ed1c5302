package transport

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// usbPipe is a bulk endpoint.
type usbPipe struct {
	address byte // bit 7: towards the host
	packet  int  // bytes in the largest packet
}

// usbFunction is the part of a USB device that is spoken to: an interface and its bulk endpoints, each way in the order of their
// numbers.
type usbFunction struct {
	number  byte // bInterfaceNumber
	out, in []usbPipe
}

// Descriptor types, lengths and fields of USB 2.0, section 9.6.
const (
	usbConfiguration = 2
	usbInterface     = 4
	usbEndpoint      = 5

	usbConfigurationLen = 9
	usbInterfaceLen     = 9
	usbEndpointLen      = 7

	usbIn       = 0x80
	usbTransfer = 0x03 // of bmAttributes
	usbBulk     = 0x02
	usbPacket   = 0x07ff // of wMaxPacketSize
	usbLargest  = 1024   // the largest packet there is, of USB 3
)

// usbPlan chooses what to speak to out of a device's descriptors, as its node in /dev/bus/usb gives them: the device's own, then
// those of each configuration. It takes the first interface with bulk endpoints both ways that no class of USB claims for drivers
// of the system: nobody's memory stick is taken from him because of a wrong number in a file.
func usbPlan(descriptors []byte) (usbFunction, error) {
	var (
		found []usbFunction
		open  bool // the endpoints that follow are of the last one found
		begun bool
	)
	for b := descriptors; len(b) >= 2; {
		size := int(b[0])
		if size < 2 || size > len(b) {
			return usbFunction{}, fmt.Errorf("a descriptor of %d bytes where %d are left", size, len(b))
		}
		d := b[:size]
		b = b[size:]
		switch {
		case d[1] == usbConfiguration && size >= usbConfigurationLen:
			if begun { // another configuration, which is not in use
				b = nil
			}
			begun = true
		case d[1] == usbInterface && size >= usbInterfaceLen:
			const main = 0 // other settings of the interface would have to be asked for
			if open = d[3] == main && !ofTheSystem(d[5]); open {
				found = append(found, usbFunction{number: d[2]})
			}
		case d[1] == usbEndpoint && size >= usbEndpointLen && open:
			found[len(found)-1].add(d)
		}
	}
	i := slices.IndexFunc(found, func(f usbFunction) bool { return len(f.out) > 0 && len(f.in) > 0 })
	if i < 0 {
		return usbFunction{}, errors.New("no interface of its own with bulk endpoints both ways")
	}
	return found[i], nil
}

// add takes an endpoint's descriptor.
func (f *usbFunction) add(d []byte) {
	p := usbPipe{address: d[2], packet: int(binary.LittleEndian.Uint16(d[4:]) & usbPacket)}
	if d[3]&usbTransfer != usbBulk || p.packet == 0 || p.packet > usbLargest {
		return
	}
	pipes := &f.out
	if p.address&usbIn != 0 {
		pipes = &f.in
	}
	*pipes = append(*pipes, p)
	slices.SortFunc(*pipes, func(a, b usbPipe) int { return cmp.Compare(a.address, b.address) })
}

// ofTheSystem reports whether an interface class of the USB-IF's list has drivers in every kernel.
func ofTheSystem(class byte) bool {
	const (
		audio, communication, hid, printer, storage = 0x01, 0x02, 0x03, 0x07, 0x08
		hub, data, smartCard, video, wireless       = 0x09, 0x0a, 0x0b, 0x0e, 0xe0
	)
	switch class {
	case audio, communication, hid, printer, storage, hub, data, smartCard, video, wireless:
		return true
	}
	return false
}
