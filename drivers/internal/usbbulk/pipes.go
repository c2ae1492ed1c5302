package usbbulk

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// pipe is a bulk endpoint.
type pipe struct {
	address byte // bit 7: towards the host
	packet  int  // bytes in the largest packet
}

// function is the part of a USB device that is spoken to: an interface and its bulk endpoints, each way in the order of their
// numbers.
type function struct {
	number  byte // bInterfaceNumber
	out, in []pipe
}

// Descriptor types, lengths and fields of USB 2.0, section 9.6.
const (
	typeConfiguration = 2
	typeInterface     = 4
	typeEndpoint      = 5

	configurationLen = 9
	interfaceLen     = 9
	endpointLen      = 7

	towardsHost   = 0x80
	transferKind  = 0x03 // of bmAttributes
	kindBulk      = 0x02
	packetSize    = 0x07ff // of wMaxPacketSize
	largestPacket = 1024   // the largest packet there is, of USB 3
)

// plan chooses what to speak to out of a device's descriptors, as its node in /dev/bus/usb gives them: the device's own, then
// those of each configuration. It takes the first interface with bulk endpoints both ways that no class of USB claims for drivers
// of the system: nobody's memory stick is taken from him because of a wrong number in a file.
func plan(descriptors []byte) (function, error) {
	var (
		found []function
		open  bool // the endpoints that follow are of the last one found
		begun bool
	)
	for b := descriptors; len(b) >= 2; {
		size := int(b[0])
		if size < 2 || size > len(b) {
			return function{}, fmt.Errorf("a descriptor of %d bytes where %d are left", size, len(b))
		}
		d := b[:size]
		b = b[size:]
		switch {
		case d[1] == typeConfiguration && size >= configurationLen:
			if begun { // another configuration, which is not in use
				b = nil
			}
			begun = true
		case d[1] == typeInterface && size >= interfaceLen:
			const main = 0 // other settings of the interface would have to be asked for
			if open = d[3] == main && !ofTheSystem(d[5]); open {
				found = append(found, function{number: d[2]})
			}
		case d[1] == typeEndpoint && size >= endpointLen && open:
			found[len(found)-1].add(d)
		}
	}
	i := slices.IndexFunc(found, func(f function) bool { return len(f.out) > 0 && len(f.in) > 0 })
	if i < 0 {
		return function{}, errors.New("no interface of its own with bulk endpoints both ways")
	}
	return found[i], nil
}

// add takes an endpoint's descriptor.
func (f *function) add(d []byte) {
	p := pipe{address: d[2], packet: int(binary.LittleEndian.Uint16(d[4:]) & packetSize)}
	if d[3]&transferKind != kindBulk || p.packet == 0 || p.packet > largestPacket {
		return
	}
	pipes := &f.out
	if p.address&towardsHost != 0 {
		pipes = &f.in
	}
	*pipes = append(*pipes, p)
	slices.SortFunc(*pipes, func(a, b pipe) int { return cmp.Compare(a.address, b.address) })
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
