package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"halledge/cloud/internal/province"
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

// hostAllowed stops DNS rebinding: a page of a foreign name that is made to point here carries that name. An address or localhost was
// not looked up. What is for programs is not asked: none of them runs such pages, and one that reads with a token is no page. What anybody
// may send, such as a password, is.
func (s *server) hostAllowed(r *http.Request) bool {
	path := r.URL.Path
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasPrefix(path, "/whep/")
	switch {
	case path == "/healthz", path == "/readyz", path == province.Path, r.Host == "":
		return true
	case reads && strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
		return true
	}
	host := strings.ToLower(r.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost" || slices.Contains(s.Hosts, strings.TrimSuffix(host, "."))
}

func ours(ip netip.Addr, proxies []netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}
