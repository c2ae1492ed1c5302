// Package origin gives where clients come from, as limits count it, and the limits that are counted so.
package origin

import "net/netip"

// Network is what counts as one place of a client's address: an IPv4 address, or a /64 of IPv6, which one line usually has whole.
// What is no address is a place of its own.
func Network(remote string) string {
	ip, err := netip.ParseAddr(remote)
	if err != nil {
		return remote
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}

// Block is the neighbourhood of a network, as Network writes it: a /24 of IPv4 or a /48 of IPv6, which one customer easily has
// whole. Who may take turns among all of its addresses counts once by it.
func Block(network string) string {
	p, err := netip.ParsePrefix(network)
	if err != nil {
		ip, err := netip.ParseAddr(network)
		if err != nil {
			return network
		}
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	bits := 48
	if p.Addr().Is4() {
		bits = 24
	}
	return netip.PrefixFrom(p.Addr(), bits).Masked().String()
}
