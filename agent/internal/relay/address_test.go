package relay

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"halledge/test/fakes/camera"
)

// Threat 2: whoever may write a camera's address cannot reach with it what is no camera: this machine, where cloud machines keep
// their secrets, or another network than the hall's.
func TestThreat02AddressesThatAreNoCamera(t *testing.T) {
	for address, in := range map[string][]string{ // subnets that the site lists; none: it lists nothing
		"127.0.0.1":        {"10.0.0.0/8"},
		"127.0.0.2":        {},
		"127.0.0.3":        {"0.0.0.0/0"},
		"::1":              {"::/0", "0.0.0.0/0"},
		"::ffff:127.0.0.1": {"0.0.0.0/0", "::/0"},
		"169.254.169.254":  {"169.254.0.0/16", "0.0.0.0/0"},
		"fe80::1":          {"fe80::/10", "::/0"},
		"fd00:ec2::254":    {},
		"100.100.100.200":  {"100.64.0.0/10"},
		"168.63.129.16":    {"0.0.0.0/0"},
		"0.0.0.0":          {"0.0.0.0/0", "127.0.0.0/8"},
		"::":               {"::/0"},
		"224.0.0.1":        {"0.0.0.0/0"},
		"255.255.255.255":  {"0.0.0.0/0"},
		"8.8.8.8":          {},
		"192.168.2.1":      {"192.168.1.0/24"},
	} {
		if got := ask(t, in, address); got.IsValid() {
			t.Errorf("%s is dialled with the subnets %q", address, in)
		}
	}
	for address, in := range map[string][]string{
		"192.168.1.64":     {},
		"10.1.2.3":         {"10.0.0.0/8"},
		"::ffff:10.1.2.3":  {"10.0.0.0/8"},
		"fd12::1":          {},
		"127.0.0.1":        {"127.0.0.0/8"},
		"::1":              {"::1/128"},
		"203.0.113.7":      {"203.0.113.0/24"},
		"100.100.100.201":  {"100.64.0.0/10"},
		"::ffff:127.0.0.1": {"127.0.0.0/8"},
	} {
		if got := ask(t, in, address); got != netip.MustParseAddr(address).Unmap() {
			t.Errorf("%s is not dialled with the subnets %q", address, in)
		}
	}
	if got := ask(t, nil, "169.254.169.254", "127.0.0.1", "192.168.1.64"); got != netip.MustParseAddr("192.168.1.64") {
		t.Errorf("of many addresses %v is dialled", got)
	}
}

// ask gives the address that is dialled for a name that has these.
func ask(t *testing.T, listed []string, addresses ...string) netip.Addr {
	t.Helper()
	allowed, err := subnets(listed)
	if err != nil {
		t.Fatal(err)
	}
	source, err := parseTarget("rtsp://camera.example/stream")
	if err != nil {
		t.Fatal(err)
	}
	at, err := source.resolve(t.Context(), func(context.Context, string, string) (list []netip.Addr, _ error) {
		for _, a := range addresses {
			list = append(list, netip.MustParseAddr(a))
		}
		return list, nil
	}, allowed)
	var ended *endError
	if err != nil && (!errors.As(err, &ended) || ended.reason != CameraNotAllowed) {
		t.Fatalf("%q: %v", addresses, err)
	}
	return at.Addr()
}

// rebinding is a name server that tells the truth once, and then names an address that is not allowed.
type rebinding struct {
	mu    sync.Mutex
	asked []string
}

func (r *rebinding) lookUp(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, host)
	if len(r.asked) == 1 {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
}

func (r *rebinding) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// Threat 2: what is dialled is the address that was looked at. A name server that answers something else the second time is not
// asked a second time while a camera is opened, and what it says when the camera is opened again is looked at like the first.
func TestThreat02RebindingLeadsNowhere(t *testing.T) {
	n := startNode(t, "", hall, secret)
	defer n.close()
	cams := cameras(t, camera.Options{})
	defer cams.Close()
	server := &rebinding{}
	at := netip.MustParseAddrPort(cams.Addr())
	r := newWith(t, alone(t), nil, relayTo(n), always(fmt.Sprintf("rtsp://camera.invalid:%d/stream", at.Port())))
	r.feeds[0].names = server.lookUp
	r.run()
	r.is("relaying", "")
	if asked := server.names(); !slices.Equal(asked, []string{"camera.invalid"}) {
		t.Errorf("to open the camera once, the name server was asked for %q", asked)
	}
	cams.HangUp()
	r.is("offline", CameraNotAllowed)
}
