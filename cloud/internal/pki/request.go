package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/firmware-protocols/hallsync"
)

// Bounds of an order.
const (
	maxRequest = 8 << 10 // bytes of a request
	maxHosts   = 64
)

// checkedOrder is what is taken over of an order's requests and hosts.
type checkedOrder struct {
	tls   *ecdsa.PublicKey
	sm2   gm.PublicKey // zero: none was asked for
	names []string
	ips   []net.IP
}

// check finds out whether an order is one that certificates are issued for.
func check(o Order) (c checkedOrder, err error) {
	switch o.For {
	case ForHall, ForWeb:
		if !hallsync.HallID(o.Name).Valid() {
			return c, errors.New("the name is no hall code")
		}
	case ForCentre:
	default:
		return c, errors.New("it is for nothing")
	}
	if (o.For == ForHall) != (len(o.Hosts) == 0) || len(o.Hosts) > maxHosts {
		return c, errors.New("a server has hosts, a client has none")
	}
	if (o.For == ForWeb) != (len(o.SM2) == 0) {
		return c, errors.New("an SM2 request is missing, or there is one too many")
	}
	if c.names, c.ips, err = splitHosts(o.Hosts); err != nil {
		return c, err
	}
	if c.tls, err = tlsKeyOf(o.TLS, o.Name); err != nil {
		return c, fmt.Errorf("TLS request: %w", err)
	}
	if len(o.SM2) > 0 {
		if c.sm2, err = sm2KeyOf(o.SM2, o.Name); err != nil {
			return c, fmt.Errorf("SM2 request: %w", err)
		}
	}
	return c, nil
}

// hostName is a DNS name in small letters, without wildcards and underscores.
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func splitHosts(hosts []string) (names []string, ips []net.IP, err error) {
	for _, h := range hosts {
		ip := net.ParseIP(h)
		switch {
		case ip != nil && ip.IsUnspecified():
			return nil, nil, errors.New("a host is no address of one machine")
		case ip != nil:
			ips = append(ips, ip)
		case len(h) <= 253 && hostName.MatchString(h):
			names = append(names, h)
		default:
			return nil, nil, errors.New("a host is neither a name nor an address")
		}
	}
	return names, ips, nil
}

// localDomains are those that no name of the internet is in (RFC 6762, RFC 8375, ICANN board 2024.07.29.06), and what routers call their own.
const localDomains = ".local .internal .home.arpa .lan .home"

// carriers is the address space of RFC 6598, in which many halls' networks are.
var carriers = netip.MustParsePrefix("100.64.0.0/10")

// pages gives those of the hosts that a hall's pages may have: names that are good within a building alone or lie in the domains that the
// operator says, and private addresses. Whoever trusts our roots would take a certificate for anything else too, which a box must not get by asking.
func (r *Register) pages(hosts []string) (own []string) {
	for _, h := range hosts {
		ip, err := netip.ParseAddr(h)
		ip = ip.Unmap()
		local := err != nil && r.localName(h) || ip.IsPrivate() || ip.IsLinkLocalUnicast() || carriers.Contains(ip)
		if ip.IsLoopback() || local && !slices.Contains(r.hosts, h) {
			own = append(own, h)
		}
	}
	return own
}

func (r *Register) localName(host string) bool {
	in := func(domain string) bool { return strings.HasSuffix(host, "."+strings.TrimPrefix(domain, ".")) }
	return !strings.Contains(host, ".") || slices.ContainsFunc(strings.Fields(localDomains), in) || slices.ContainsFunc(r.domains, in)
}

// tlsKeyOf gives the key of a request whose holder has signed it.
func tlsKeyOf(der []byte, name string) (*ecdsa.PublicKey, error) {
	if len(der) > maxRequest {
		return nil, errors.New("too long")
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	key, ok := r.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || key.Curve != elliptic.P256() || r.SignatureAlgorithm != x509.ECDSAWithSHA256:
		return nil, errors.New("not P-256 with SHA-256")
	case r.CheckSignature() != nil:
		return nil, errors.New("not signed by its own key")
	case len(r.Subject.Names) != 1 || r.Subject.CommonName != name:
		return nil, errors.New("of another holder")
	}
	return key, nil
}

func sm2KeyOf(der []byte, name string) (gm.PublicKey, error) {
	r, err := cert.ParseRequest(der)
	if err != nil {
		return gm.PublicKey{}, err
	}
	if r.Subject.CN != name || r.Subject.Organization != "" {
		return gm.PublicKey{}, errors.New("of another holder")
	}
	return r.Key, nil
}
