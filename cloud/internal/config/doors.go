package config

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"halledge/agent/kit/strictyaml"
	"halledge/firmware-protocols/hallsync"
)

// What can be wrong with the ways that halls come in by. The arguments of the sentences are named in the comments.
const (
	RTSPListen   strictyaml.Code = "config_rtsp_listen" // value
	HTTPPlain    strictyaml.Code = "config_http_plain"  // value
	EdgeHosts    strictyaml.Code = "config_edge_hosts"
	EdgeTLS      strictyaml.Code = "config_edge_tls"
	EdgeAddress  strictyaml.Code = "config_edge_address" // value, allowed
	maxEdgeHosts                 = 64
)

// HTTPTLS is the console and the API by TLS. Browsers are asked for a certificate of a person there, which they need not have; behind a
// proxy none can be shown.
type HTTPTLS struct {
	Listen string `yaml:"listen"` // host:port, for example :8443; empty: none
	// Cert and Key are PEM files, the certificate with its issuers; both empty: the centre's own authority issues one for edge.hosts and
	// http.hosts, and people's machines have to trust its root.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Encrypted reports whether browsers come by TLS, to us or to a proxy.
func (h HTTP) Encrypted() bool { return h.Secure || h.TLS.Listen != "" }

// Edge is where boxes enrol and renew their certificates, by HTTP over TLS or TLCP, and what they know the centre by. A new box comes by TLS:
// TLCP wants certificates of both ends.
type Edge struct {
	TLS   string   `yaml:"tls"`   // host:port, for example :9443; empty: none
	TLCP  string   `yaml:"tlcp"`  // the same
	Hosts []string `yaml:"hosts"` // names and addresses of the centre, as they stand in its certificates
	// Domains in which halls' pages may be. Names without a domain, local ones and private addresses may be theirs always.
	Domains []string `yaml:"domains"`
	// Where boxes reach the centre, as they are told; empty: they keep what their own configuration says.
	HTTPS string `yaml:"https"` // https://host:port or tlcp://host:port
	MQTT  string `yaml:"mqtt"`  // tls://host:port or tlcp://host:port
	RTSP  string `yaml:"rtsp"`  // rtsps://host:port or rtsp+tlcp://host:port
}

// Addresses gives what boxes are told.
func (e Edge) Addresses() hallsync.CentreAddresses {
	return hallsync.CentreAddresses{MQTT: e.MQTT, HTTPS: e.HTTPS, RTSP: e.RTSP}
}

// RTSP are the ways by which halls publish cameras and platforms read them, beside media.rtsp on this machine.
type RTSP struct {
	TLS  string `yaml:"tls"`  // host:port, for example :8322; empty: none. Who has no certificate may read with a login
	TLCP string `yaml:"tlcp"` // host:port, for halls alone
}

// Certified reports whether the centre needs its authority: for halls that come by certificates, or for people.
func (c *Config) Certified() bool { return c.Secured() || c.HTTP.TLS.Listen != "" }

// Secured reports whether halls may come by certificates at all.
func (c *Config) Secured() bool {
	return slices.ContainsFunc([]string{c.MQTT.TLS, c.MQTT.TLCP, c.RTSP.TLS, c.RTSP.TLCP, c.Edge.TLS, c.Edge.TLCP}, func(a string) bool { return a != "" })
}

func (c *checker) doors(v *Config) {
	for path, address := range map[string]string{
		"$.mqtt.tls": v.MQTT.TLS, "$.mqtt.tlcp": v.MQTT.TLCP, "$.rtsp.tls": v.RTSP.TLS, "$.rtsp.tlcp": v.RTSP.TLCP, "$.edge.tls": v.Edge.TLS, "$.edge.tlcp": v.Edge.TLCP,
	} {
		if address != "" {
			c.address(path, address)
		}
	}
	if c.address("$.media.rtsp", v.Media.RTSP) && !loopback(v.Media.RTSP) {
		c.at("$.media.rtsp", RTSPListen, "value", v.Media.RTSP)
	}
	if v.Certified() && len(v.Edge.Hosts) == 0 {
		c.at("$.edge.hosts", EdgeHosts)
	}
	c.pages(&v.HTTP)
	if v.Secured() && v.Edge.TLS == "" {
		c.doc.Warn("$.edge.tls", EdgeTLS, nil)
	}
	if len(v.Edge.Hosts) > maxEdgeHosts {
		c.at("$.edge.hosts", TooLong, "limit", fmt.Sprint(maxEdgeHosts))
	}
	for i, h := range v.Edge.Hosts {
		if ip := net.ParseIP(h); ip == nil && !hostName.MatchString(h) || ip != nil && ip.IsUnspecified() {
			c.at(fmt.Sprintf("$.edge.hosts[%d]", i), HostName, "value", h)
		}
	}
	if len(v.Edge.Domains) > maxEdgeHosts {
		c.at("$.edge.domains", TooLong, "limit", fmt.Sprint(maxEdgeHosts))
	}
	for i, d := range v.Edge.Domains {
		if net.ParseIP(d) != nil || !hostName.MatchString(d) {
			c.at(fmt.Sprintf("$.edge.domains[%d]", i), HostName, "value", d)
		}
	}
	c.authority("$.pki.tls_issuers", &v.PKI.TLSIssuers)
	c.authority("$.pki.sm2_issuers", &v.PKI.SM2Issuers)
	if (v.PKI.TLSIssuers == "") != (v.PKI.SM2Issuers == "") {
		c.at("$.pki", Missing, "key", "tls_issuers, sm2_issuers")
	}
	c.told("$.edge.https", v.Edge.HTTPS, "https", "tlcp")
	c.told("$.edge.mqtt", v.Edge.MQTT, "tls", "tlcp")
	c.told("$.edge.rtsp", v.Edge.RTSP, "rtsps", "rtsp+tlcp")
}

// pages checks what serves the console by TLS.
func (c *checker) pages(h *HTTP) {
	const at = "$.http.tls"
	switch {
	case h.TLS.Listen == "":
		if h.TLS != (HTTPTLS{}) {
			c.at(at+".listen", Missing, "key", "listen")
		}
		return
	case c.address(at+".listen", h.TLS.Listen) && !loopback(h.Listen):
		c.doc.Warn("$.http.listen", HTTPPlain, map[string]string{"value": h.Listen})
	}
	if (h.TLS.Cert == "") != (h.TLS.Key == "") {
		c.at(at, Missing, "key", "cert, key")
	}
	if h.TLS.Cert == "" || h.TLS.Key == "" {
		return
	}
	h.TLS.Cert, h.TLS.Key = strictyaml.Absolute(c.dir, h.TLS.Cert), strictyaml.Absolute(c.dir, h.TLS.Key)
	if _, err := tls.LoadX509KeyPair(h.TLS.Cert, h.TLS.Key); err != nil {
		c.at(at+".cert", Unreadable, "reason", err.Error())
	}
}

// told checks an address that boxes are told.
func (c *checker) told(path, address string, schemes ...string) {
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		c.at(path, EdgeAddress, "value", address, "allowed", strings.Join(schemes, "://, ")+"://")
	}
}
