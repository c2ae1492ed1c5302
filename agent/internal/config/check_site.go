package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/strictyaml"
	"halledge/configs"
	"halledge/drivers/attached"
	"halledge/drivers/builtin"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/hallsync"
)

// Shortest secrets in bytes: a token is drawn by a program, a password may have been chosen by a person.
const (
	minToken    = 16
	minPassword = 1
)

func (c *checker) site(s *Site) {
	c.form("$.hall.code", s.Hall.Code, hallCode, HallCode)
	c.name("$.hall.name", s.Hall.Name)
	c.oneOf("$.hall.profile", s.Hall.Profile, "full", "town", "village")
	if s.Hall.Logo != "" {
		if _, err := os.Stat(s.Hall.Logo); err != nil {
			c.at("$.hall.logo", Unreadable, "reason", reasonOf(err))
		}
	}
	c.web(&s.Web)
	c.cloud(&s.Cloud)
	c.codes(&s.Codes)
	names := set{}
	for i := range s.Devices {
		path := fmt.Sprintf("$.devices[%d]", i)
		c.device(path, &s.Devices[i])
		names.add(c, path+".name", s.Devices[i].Name)
	}
	c.twins(s.Devices)
	c.drivers(s.Devices)
	codes := set{}
	for i := range s.Cameras {
		path := fmt.Sprintf("$.cameras[%d]", i)
		c.camera(path, &s.Cameras[i], s.Hall.Code)
		codes.add(c, path+".code", s.Cameras[i].Code)
	}
	c.relay(&s.Relay)
	c.sounds(&s.Voice)
	c.between("$.journal.max_mib", s.Journal.MaxMiB, 64, 65536)
	c.between("$.journal.retain_days", s.Journal.RetainDays, 1, 365)
	c.oneOf("$.log.level", s.Log.Level, "debug", "info", "warn", "error")
}

func (c *checker) web(w *Web) {
	c.hostPort("$.web.listen", w.Listen, false)
	c.oneOf("$.web.tls", w.TLS, "auto", "on", "off")
	if host, _, err := net.SplitHostPort(w.Listen); w.TLS == "off" && err == nil && !loopback(host) {
		c.at("$.web.tls", WebLoopback, "value", w.Listen)
	}
	for i, h := range w.Hosts {
		if h == "" || strings.ContainsAny(h, " /@") {
			c.at(fmt.Sprintf("$.web.hosts[%d]", i), Address, "value", h)
		}
	}
	if w.Public != "" {
		u, err := url.Parse(w.Public)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			c.at("$.web.public", WebAddress, "value", w.Public)
		}
	}
	secrets := map[string]bool{}
	for i := range w.Tokens {
		path := fmt.Sprintf("$.web.tokens[%d]", i)
		t := &w.Tokens[i]
		c.oneOf(path+".role", t.Role, "kiosk", "screen", "rate", "staff", "ops")
		if t.Secret.Ref == "" {
			c.at(path+".secret", strictyaml.Missing, "key", "secret")
			continue
		}
		c.doc.ReadSecret(path+".secret", &t.Secret, c.dir, minToken)
		if secrets[t.Secret.Reveal()] {
			c.at(path+".secret", TokenShared)
		}
		secrets[t.Secret.Reveal()] = !t.Secret.Empty()
	}
}

func (c *checker) cloud(cl *Cloud) {
	if cl.HTTPS != "" {
		u, err := url.Parse(cl.HTTPS)
		if err != nil || u.Scheme != "https" && u.Scheme != "tlcp" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
			c.at("$.cloud.https", CloudHTTPS)
		}
	}
	if cl.MQTT == "" {
		return
	}
	u, err := url.Parse(cl.MQTT)
	switch {
	case err != nil || !slices.Contains([]string{"tcp", "tls", "tlcp"}, u.Scheme) || u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "":
		c.at("$.cloud.mqtt", MQTTAddress)
		return
	case u.Scheme == "tcp" && !loopback(u.Hostname()):
		c.at("$.cloud.mqtt", MQTTLoopback, "value", u.Host)
	}
	c.plainPassword("$.cloud.password", &cl.Password, u.Scheme == "tcp")
}

// plainPassword checks a password that goes with plain connections alone: with the others the box shows its certificate.
func (c *checker) plainPassword(path string, s *Secret, plain bool) {
	switch {
	case plain && s.Ref == "":
		c.at(path, strictyaml.Missing, "key", lastKey(path))
	case !plain && s.Ref != "":
		c.at(path, NoPassword)
		return
	}
	c.doc.ReadSecret(path, s, c.dir, minPassword)
}

func (c *checker) codes(codes *Codes) {
	c.oneOf("$.codes.resolver", codes.Resolver, "none", "sim", "remote")
	c.doc.ReadSecret("$.codes.key", &codes.Key, c.dir, minPassword)
	if !codes.Key.Empty() {
		if _, err := gm.ParsePrivateKey(codes.Key.Reveal()); err != nil {
			c.at("$.codes.key", SignKeyBad)
		}
	}
	if codes.CA != "" {
		if _, err := os.Stat(codes.CA); err != nil {
			c.at("$.codes.ca", Unreadable, "reason", reasonOf(err))
		}
	}
	if codes.Resolver != "remote" {
		return
	}
	u, err := url.Parse(codes.URL)
	if err != nil || u.User != nil || u.Host == "" || u.RawQuery != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		c.at("$.codes.url", CodesURL, "value", codes.URL)
	}
	if codes.Key.Ref == "" {
		c.at("$.codes.key", strictyaml.Missing, "key", "key")
	}
	if codes.Peer.IsZero() {
		c.at("$.codes.peer", strictyaml.Missing, "key", "peer")
	}
}

func (c *checker) device(path string, d *Device) {
	if _, _, ok := d.Split(); !ok {
		c.at(path+".name", DeviceName, "value", d.Name, "allowed", strings.Join(RoleNames(), ", "))
	} else {
		c.known(path+".model", d.Model, modelsOf(d.Class()), UnknownModel)
	}
	where := d.Connect
	given := 0
	for key, value := range map[string]string{"serial": where.Serial, "file": where.File} {
		if value == "" {
			continue
		}
		given++
		if ref, isRef := strings.CutPrefix(value, "usb:"); isRef {
			if _, err := attached.ParseRef(ref); err != nil {
				c.at(path+".connect."+key, USBReference, "value", value)
			}
		} else if !filepath.IsAbs(value) {
			c.at(path+".connect."+key, AbsolutePath, "value", value)
		}
	}
	if where.TCP != "" {
		given++
		c.hostPort(path+".connect.tcp", where.TCP, true)
	}
	if where.USB != "" {
		given++
		if _, err := attached.ParseRef(where.USB); err != nil {
			c.at(path+".connect.usb", USBNumbers, "value", where.USB)
		}
	}
	if given != 1 {
		c.at(path+".connect", ConnectOne)
	}
	switch where.Baud {
	case 0, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600:
	default:
		c.at(path+".connect.baud", Baud, "value", fmt.Sprint(where.Baud))
	}
	if flows := []string{"none", "rtscts", "xonxoff"}; where.Flow != "" && !slices.Contains(flows, where.Flow) {
		c.at(path+".connect.flow", strictyaml.NotAllowed, "value", where.Flow, "allowed", strings.Join(flows, ", "))
	}
}

// twins finds devices whose references differ and yet can fit the same thing plugged in: what is for one might go to the other. It warns
// of a reference that fits every device of the make.
func (c *checker) twins(all []Device) {
	type place struct {
		key, value string
		ref        attached.Ref
	}
	places := make([]place, len(all))
	for i, d := range all {
		p := &places[i]
		for _, at := range []place{{key: "serial", value: d.Connect.Serial}, {key: "file", value: d.Connect.File}, {key: "usb", value: d.Connect.USB}} {
			text, isRef := strings.CutPrefix(at.value, "usb:")
			if ref, err := attached.ParseRef(text); err == nil && isRef == (at.key != "usb") {
				*p = place{at.key, at.value, ref}
			}
		}
		if p.value == "" {
			continue
		}
		where := fmt.Sprintf("$.devices[%d].connect.%s", i, p.key)
		if p.ref.Serial == "" && p.ref.Port == "" {
			c.doc.Warn(where, USBVague, map[string]string{"value": p.value})
		}
		for j, o := range places[:i] {
			if o.value != "" && p.ref != o.ref && p.ref.Overlaps(o.ref) {
				c.at(where, USBTwins, "value", p.value, "other", o.value, "device", all[j].Name)
				break
			}
		}
	}
}

// drivers checks what only the drivers know: the options of each device, and whether it can stand on its line beside the others.
func (c *checker) drivers(all []Device) {
	models, err := registry.LoadModels(configs.FS())
	if err != nil {
		return // a model that cannot be read is none: the device's own check says so
	}
	drivers := builtin.All()
	var lines registry.Lines
	names := make(map[string]int) // of the nodes that the devices lead to: the first device that does
	for i, d := range all {
		m, known := models[registry.Key{Class: d.Class(), Name: d.Model}]
		where := fmt.Sprintf("$.devices[%d]", i)
		site := registry.Site{Name: d.Name, Connect: d.Connect.Driven(), Options: d.Options}
		if !known || site.Connect.Check() != nil {
			continue // said already
		}
		if _, err := drivers.Build(m, site, slog.New(slog.DiscardHandler)); err != nil {
			c.options(where, err)
		}
		if clash := lines.Add(drivers, m, site); clash != nil {
			c.clash(where, d, clash)
			continue
		}
		node := drivers.Node(m, site.Connect, "/")
		first, taken := names[node]
		switch {
		case node == "":
		case !taken:
			names[node] = i
		case all[first].Connect.where() != d.Connect.where():
			args := map[string]string{"value": d.Connect.where(), "other": all[first].Connect.where(), "device": all[first].Name}
			c.doc.Warn(where+".connect", PortTwice, args) // it may be another one tomorrow
		}
	}
}

// options tells why a driver does not take a device at path.
func (c *checker) options(path string, err error) {
	list := registry.OptionErrors(err)
	for _, o := range list {
		where := path + ".options." + o.Key
		switch {
		case o.Unknown:
			c.at(where, strictyaml.UnknownKey, "key", o.Key, "allowed", strings.Join(o.Allowed, ", "))
		case o.Allowed != nil:
			c.at(where, strictyaml.NotAllowed, "value", o.Value, "allowed", strings.Join(o.Allowed, ", "))
		case o.High != "":
			c.at(where, strictyaml.OutOfRange, "value", o.Value, "low", o.Low, "high", o.High)
		default:
			c.at(where, DeviceOption, "key", o.Key, "value", o.Value, "reason", o.Why)
		}
	}
	if len(list) == 0 {
		c.at(path, DeviceUnfit, "reason", err.Error())
	}
}

// clash tells why a device at path cannot stand on its line.
func (c *checker) clash(path string, d Device, clash *registry.Clash) {
	at := func(option string) string {
		if _, set := d.Options[option]; set {
			return path + ".options." + option
		}
		return path + ".connect"
	}
	st := clash.Station
	switch clash.Reason {
	case registry.LineTaken:
		c.at(path+".connect", LineTaken, "value", clash.Line, "device", clash.Owner)
	case registry.LineSpeed:
		c.at(path+".connect", LineSpeed, "value", clash.Line, "device", clash.Owner)
	case registry.NoNumber:
		c.at(path+".connect", LineAlone, "device", clash.Owner)
	case registry.SamePart:
		c.at(at(st.Part), LinePart, "value", fmt.Sprintf("%d-%d", st.First, st.Last), "key", st.Part, "device", clash.Owner)
	default:
		c.at(at(st.Option), LineAddress, "value", strconv.Itoa(st.Number), "key", st.Option, "device", clash.Owner)
	}
}

var cameraSerial = regexp.MustCompile(`^-CM\d{3}$`)

func (c *checker) camera(path string, cam *Camera, hall string) {
	rest, ours := strings.CutPrefix(cam.Code, hall)
	if hallsync.HallID(hall).Valid() && (!ours || !cameraSerial.MatchString(rest)) {
		c.at(path+".code", CameraCode, "value", cam.Code, "hall", hall)
	}
	c.name(path+".name", cam.Name)
	c.between(path+".scene", cam.Scene, 1, 8)
	if cam.URL == "" {
		c.at(path+".url", strictyaml.Missing, "key", "url")
	}
	c.rtsp(path+".url", cam.URL)
	c.rtsp(path+".sub_url", cam.SubURL)
	if cam.Key != "" && !strings.HasPrefix(cmp.Or(cam.SubURL, cam.URL), "rtsps://") {
		c.at(path+".key", CameraKeyTLS)
	}
	if cam.User == "" && cam.Password.Ref != "" {
		c.at(path+".user", strictyaml.Missing, "key", "user")
	}
	c.doc.ReadSecret(path+".password", &cam.Password, c.dir, minPassword)
}

// rtsp checks an address that must not hold credentials; its sentences never show the address.
func (c *checker) rtsp(path, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "rtsp" && u.Scheme != "rtsps" || u.Hostname() == "":
		c.at(path, RTSPAddress)
	case u.User != nil:
		c.at(path, RTSPUser)
	}
}

// node checks where the pictures go, which the centre says to a box where nothing is written.
func (c *checker) node(r *Relay) {
	u, err := url.Parse(r.Node)
	switch {
	case r.Node == "":
		c.plainPassword("$.relay.password", &r.Password, false)
		return
	case err != nil || !slices.Contains([]string{"rtsp", "rtsps", "rtsp+tlcp"}, u.Scheme) || u.Hostname() == "" || u.Port() == "" ||
		u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "":
		c.at("$.relay.node", NodeAddress)
		return
	case u.Scheme == "rtsp" && !loopback(u.Hostname()):
		c.at("$.relay.node", NodeLoopback, "value", u.Host)
	}
	c.plainPassword("$.relay.password", &r.Password, u.Scheme == "rtsp")
}

func (c *checker) relay(r *Relay) {
	c.node(r)
	for i, s := range r.Subnets {
		if _, err := netip.ParsePrefix(s); err != nil {
			c.at(fmt.Sprintf("$.relay.subnets[%d]", i), Subnet, "value", s)
		}
	}
	c.between("$.relay.linger_s", r.LingerS, 0, 3600)
}

func (c *checker) sounds(v *Sounds) {
	c.oneOf("$.voice.espeak", v.Espeak, "auto", "none")
	for _, language := range slices.Sorted(maps.Keys(v.Packs)) {
		where := "$.voice.packs." + language
		if !slices.Contains(Languages(), language) {
			c.at(where, strictyaml.UnknownKey, "key", language, "allowed", strings.Join(Languages(), ", "))
		} else if _, err := os.Stat(v.Packs[language]); err != nil {
			c.at(where, Unreadable, "reason", reasonOf(err))
		}
	}
}

// siteFits checks that devices and tokens speak of places hall.yaml has.
func (c *checker) siteFits(s *Site, p *Plan) {
	for i := range s.Devices {
		place, _, ok := s.Devices[i].Split()
		if ok {
			c.place(fmt.Sprintf("$.devices[%d].name", i), place.Kind, place.ID, p)
		}
	}
	for i, t := range s.Web.Tokens {
		kind := t.Role
		if kind == "rate" { // a tablet stands at a window
			kind = "window"
		}
		c.place(fmt.Sprintf("$.web.tokens[%d].id", i), kind, t.ID, p)
	}
}

func (c *checker) place(path, kind, id string, p *Plan) {
	switch kind {
	case "kiosk":
		c.known(path, id, p.kioskIDs(), UnknownKiosk)
	case "window":
		c.known(path, id, p.windowIDs(), UnknownWindow)
	case "screen":
		c.known(path, id, p.screenIDs(), UnknownScreen)
	}
}
