package trust

import (
	"net"
	"net/netip"
	"net/url"
	"os"

	"halledge/agent/internal/config"
)

// Names are what the pages of a box are opened by: its host name, its addresses or the one that it listens on, and the names of its
// configuration; as many as a certificate has room for, and none that cannot stand there.
func Names(web config.Web) []string {
	dns, addresses := sort(tidy(called(web)))
	for _, ip := range addresses {
		dns = append(dns, ip.String())
	}
	return dns
}

func called(web config.Web) []string {
	out := append([]string{"localhost", "127.0.0.1", "::1"}, web.Hosts...)
	if name, err := os.Hostname(); err == nil {
		out = append(out, name)
	}
	if u, err := url.Parse(web.Public); err == nil && u.Scheme == "https" {
		out = append(out, u.Hostname())
	}
	host, _, err := net.SplitHostPort(web.Listen)
	if err != nil {
		host = web.Listen
	}
	ip, err := netip.ParseAddr(host)
	if host != "" && (err != nil || !ip.IsUnspecified()) {
		return append(out, host)
	}
	found, _ := net.InterfaceAddrs() // none found is as good as none there
	for _, a := range found {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			out = append(out, n.IP.String())
		}
	}
	return out
}
