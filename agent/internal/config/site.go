// Package config gives the agent its two files: agent.yaml, which belongs to the site (identity, network, devices, cameras),
// and hall.yaml, which belongs to the cloud (queues, windows, staff, rules). Load reports every problem of both at once, each
// with file, line and column.
package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strings"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/strictyaml"
	"halledge/drivers/registry"
)

// Site is agent.yaml.
type Site struct {
	Schema  int      `yaml:"schema"`
	Hall    Identity `yaml:"hall"`
	Data    string   `yaml:"data"` // directory of the database and of everything the agent writes
	Plan    string   `yaml:"plan"` // path of hall.yaml, relative to agent.yaml
	Web     Web      `yaml:"web"`
	Cloud   Cloud    `yaml:"cloud"`
	Codes   Codes    `yaml:"codes"`
	Devices []Device `yaml:"devices"`
	Cameras []Camera `yaml:"cameras"`
	Relay   Relay    `yaml:"relay"`
	Voice   Sounds   `yaml:"voice"`
	Notices Notices  `yaml:"notices"`
	Journal Journal  `yaml:"journal"`
	Log     Log      `yaml:"log"`
}

// Identity says which hall this is. Profile is full, town or village.
type Identity struct {
	Code    string `yaml:"code"`
	Name    string `yaml:"name"`
	Profile string `yaml:"profile"`
	Logo    string `yaml:"logo"` // path of a PNG file for the head of slips; empty: none
}

// Web is the hall's own HTTP server.
type Web struct {
	Listen string   `yaml:"listen"` // host:port; port 0 lets the system choose
	TLS    string   `yaml:"tls"`    // auto: everywhere but on loopback; on: there too; off: loopback alone
	Hosts  []string `yaml:"hosts"`  // further Host headers accepted
	Public string   `yaml:"public"` // base address printed on slips; empty: where the server listens
	Tokens []Token  `yaml:"tokens"`
}

// Secure reports whether the pages are served by TLS.
func (w Web) Secure() bool {
	host, _, err := net.SplitHostPort(w.Listen)
	return w.TLS == "on" || w.TLS != "off" && (err != nil || !loopback(host))
}

// Scheme is that of the server's addresses.
func (w Web) Scheme() string {
	if w.Secure() {
		return "https"
	}
	return "http"
}

// Token lets a kiosk, a screen or another program in. Role is kiosk, screen, rate, staff or ops; ID is the kiosk or screen, or of rate the
// window.
type Token struct {
	Role   string `yaml:"role"`
	ID     string `yaml:"id"`
	Secret Secret `yaml:"secret"`
}

// Cloud is the uplink. MQTT is tls://host:port, tlcp://host:port or, on this machine, tcp://host:port; empty means what the centre said when
// it enrolled the box, or that the hall works alone. HTTPS is where the centre issues certificates, https:// or tlcp://; empty: where it
// said. The box shows its certificate; a password goes with tcp alone.
type Cloud struct {
	MQTT     string `yaml:"mqtt"`
	HTTPS    string `yaml:"https"`
	Password Secret `yaml:"password"`
}

// Codes says who resolves scanned 粤省事码 and 粤商码: remote (the centre, or the province itself), sim (a stand-in that accepts the
// demo's codes) or none. How codes look is said by the rules of a file of its own, which may change while the hall works.
type Codes struct {
	Resolver string    `yaml:"resolver"`
	Rules    string    `yaml:"rules"` // path of codes.yaml, relative to agent.yaml; empty: none
	URL      string    `yaml:"url"`   // whom remote asks; https, or http on this machine
	Key      Secret    `yaml:"key"`   // the hall's SM2 key, PEM
	Peer     VerifyKey `yaml:"peer"`  // the public key of whoever answers
	CA       string    `yaml:"ca"`    // issuers of its certificate, PEM; empty: the system's
}

// VerifyKey is a public SM2 key, in base64 or PEM.
type VerifyKey struct{ gm.PublicKey }

// UnmarshalText reads a key.
func (k *VerifyKey) UnmarshalText(b []byte) error {
	if k.PublicKey.UnmarshalText(b) != nil {
		return &strictyaml.ValueError{Code: VerifyKeyBad}
	}
	return nil
}

// Device is one configured device. Name is <place>.<role>: kiosk-1.printer, kiosk-1.scanner, kiosk-1.idcard, window-1.pad,
// window-1.led, hall.led. Model is a file of configs/models/<class>/ without its ending.
type Device struct {
	Name    string            `yaml:"name"`
	Model   string            `yaml:"model"`
	Connect Connect           `yaml:"connect"`
	Options map[string]string `yaml:"options"`
}

// Connect is where a device is. Exactly one of Serial, TCP, File and USB is set. Serial and File may be a reference to a USB device,
// usb:VVVV:PPPP[:SERIAL][@PORT], which stays the same whatever name the device gets at the next start.
type Connect struct {
	Serial string `yaml:"serial"` // path of a tty, or a reference
	Baud   int    `yaml:"baud"`   // 0: the model's own
	Flow   string `yaml:"flow"`   // none, rtscts or xonxoff; empty: the model's own
	TCP    string `yaml:"tcp"`    // host:port
	File   string `yaml:"file"`   // device file such as /dev/usb/lp0, or a reference
	USB    string `yaml:"usb"`    // VVVV:PPPP[:SERIAL][@PORT] of a device that no driver of the system makes a file of
}

// Driven gives c as the drivers want it.
func (c Connect) Driven() registry.Connect {
	return registry.Connect{Serial: c.Serial, Baud: c.Baud, Flow: c.Flow, TCP: c.TCP, File: c.File, USB: c.USB}
}

// where is c as it is written.
func (c Connect) where() string { return cmp.Or(c.Serial, c.TCP, c.File, c.USB) }

// MAC is the address of a network card, c0:56:e3:01:02:03.
type MAC string

// UnmarshalText reads one in any of the usual forms.
func (m *MAC) UnmarshalText(b []byte) error {
	mac, err := net.ParseMAC(string(b))
	if err != nil || len(mac) != 6 {
		return &strictyaml.ValueError{Code: CameraMAC}
	}
	*m = MAC(mac.String())
	return nil
}

// KeyDigest is the SHA-256 of the public key in a certificate, in hexadecimal.
type KeyDigest string

// UnmarshalText reads one, with or without colons.
func (k *KeyDigest) UnmarshalText(b []byte) error {
	text := strings.ToLower(strings.ReplaceAll(string(b), ":", ""))
	if sum, err := hex.DecodeString(text); err != nil || len(sum) != sha256.Size {
		return &strictyaml.ValueError{Code: CameraKey}
	}
	*k = KeyDigest(text)
	return nil
}

// Camera is one camera of the hall. URL is rtsp:// or rtsps:// without credentials. It is known by MAC and Key where they are written, else
// by those of the machine that answered first.
type Camera struct {
	Code     string    `yaml:"code"`
	Name     string    `yaml:"name"`
	Scene    int       `yaml:"scene"` // 1 entrance … 8 other
	URL      string    `yaml:"url"`
	SubURL   string    `yaml:"sub_url"`
	User     string    `yaml:"user"`
	Password Secret    `yaml:"password"`
	UDP      bool      `yaml:"udp"`
	Always   bool      `yaml:"always"` // relay without being asked
	MAC      MAC       `yaml:"mac"`
	Key      KeyDigest `yaml:"key"` // with rtsps:// alone
}

// Relay is where the pictures go.
type Relay struct {
	Node     string   `yaml:"node"`     // rtsps://host:port or rtsp+tlcp://host:port, rtsp://host:port on this machine; empty: where the centre says
	Password Secret   `yaml:"password"` // publishing password, with rtsp:// alone; the user is the hall code
	Subnets  []string `yaml:"subnets"`  // where cameras may be; empty: the private ranges
	LingerS  int      `yaml:"linger_s"`
}

// Notices are those of the centre that screens show.
type Notices struct {
	Keys []VerifyKey `yaml:"keys"` // that they are signed with; none: the centre's own, for a box that is enrolled
}

// Sounds is where speech comes from on this machine, for sound cards and for the pages of screens. Modules speak by themselves.
type Sounds struct {
	Packs  map[string]string `yaml:"packs"`  // language → directory of recorded clips
	Espeak string            `yaml:"espeak"` // auto: where it is installed, for what a pack lacks; none: never
}

// Journal bounds the database.
type Journal struct {
	MaxMiB     int `yaml:"max_mib"`
	RetainDays int `yaml:"retain_days"`
}

// Log is how much is logged: debug, info, warn or error.
type Log struct {
	Level string `yaml:"level"`
}
