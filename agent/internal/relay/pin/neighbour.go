package pin

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// MACOf gives the address of the network card at the other end of a TCP connection. It is empty where nobody can see it: behind a router, and
// on this machine. The kernel has just spoken with it, so it knows.
func MACOf(conn net.Conn) (string, error) {
	here, there := addrOf(conn.LocalAddr()), addrOf(conn.RemoteAddr())
	if !here.IsValid() || !there.IsValid() {
		return "", nil
	}
	link, err := linkOf(here)
	if err != nil || link == 0 {
		return "", err
	}
	// /proc/net/arp says the same, but a service that sees only its own processes does not see it, and it knows no IPv6.
	table, err := syscall.NetlinkRIB(unix.RTM_GETNEIGH, unix.AF_UNSPEC)
	if err != nil {
		return "", fmt.Errorf("read the table of neighbours: %w", err)
	}
	return neighbour(table, link, there)
}

func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// linkOf gives the index of the interface that has an address; 0 for none.
func linkOf(here netip.Addr) (int, error) {
	links, err := net.Interfaces()
	if err != nil {
		return 0, fmt.Errorf("list the network interfaces: %w", err)
	}
	for _, link := range links {
		all, err := link.Addrs()
		if err != nil {
			return 0, fmt.Errorf("list the addresses of %s: %w", link.Name, err)
		}
		for _, a := range all {
			if p, ok := a.(*net.IPNet); ok && p.IP.Equal(net.IP(here.AsSlice())) {
				return link.Index, nil
			}
		}
	}
	return 0, nil
}

// What the kernel calls a neighbour (rtnetlink(7), struct ndmsg): the index of the link is in bytes 4–7, the state in 8 and 9.
const (
	ndmsgSize = 12
	macSize   = 6
	// resolved are the states in which a neighbour has an address.
	resolved = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT
)

// neighbour finds one in the kernel's table. It is empty where there is none that was resolved.
func neighbour(table []byte, link int, want netip.Addr) (string, error) {
	messages, err := syscall.ParseNetlinkMessage(table)
	if err != nil {
		return "", fmt.Errorf("read the table of neighbours: %w", err)
	}
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWNEIGH || len(m.Data) < ndmsgSize ||
			int(int32(binary.NativeEndian.Uint32(m.Data[4:]))) != link || binary.NativeEndian.Uint16(m.Data[8:])&resolved == 0 {
			continue
		}
		at, mac := attributes(m.Data[ndmsgSize:])
		if at == want && len(mac) == macSize && [macSize]byte(mac) != [macSize]byte{} {
			return net.HardwareAddr(mac).String(), nil
		}
	}
	return "", nil
}

// attributes gives the address of a neighbour and that of its card.
func attributes(b []byte) (at netip.Addr, mac []byte) {
	for len(b) >= unix.SizeofRtAttr {
		n, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		switch value := b[unix.SizeofRtAttr:n]; kind {
		case unix.NDA_DST:
			at, _ = netip.AddrFromSlice(value) // of another kind of network: no address that anybody looks for
			at = at.Unmap()
		case unix.NDA_LLADDR:
			mac = value
		}
		b = b[min(len(b), (n+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1)):]
	}
	return at, mac
}
