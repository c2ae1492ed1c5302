package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
)

// The default ports of rtsp (RFC 2326) and rtsps (IANA).
const (
	rtspPort  = 554
	rtspsPort = 322
)

// privateSubnets are where cameras may be when the site names nothing else: RFC 1918 and RFC 4193. This machine is not among them:
// what listens here is no camera, and who may write an address must not reach it.
func privateSubnets() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("fc00::/7"),
	}
}

// never tells of addresses that no camera has, whatever the site lists: link-local ones, where cloud machines serve their secrets,
// those at which some clouds serve them instead (fd00:ec2::254, 100.100.100.200, 168.63.129.16), and those of many or of nobody.
func never(a netip.Addr) bool {
	switch a {
	case netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16"):
		return true
	}
	return a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// subnets reads the allow-list of relay.subnets.
func subnets(list []string) ([]netip.Prefix, error) {
	if len(list) == 0 {
		return privateSubnets(), nil
	}
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("subnet %q: %w", s, err)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// target is where a camera's stream is: what to dial, how, and what to ask for there.
type target struct {
	url  *base.URL // with the login in it; never printed
	host string
	port uint16
	tls  bool
}

// parseTarget reads an rtsp or rtsps address without a login. The error never repeats the address: people paste passwords.
func parseTarget(address string) (target, error) {
	u, err := base.ParseURL(address)
	if err != nil {
		return target{}, errors.New("not an rtsp:// or rtsps:// address")
	}
	if u.User != nil {
		return target{}, errors.New("the address holds a user or password; they have fields of their own")
	}
	t := target{url: u, host: u.Hostname(), port: rtspPort, tls: u.Scheme == "rtsps"}
	if t.host == "" {
		return target{}, errors.New("the address names no host")
	}
	if t.tls {
		t.port = rtspsPort
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return target{}, errors.New("the port is no number from 1 to 65535")
		}
		t.port = uint16(n)
	}
	return t, nil
}

// hostPort gives host:port as the protocol library is told it.
func (t target) hostPort() string { return net.JoinHostPort(t.host, strconv.Itoa(int(t.port))) }

// lookUp asks for the addresses of a name, as net.Resolver.LookupNetIP does.
type lookUp func(ctx context.Context, network, host string) ([]netip.Addr, error)

// resolve looks the host up once and gives the address to dial: the first one inside the allowed subnets. What is dialled is
// this address and never the name again, so a second answer of the name server cannot lead elsewhere.
func (t target) resolve(ctx context.Context, ask lookUp, allowed []netip.Prefix) (netip.AddrPort, error) {
	addrs, err := ask(ctx, "ip", t.host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("look up camera: %w", err)
	}
	for _, a := range addrs {
		if a = a.Unmap(); contains(allowed, a) {
			return netip.AddrPortFrom(a, t.port), nil
		}
	}
	return netip.AddrPort{}, end(CameraNotAllowed, fmt.Errorf("%d addresses, none in the allowed subnets", len(addrs)))
}

// contains tells whether an address is allowed. This machine's own are when a subnet of its own is listed, not by a wide one.
func contains(allowed []netip.Prefix, a netip.Addr) bool {
	a = a.WithZone("")
	if never(a) {
		return false
	}
	for _, p := range allowed {
		if p.Contains(a) && p.Addr().IsLoopback() == a.IsLoopback() {
			return true
		}
	}
	return false
}
