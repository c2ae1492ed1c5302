package codes

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"halledge/agent/internal/config"
	"halledge/agent/kit/whole"
	"halledge/firmware-protocols/hallsync"
)

// tokenVersion begins every ticket token.
const tokenVersion = "HE1"

// macBytes of the MAC are kept: 128 bits cannot be guessed and keep the QR code small.
const macBytes = 16

// Signer makes and checks the token of a ticket, HE1.<ticket id>.<mac>, which stands in the QR code of its slip. Whoever holds
// it may see, withdraw and rate that one ticket. It carries no personal data and is worth nothing in another hall.
type Signer struct {
	key  [32]byte
	hall hallsync.HallID
	base string
	bad  []string // where a key that was damaged was put

	index index
}

// KeyFile is the name of the key in the data directory.
const KeyFile = "ticket.key"

// NewSigner reads the hall's key from the data directory, drawing it the first time. One that is damaged is put aside, and another one drawn: the
// hall goes on, and knows the codes on earlier slips no more. base is the address the slips' QR codes lead to, without a slash at the end
// (see PublicBase).
func NewSigner(dir string, hall hallsync.HallID, base string) (*Signer, error) {
	s := &Signer{hall: hall, base: strings.TrimRight(base, "/")}
	path := filepath.Join(dir, KeyFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = drawKey(path)
	}
	if err == nil && len(raw) != len(s.key) {
		s.bad = []string{path + ".bad"}
		if err = os.Rename(path, s.bad[0]); err == nil {
			raw, err = drawKey(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ticket key: %w", err)
	}
	copy(s.key[:], raw)
	s.index.own = ownKey(s.key[:], hall)
	return s, nil
}

// drawKey writes a new key so that a crash leaves either no key or the whole one.
func drawKey(path string) ([]byte, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	if err := whole.Write(path, key); err != nil {
		return nil, err
	}
	return key, nil
}

// Damaged lists the files that could not be read, under the names they were given.
func (s *Signer) Damaged() []string { return s.bad }

// Token gives the token of a ticket.
func (s *Signer) Token(id hallsync.TicketID) string {
	return tokenVersion + "." + string(id) + "." + base64.RawURLEncoding.EncodeToString(s.mac(id))
}

// TicketURL gives the address of a ticket's own page, as it is printed on slips.
func (s *Signer) TicketURL(id hallsync.TicketID) string { return s.base + "/t/" + s.Token(id) }

// Verify gives the ticket of a token; ok is false if the token is not one of this hall's.
func (s *Signer) Verify(token string) (id hallsync.TicketID, ok bool) {
	rest, found := strings.CutPrefix(token, tokenVersion+".")
	name, mac, _ := strings.Cut(rest, ".")
	if !found || name == "" || len(name) > 64 {
		return "", false
	}
	got, err := base64.RawURLEncoding.Strict().DecodeString(mac) // strict: a token has one form
	id = hallsync.TicketID(name)
	if err != nil || !hmac.Equal(got, s.mac(id)) {
		return "", false
	}
	return id, true
}

func (s *Signer) mac(id hallsync.TicketID) []byte {
	h := hmac.New(sha256.New, s.key[:])
	h.Write([]byte(tokenVersion + "\x00" + string(s.hall) + "\x00" + string(id)))
	return h.Sum(nil)[:macBytes]
}

// Digest gives a keyed digest, for remembering what a request said without keeping anything it could be guessed from.
func (s *Signer) Digest(data []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, s.key[:])
	h.Write([]byte("digest\x00"))
	h.Write(data)
	return [sha256.Size]byte(h.Sum(nil))
}

// tokenIn gives the token of a slip's QR code, which is either the bare token or an address that ends with it.
func tokenIn(text string) string {
	if _, token, found := strings.Cut(text, "/t/"); found {
		return token
	}
	return text
}

// PublicBase is the address under which citizens reach the hall's server: what the configuration says, else where it listens.
// A server that listens on all addresses is named by the first address of this machine that others can reach.
func PublicBase(web config.Web) string {
	if web.Public != "" {
		return strings.TrimRight(web.Public, "/")
	}
	host, port, err := net.SplitHostPort(web.Listen)
	if err != nil {
		return web.Scheme() + "://" + web.Listen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = ownAddress()
	}
	return web.Scheme() + "://" + net.JoinHostPort(host, port)
}

func ownAddress() string {
	addrs, _ := net.InterfaceAddrs() // none found is as good as none there
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}
