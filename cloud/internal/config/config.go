// Package config gives the cloud its file, cloud.yaml: where it listens, where its database is, which halls may connect and who
// may sign in. Load reports every problem at once, each with file, line and column.
package config

import (
	"net/netip"
	"slices"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/phc"
	"halledge/cloud/internal/rights"
	"halledge/firmware-protocols/hallsync"
)

// Config is cloud.yaml. After Load all paths are absolute and all secrets are read.
type Config struct {
	Schema   int      `yaml:"schema"`
	HTTP     HTTP     `yaml:"http"`
	MQTT     MQTT     `yaml:"mqtt"`
	Database string   `yaml:"database"` // path of the SQLite file, relative to cloud.yaml
	PKI      PKI      `yaml:"pki"`
	Edge     Edge     `yaml:"edge"`
	RTSP     RTSP     `yaml:"rtsp"`
	Vault    Vault    `yaml:"vault"`
	Facts    Facts    `yaml:"facts"`
	Zone     string   `yaml:"zone"` // IANA time zone of the times in answers, default Asia/Shanghai
	Media    Media    `yaml:"media"`
	Province Province `yaml:"province"`
	Notices  Notices  `yaml:"notices"`
	SignIn   SignIn   `yaml:"sign_in"`
	Users    []User   `yaml:"users"`
	Tokens   []Token  `yaml:"tokens"`
	Audit    Audit    `yaml:"audit"`
	Halls    []Hall   `yaml:"halls"`
	// HallFiles name further files with nothing but halls: a province is too long for one file. Load adds theirs to Halls.
	HallFiles []string `yaml:"hall_files"`
	Log       Log      `yaml:"log"`
}

// HTTP is the console and the API.
type HTTP struct {
	Listen string `yaml:"listen"` // host:port, default :9090; port 0 lets the system choose, as in all addresses
	Secure bool   `yaml:"secure"` // browsers reach it by https (a proxy in front): cookies are marked Secure
	// Proxies are the addresses or networks (CIDR) of proxies in front. What they write in X-Forwarded-For is believed: without
	// it everybody behind a proxy would count as one client, in the audit as in the limits of sign-in.
	Proxies []Network `yaml:"proxies"`
	// Hosts are the names browsers may reach it by, beside localhost and addresses. A page of another name that was made to point here
	// is refused.
	Hosts []string `yaml:"hosts"`
	TLS   HTTPTLS  `yaml:"tls"` // from here to the browser, without a proxy
}

// SignIn is what people need to sign in to the console.
type SignIn struct {
	SecondFactor string `yaml:"second_factor"` // admins (default): administrators must have one; off: who has one needs it
	OIDC         OIDC   `yaml:"oidc"`
}

// OIDC is a unified identity platform that people may sign in through, by OpenID Connect. Without an issuer there is none.
type OIDC struct {
	Issuer        string   `yaml:"issuer"` // https, or http on this machine; exactly as the platform writes it
	CA            string   `yaml:"ca"`     // issuers of its certificate, PEM; empty: the system's
	Client        string   `yaml:"client"` // our id there
	Secret        Secret   `yaml:"secret"`
	Redirect      string   `yaml:"redirect"`        // where browsers come back to: the console's address with /sign-in/oidc
	Scopes        []string `yaml:"scopes"`          // beside openid, default profile
	NameClaim     string   `yaml:"name_claim"`      // has the user's name, default preferred_username
	FullNameClaim string   `yaml:"full_name_claim"` // default name
	// Accounts says whose account somebody gets: invited (default): the one that bears his name, if an administrator has invited it;
	// named: the one that bears his name; claims: one of his own, with the rights of the first rule that speaks of him.
	Accounts string      `yaml:"accounts"`
	Rules    []ClaimRule `yaml:"rules"`
	Admins   Proofs      `yaml:"admins"` // what administrators have to show there
}

// ClaimRule gives rights to those whose claim is a value, or a list with it.
type ClaimRule struct {
	Claim string   `yaml:"claim"`
	Value string   `yaml:"value"`
	Roles []string `yaml:"roles"`
	Scope []string `yaml:"scope"`
}

// Rights gives the roles and the scope. What Load has found wrong gives none.
func (r ClaimRule) Rights() (rights.Roles, rights.Scope) {
	roles, _ := rights.RolesOf(r.Roles)
	where, _ := rights.ScopeOf(r.Scope)
	return roles, where
}

// Proofs are ways to prove oneself, in the platform's words; one of each list is enough, and an empty one asks for nothing.
type Proofs struct {
	AMR []string `yaml:"amr"`
	ACR []string `yaml:"acr"`
}

// The values of SignIn.SecondFactor.
const (
	FactorAdmins = "admins"
	FactorOff    = "off"
)

// The values of OIDC.Accounts.
const (
	AccountsInvited = "invited"
	AccountsNamed   = "named"
	AccountsClaims  = "claims"
)

// MQTT is the embedded broker.
type MQTT struct {
	Listen string `yaml:"listen"` // host:port on the loopback, default 127.0.0.1:1883
	TLS    string `yaml:"tls"`    // host:port for halls with certificates, for example :8883; empty: none
	TLCP   string `yaml:"tlcp"`   // the same, for example :8884
}

// PKI is the certificate authority of the centre.
type PKI struct {
	Directory string `yaml:"directory"` // of its keys and roots, relative to cloud.yaml; default: pki beside the database
	// TLSIssuers and SM2Issuers are files, PEM, with the issuers of an authority elsewhere, which signs in place of the centre's own; both or none.
	TLSIssuers string `yaml:"tls_issuers"`
	SM2Issuers string `yaml:"sm2_issuers"`
}

// Vault is where the centre's SM2 keys are: those that open what halls seal, and those that sign its receipts and orders.
type Vault struct {
	Directory string `yaml:"directory"` // relative to cloud.yaml; default: vault beside the database
}

// Facts says how the facts of halls are kept.
type Facts struct {
	// Days is the term of what facts say: then their day's key is destroyed. Default 366, the twelve months that halls tell people (PIPL 19).
	Days   int    `yaml:"days"`
	Sealed string `yaml:"sealed"` // required: facts in the clear are refused; allowed (default): until a hall has begun to seal
}

// The values of Facts.Sealed.
const (
	SealedRequired = "required"
	SealedAllowed  = "allowed"
)

// Media is the video node.
type Media struct {
	RTSP      string   `yaml:"rtsp"`      // host:port on the loopback where cameras are published and read, default 127.0.0.1:8554
	WebRTC    string   `yaml:"webrtc"`    // host:port, one UDP and one TCP port of the same number, default :8189
	Addresses []string `yaml:"addresses"` // IP addresses under which viewers reach the node; empty: those of its interfaces
}

// Province is who resolves citizens' codes. Halls ask the centre at /edge/v1/codes, each signed with the key that stands at the hall; the
// centre asks the province.
type Province struct {
	URL  string    `yaml:"url"`  // https, or http on this machine; empty: codes are not resolved
	Name string    `yaml:"name"` // under which the province knows our key
	Key  Secret    `yaml:"key"`  // our SM2 key, PEM; it signs what halls are told too
	Peer VerifyKey `yaml:"peer"` // the province's public key
	CA   string    `yaml:"ca"`   // issuers of its certificate, PEM; empty: the system's
}

// Notices are those that halls show on their screens.
type Notices struct {
	Key Secret `yaml:"key"` // the content key that they are signed with, SM2, PEM; empty: the one for orders
}

// VerifyKey is a public SM2 key, in base64 or PEM.
type VerifyKey struct{ gm.PublicKey }

// UnmarshalText reads a key.
func (k *VerifyKey) UnmarshalText(b []byte) error {
	if k.PublicKey.UnmarshalText(b) != nil {
		return &valueError{Code: VerifyKeyBad}
	}
	return nil
}

// User is a person who may sign in to the console. Roles are names of package rights; Role is how older files say it: viewer, admin or
// nothing. Scope lists what the codes of his halls begin with; without it he has all halls.
type User struct {
	Name     string   `yaml:"name"`
	FullName string   `yaml:"full_name"`
	Role     string   `yaml:"role"`
	Roles    []string `yaml:"roles"`
	Scope    []string `yaml:"scope"`
	Password Hash     `yaml:"password"`
}

// Rights gives the roles and the scope. What Load has found wrong gives none.
func (u User) Rights() (rights.Roles, rights.Scope) {
	roles := rights.Earlier(u.Role)
	if u.Roles != nil {
		roles, _ = rights.RolesOf(u.Roles)
	}
	return roles, scope(u.Scope)
}

// Token lets another program read the API with Authorization: Bearer, and the cameras over RTSP with the name as user and the
// secret as password. Role, Roles and Scope are as those of a User; a program is no administrator.
type Token struct {
	Name   string   `yaml:"name"`
	Role   string   `yaml:"role"`
	Roles  []string `yaml:"roles"`
	Scope  []string `yaml:"scope"`
	Secret Secret   `yaml:"secret"`
}

// Rights gives the roles and the scope. What Load has found wrong gives none.
func (t Token) Rights() (rights.Roles, rights.Scope) {
	roles, where := User{Role: t.Role, Roles: t.Roles, Scope: t.Scope}.Rights()
	return slices.DeleteFunc(roles, func(r rights.Role) bool { return r == rights.Admin }), where
}

func scope(prefixes []string) rights.Scope {
	if prefixes == nil {
		return rights.Whole()
	}
	s, _ := rights.ScopeOf(prefixes)
	return s
}

// Audit says how long it is kept who did what.
type Audit struct {
	Days int `yaml:"days"` // default 730; 184 at least: the Cybersecurity Law, article 21, wants six months of network logs
}

// Hall is a hall that may connect.
type Hall struct {
	Code     hallsync.HallID `yaml:"code"`
	Name     string          `yaml:"name"`
	Region   string          `yaml:"region"`   // where it is, as people say it
	Password Hash            `yaml:"password"` // of its MQTT user on this machine; not needed by who comes with a certificate
	Publish  Secret          `yaml:"publish"`  // RTSP password under which it publishes its cameras; empty: it may not
	Codes    VerifyKey       `yaml:"codes"`    // public key of its questions about codes; empty: it may ask none
	Cameras  []Camera        `yaml:"cameras"`
}

// Camera is a camera that a hall may publish.
type Camera struct {
	Code  string `yaml:"code"` // hall code, -CM and three digits
	Name  string `yaml:"name"`
	Scene int    `yaml:"scene"` // 1 entrance, 2 kiosks, 3 waiting, 4 window (public), 5 window (staff), 6 self-service, 7 desk, 8 other
}

// Log is how much is logged: debug, info, warn or error.
type Log struct {
	Level string `yaml:"level"`
}

// Hash is a password hash in PHC form.
type Hash struct{ phc.Hash }

// UnmarshalText reads a hash. A password written out is refused.
func (h *Hash) UnmarshalText(b []byte) error {
	parsed, err := phc.Parse(string(b))
	if err != nil {
		return &valueError{Code: PasswordHash}
	}
	h.Hash = parsed
	return nil
}

// wide reports whether more than the proxies of one place are in a network: by writing X-Forwarded-For, anybody in it can pass for
// somebody else. A network of one's own may be larger than one of public addresses.
func (n Network) wide() bool {
	ip, bits := n.Addr(), n.Bits()
	own := ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()
	if ip.Is4() {
		return bits < 16 || bits < 24 && !own
	}
	return bits < 48 || bits < 64 && !own
}

// Network is one address or a network in CIDR notation.
type Network struct{ netip.Prefix }

// UnmarshalText reads an address or a network.
func (n *Network) UnmarshalText(b []byte) error {
	text := string(b)
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		n.Prefix = netip.PrefixFrom(ip, ip.BitLen())
		return nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return &valueError{Code: NotNetwork, Args: map[string]string{"value": text}}
	}
	n.Prefix = p.Masked()
	return nil
}

func defaults() Config {
	return Config{
		HTTP: HTTP{Listen: ":9090"}, MQTT: MQTT{Listen: "127.0.0.1:1883"}, Database: "cloud.db", Zone: "Asia/Shanghai",
		Media: Media{RTSP: "127.0.0.1:8554", WebRTC: ":8189"}, Audit: Audit{Days: 730}, Facts: Facts{Days: 366, Sealed: SealedAllowed},
		SignIn: SignIn{SecondFactor: FactorAdmins, OIDC: OIDC{
			Scopes: []string{"profile"}, NameClaim: "preferred_username", FullNameClaim: "name", Accounts: AccountsInvited,
		}}, Log: Log{Level: "info"},
	}
}
