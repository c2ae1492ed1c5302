package whep

import (
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"halledge/test/await"
)

// candidates are what an answer tells of addresses.
var candidates = regexp.MustCompile(`(?m)^a=candidate:\S+ \d+ (\S+) \d+ (\S+) (\d+) typ (\S+)(.*)\r$`)

// Threat 28: whoever looks learns the addresses that the operator has written down, and nothing else of the network that the node stands in.
func TestThreat28AnswersNameTheConfiguredAddressesAlone(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		listen string
		told   []string
	}{
		"an address of its own":       {"127.0.0.1:0", nil},
		"behind an address":           {"127.0.0.1:0", []string{"203.0.113.7"}},
		"everywhere, behind one":      {":0", []string{"203.0.113.7"}},
		"everywhere, behind one of 6": {":0", []string{"2001:DB8::7", "203.0.113.7"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, func(c *Config) { c.Listen, c.Addresses = tt.listen, tt.told })
			f := n.publish()
			defer f.close()
			res, answer := n.request(http.MethodPost, Prefix+cam, newBrowser(t, webrtc.NetworkTypeUDP4).offer(), nil)
			if res.StatusCode != http.StatusCreated {
				t.Fatalf("%d %s", res.StatusCode, answer)
			}
			may := map[string]bool{}
			for _, a := range tt.told {
				may[net.ParseIP(a).String()] = true
			}
			if tt.told == nil {
				may[n.Addr().IP.String()] = true
			}
			found := candidates.FindAllStringSubmatch(answer, -1)
			if len(found) == 0 || len(found) != strings.Count(answer, "a=candidate") {
				t.Fatalf("candidates %q of\n%s", found, answer)
			}
			for _, c := range found {
				if !may[c[2]] || c[3] != strconv.Itoa(n.Addr().Port) && c[3] != "9" || c[4] != "host" || strings.Contains(c[5], "raddr") {
					t.Errorf("candidate %q", c[0])
				}
			}
			for _, word := range strings.Fields(answer) {
				if ip := net.ParseIP(word); !may[word] && (strings.HasSuffix(word, ".local") || ip != nil && !ip.IsUnspecified()) {
					t.Errorf("the answer names %s:\n%s", word, answer)
				}
			}
			for _, a := range own {
				if ip := a.(*net.IPNet).IP.String(); !may[ip] && strings.Contains(answer, " "+ip+" ") {
					t.Errorf("the answer names the machine's %s:\n%s", ip, answer)
				}
			}
		})
	}
	t.Run("to those who may not look", func(t *testing.T) {
		n := startNode(t, nil)
		f := n.publish()
		defer f.close()
		offer := newBrowser(t, webrtc.NetworkTypeUDP4).offer()
		for token, status := range map[string]int{"": http.StatusUnauthorized, "Bearer guess": http.StatusUnauthorized, "Bearer other": http.StatusForbidden} {
			res, answer := n.request(http.MethodPost, Prefix+cam, offer, func(r *http.Request) { r.Header.Set("Authorization", token) })
			if res.StatusCode != status || strings.Contains(answer, "candidate") || strings.Contains(answer, n.Addr().IP.String()) || res.Header.Get("Location") != "" {
				t.Errorf("%q: %d %s", token, res.StatusCode, answer)
			}
		}
	})
}

// Threat 29: the name of a viewing is a secret of 128 bits at least, new each time, good for its camera alone and gone with it; whoever
// guesses learns nothing and ends nothing.
func TestThreat29ViewingsCannotBeGuessedOrBorrowed(t *testing.T) {
	const other = "440900000000001-CM002"
	n := startNode(t, func(c *Config) { c.Known = func(camera string) bool { return camera == cam || camera == other } })
	f := n.publish()
	defer f.close()
	names := map[string]bool{}
	var last string
	for range 8 {
		b := newBrowser(t, webrtc.NetworkTypeUDP4)
		b.open(n)
		last = strings.TrimPrefix(b.location, Prefix+cam+"/")
		if bits := len(last) * 5; bits < 128 || strings.Trim(last, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" { // base32
			t.Errorf("%q has %d bits", last, bits)
		}
		names[last] = true
	}
	if len(names) != 8 {
		t.Errorf("%d names of 8 viewings", len(names))
	}
	viewers := func() int { return n.hub.Cameras()[0].Viewers }
	await.That(t, "all look", func() bool { return viewers() == 8 })
	gone := func(path string) {
		t.Helper()
		if res, body := n.request(http.MethodDelete, path, "", nil); res.StatusCode != http.StatusNotFound || code(body) != string(SessionGone) {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	gone(Prefix + other + "/" + last) // right, but of another camera
	for _, guess := range []string{strings.ToLower(last), last[:len(last)-1], last + "A", "x", last[1:] + last[:1], "%2e%2e/" + last} {
		gone(Prefix + cam + "/" + guess)
	}
	if got := viewers(); got != 8 {
		t.Errorf("%d are left", got)
	}
	if res, _ := n.request(http.MethodDelete, Prefix+cam+"/"+last, "", nil); res.StatusCode != http.StatusOK {
		t.Errorf("its own viewer: %d", res.StatusCode)
	}
	gone(Prefix + cam + "/" + last) // once
}
