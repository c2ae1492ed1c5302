package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// client gives the address (host:port) of who sent a request. Behind a proxy of ours that is the last address in X-Forwarded-For
// that is none of our proxies: what stands further left was written by strangers.
func client(r *http.Request, proxies []netip.Prefix) string {
	connected, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !ours(connected.Addr(), proxies) {
		return r.RemoteAddr
	}
	named := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	found := connected.Addr()
	for _, text := range slices.Backward(named) {
		ip, ok := address(strings.TrimSpace(text))
		if !ok {
			break
		}
		found = ip
		if !ours(ip, proxies) {
			break
		}
	}
	if found == connected.Addr() {
		return r.RemoteAddr
	}
	return net.JoinHostPort(found.String(), "0") // its port is not known
}

// address reads an element of X-Forwarded-For; some proxies add the port.
func address(text string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return ip.Unmap().WithZone(""), true
	}
	pair, err := netip.ParseAddrPort(text)
	return pair.Addr().Unmap().WithZone(""), err == nil
}

func ours(ip netip.Addr, proxies []netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}
