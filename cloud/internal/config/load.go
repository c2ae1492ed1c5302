package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/strictyaml"
	"halledge/cloud/internal/rights"
	"halledge/firmware-protocols/hallsync"
)

type valueError = strictyaml.ValueError

// What Load finds wrong beyond the shape of the file. The arguments of the sentences are named in the comments.
const (
	Unreadable   strictyaml.Code = "config_unreadable"  // reason
	SchemaNew    strictyaml.Code = "config_schema_new"  // value, known
	Missing      strictyaml.Code = "config_missing"     // key
	TooLong      strictyaml.Code = "config_too_long"    // limit
	NotAllowed   strictyaml.Code = "config_not_allowed" // value, allowed
	Twice        strictyaml.Code = "config_twice"       // value
	HallCode     strictyaml.Code = "config_hall_code"   // value
	Address      strictyaml.Code = "config_address"     // value
	CameraCode   strictyaml.Code = "config_camera_code" // value, hall
	Zone         strictyaml.Code = "config_zone"        // value
	TokenShared  strictyaml.Code = "config_token_shared"
	MQTTListen   strictyaml.Code = "config_mqtt_listen" // value
	PasswordHash strictyaml.Code = "config_password_hash"
	UserName     strictyaml.Code = "config_user_name"  // value
	IPAddress    strictyaml.Code = "config_ip_address" // value
	NotNetwork   strictyaml.Code = "config_network"    // value
	ProxyNeeded  strictyaml.Code = "config_proxy_needed"
	CodesURL     strictyaml.Code = "config_codes_url" // value
	SignKeyBad   strictyaml.Code = "config_sign_key"
	VerifyKeyBad strictyaml.Code = "config_verify_key"
	ProxyWide    strictyaml.Code = "config_proxy_wide" // value
	AuditDays    strictyaml.Code = "config_audit_days" // low, high
	FactDays     strictyaml.Code = "config_fact_days"  // low, high
	RoleBoth     strictyaml.Code = "config_role_both"
	ScopePrefix  strictyaml.Code = "config_scope" // value
	ScopeClerk   strictyaml.Code = "config_scope_clerk"
	FactorIsOff  strictyaml.Code = "config_factor_off"
	HostsMissing strictyaml.Code = "config_hosts_missing"
	HostName     strictyaml.Code = "config_host_name"     // value
	OIDCURL      strictyaml.Code = "config_oidc_url"      // value
	OIDCRedirect strictyaml.Code = "config_oidc_redirect" // value
	OIDCRules    strictyaml.Code = "config_oidc_rules"
	OIDCAdmins   strictyaml.Code = "config_oidc_admins"
)

const (
	schema  = 1
	maxName = 40 // characters of a name people read

	// Days the audit is kept: the longest six months have 184.
	minAuditDays = 184
	maxAuditDays = 3650

	// Days facts are kept at least: halls repeat those of a week.
	minFactDays = 30
)

var (
	userName   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)
	hostName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	cameraTail = regexp.MustCompile(`^-CM[0-9]{3}$`)
)

// ValidUserName reports whether a user may have this name: small letters, digits, dot, dash and underscore, at most 32.
func ValidUserName(name string) bool { return userName.MatchString(name) }

// Load reads cloud.yaml and the files of halls it names. When Problems.Err is not nil the configuration must not be used.
func Load(path string) (Config, strictyaml.Problems) {
	c := defaults()
	full, err := filepath.Abs(path)
	if err != nil {
		full = path
	}
	data, err := strictyaml.ReadFile(full)
	if err != nil {
		return c, strictyaml.Problems{{
			File: full, Line: 1, Col: 1, Path: "$", Code: Unreadable, Args: map[string]string{"reason": err.Error()},
		}}
	}
	doc := strictyaml.Decode(full, data, &c)
	check := &checker{doc: doc, dir: filepath.Dir(full), codes: map[string]bool{}, cameras: map[string]bool{}}
	check.config(&c)
	var further strictyaml.Problems
	for i, name := range c.HallFiles {
		path := strictyaml.Absolute(check.dir, name)
		data, err := strictyaml.ReadFile(path)
		if err != nil {
			check.at(fmt.Sprintf("$.hall_files[%d]", i), Unreadable, "reason", path+": "+err.Error())
			continue
		}
		halls, found := check.hallFile(path, data)
		c.Halls = append(c.Halls, halls...)
		further = append(further, found...)
	}
	return c, append(doc.Problems, further...)
}

// hallFile gives the halls of one further file, and its problems.
func (c *checker) hallFile(path string, data []byte) ([]Hall, strictyaml.Problems) {
	var file struct {
		Halls []Hall `yaml:"halls"`
	}
	own := *c
	own.doc = strictyaml.Decode(path, data, &file)
	own.halls(file.Halls)
	return file.Halls, own.doc.Problems
}

type checker struct {
	doc            *strictyaml.Document
	dir            string          // of cloud.yaml; all paths go from there
	codes, cameras map[string]bool // seen in any file
	secured        bool            // halls may come by certificates
}

// at notes a problem; args are pairs of name and value.
func (c *checker) at(path string, code strictyaml.Code, args ...string) {
	m := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	c.doc.At(path, code, m)
}

func (c *checker) facts(v Facts) {
	if v.Days < minFactDays || v.Days > maxAuditDays {
		c.at("$.facts.days", FactDays, "low", strconv.Itoa(minFactDays), "high", strconv.Itoa(maxAuditDays))
	}
	if v.Sealed != SealedRequired && v.Sealed != SealedAllowed {
		c.at("$.facts.sealed", NotAllowed, "value", v.Sealed, "allowed", SealedAllowed+", "+SealedRequired)
	}
}

func (c *checker) config(v *Config) {
	c.secured = v.Secured()
	if v.Schema != schema {
		c.at("$.schema", SchemaNew, "value", strconv.Itoa(v.Schema), "known", strconv.Itoa(schema))
	}
	c.address("$.http.listen", v.HTTP.Listen)
	if v.HTTP.Secure && len(v.HTTP.Proxies) == 0 {
		c.doc.Warn("$.http.secure", ProxyNeeded, nil)
	}
	for i, p := range v.HTTP.Proxies {
		if p.IsValid() && p.wide() {
			c.doc.Warn(fmt.Sprintf("$.http.proxies[%d]", i), ProxyWide, map[string]string{"value": p.String()})
		}
	}
	if v.Audit.Days < minAuditDays || v.Audit.Days > maxAuditDays {
		c.at("$.audit.days", AuditDays, "low", strconv.Itoa(minAuditDays), "high", strconv.Itoa(maxAuditDays))
	}
	c.facts(v.Facts)
	c.doors(v)
	c.address("$.media.webrtc", v.Media.WebRTC)
	if c.address("$.mqtt.listen", v.MQTT.Listen) && !loopback(v.MQTT.Listen) {
		c.at("$.mqtt.listen", MQTTListen, "value", v.MQTT.Listen)
	}
	for i, a := range v.Media.Addresses {
		if _, err := netip.ParseAddr(a); err != nil {
			c.at(fmt.Sprintf("$.media.addresses[%d]", i), IPAddress, "value", a)
		}
	}
	if v.Database == "" {
		c.at("$.database", Missing, "key", "database")
	}
	v.Database = strictyaml.Absolute(c.dir, v.Database)
	if v.PKI.Directory == "" {
		v.PKI.Directory = filepath.Join(filepath.Dir(v.Database), "pki")
	}
	v.PKI.Directory = strictyaml.Absolute(c.dir, v.PKI.Directory)
	v.Vault.Directory = strictyaml.Absolute(c.dir, cmp.Or(v.Vault.Directory, filepath.Join(filepath.Dir(v.Database), "vault")))
	if _, err := time.LoadLocation(v.Zone); err != nil || v.Zone == "" || v.Zone == "Local" {
		c.at("$.zone", Zone, "value", v.Zone)
	}
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, v.Log.Level) {
		c.at("$.log.level", NotAllowed, "value", v.Log.Level, "allowed", strings.Join(levels, ", "))
	}
	c.province(&v.Province)
	c.signKey("$.notices.key", &v.Notices.Key)
	for i, h := range v.HTTP.Hosts {
		if !hostName.MatchString(h) {
			c.at(fmt.Sprintf("$.http.hosts[%d]", i), HostName, "value", h)
		}
	}
	if len(v.HTTP.Proxies) > 0 && len(v.HTTP.Hosts) == 0 {
		c.doc.Warn("$.http", HostsMissing, nil) // what people type is a name then
	}
	c.signIn(&v.SignIn)
	c.users(v.Users)
	c.tokens(v.Tokens)
	c.halls(v.Halls)
}

// signKey reads a private key.
func (c *checker) signKey(path string, s *Secret) {
	c.doc.ReadSecret(path, s, c.dir, 1)
	if !s.Empty() {
		if _, err := gm.ParsePrivateKey(s.Reveal()); err != nil {
			c.at(path, SignKeyBad)
		}
	}
}

func (c *checker) province(p *Province) {
	c.signKey("$.province.key", &p.Key)
	c.authority("$.province.ca", &p.CA)
	if p.URL == "" {
		return
	}
	if _, ok := webAddress(p.URL); !ok {
		c.at("$.province.url", CodesURL, "value", p.URL)
	}
	for key, missing := range map[string]bool{"name": p.Name == "", "key": p.Key.Ref == "", "peer": p.Peer.IsZero()} {
		if missing {
			c.at("$.province."+key, Missing, "key", key)
		}
	}
}

func (c *checker) users(users []User) {
	seen := map[string]bool{}
	for i, u := range users {
		path := fmt.Sprintf("$.users[%d]", i)
		if !ValidUserName(u.Name) {
			c.at(path+".name", UserName, "value", u.Name)
		}
		c.once(seen, path+".name", u.Name)
		c.name(path+".full_name", u.FullName)
		c.rights(path, u.Role, u.Roles, u.Scope, rights.All())
		if u.Password.IsZero() {
			c.at(path+".password", Missing, "key", "password")
		}
	}
}

func (c *checker) rights(path, role string, roles, scope []string, allowed rights.Roles) {
	if earlier := []string{"", string(rights.Viewer), string(rights.Admin)}; !slices.Contains(earlier, role) {
		c.at(path+".role", NotAllowed, "value", role, "allowed", strings.Join(earlier[1:], ", "))
	}
	if role != "" && roles != nil {
		c.at(path+".role", RoleBoth)
	}
	for i, r := range roles {
		if !allowed.Has(rights.Role(r)) {
			c.at(fmt.Sprintf("%s.roles[%d]", path, i), NotAllowed, "value", r, "allowed", strings.Join(allowed.Names(), ", "))
		}
	}
	if scope != nil && len(scope) == 0 {
		c.at(path+".scope", Missing, "key", "scope")
	}
	whole := rights.Scope(scope)
	if scope == nil {
		whole = rights.Whole()
	}
	if slices.Contains(roles, string(rights.Clerk)) && !whole.OfHalls() {
		c.at(path+".roles", ScopeClerk)
	}
	for i, p := range scope {
		if _, err := rights.ScopeOf([]string{p}); err != nil || p == "" {
			c.at(fmt.Sprintf("%s.scope[%d]", path, i), ScopePrefix, "value", p)
		}
	}
}

func (c *checker) tokens(tokens []Token) {
	names, secrets := map[string]bool{}, map[string]bool{}
	for i := range tokens {
		t := &tokens[i]
		path := fmt.Sprintf("$.tokens[%d]", i)
		if !ValidUserName(t.Name) {
			c.at(path+".name", UserName, "value", t.Name)
		}
		c.once(names, path+".name", t.Name)
		c.rights(path, t.Role, t.Roles, t.Scope, slices.DeleteFunc(rights.All(), func(r rights.Role) bool { return r == rights.Admin }))
		if t.Secret.Ref == "" {
			c.at(path+".secret", Missing, "key", "secret")
			continue
		}
		c.doc.ReadSecret(path+".secret", &t.Secret, c.dir, minToken)
		if secrets[t.Secret.Reveal()] {
			c.at(path+".secret", TokenShared)
		}
		secrets[t.Secret.Reveal()] = !t.Secret.Empty()
	}
}

func (c *checker) halls(halls []Hall) {
	for i := range halls {
		h := &halls[i]
		path := fmt.Sprintf("$.halls[%d]", i)
		if !h.Code.Valid() {
			c.at(path+".code", HallCode, "value", string(h.Code))
		}
		c.once(c.codes, path+".code", string(h.Code))
		if h.Name == "" {
			c.at(path+".name", Missing, "key", "name")
		}
		c.name(path+".name", h.Name)
		c.name(path+".region", h.Region)
		if h.Password.IsZero() && !c.secured {
			c.at(path+".password", Missing, "key", "password")
		}
		c.doc.ReadSecret(path+".publish", &h.Publish, c.dir, minPublish)
		for j, cam := range h.Cameras {
			c.camera(fmt.Sprintf("%s.cameras[%d]", path, j), cam, h.Code)
			c.once(c.cameras, fmt.Sprintf("%s.cameras[%d].code", path, j), cam.Code)
		}
	}
}

func (c *checker) camera(path string, cam Camera, hall hallsync.HallID) {
	tail, ours := strings.CutPrefix(cam.Code, string(hall))
	if !ours || !cameraTail.MatchString(tail) {
		c.at(path+".code", CameraCode, "value", cam.Code, "hall", string(hall))
	}
	c.name(path+".name", cam.Name)
	if cam.Scene < 1 || cam.Scene > 8 {
		c.at(path+".scene", NotAllowed, "value", strconv.Itoa(cam.Scene), "allowed", "1–8")
	}
}

func (c *checker) name(path, name string) {
	if utf8.RuneCountInString(name) > maxName {
		c.at(path, TooLong, "limit", strconv.Itoa(maxName))
	}
}

func (c *checker) once(seen map[string]bool, path, value string) {
	if seen[value] {
		c.at(path, Twice, "value", value)
	}
	seen[value] = true
}

// address checks host:port; an empty host means all interfaces.
func (c *checker) address(path, value string) bool {
	host, port, err := net.SplitHostPort(value)
	n, convErr := strconv.Atoi(port)
	if err != nil || convErr != nil || n < 0 || n > 65535 || strings.ContainsAny(host, " /@") {
		c.at(path, Address, "value", value)
		return false
	}
	return true
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
