package pin

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/test/fakes/segment"
)

// meet dials an address and tells what card is there.
func meet(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mac, err := MACOf(conn)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// answer accepts connections on a machine until the test ends.
func answer(t *testing.T, m *segment.Machine, address string) {
	t.Helper()
	var l net.Listener
	var err error
	m.Do(func() { l, err = net.Listen("tcp", address) })
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
	})
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	})
}

func TestTheCardIsSeenOnTheSegmentAndNotBehindARouter(t *testing.T) {
	if !segment.Inside(t) {
		return
	}
	m := segment.Plug(t, "port1", card, "192.168.77.64")
	answer(t, m, "192.168.77.64:554")
	if got := meet(t, "192.168.77.64:554"); got != card {
		t.Errorf("the card is %q, want %q", got, card)
	}
	m.Do(func() {
		segment.IP(t, "address", "add", "10.9.9.9/32", "dev", "lo")
		segment.IP(t, "address", "add", "fd00::64/64", "dev", "eth0", "nodad")
	})
	segment.IP(t, "route", "add", "10.9.9.0/24", "via", "192.168.77.64")
	segment.IP(t, "address", "add", "fd00::1/64", "dev", "switch", "nodad")
	answer(t, m, "10.9.9.9:554")
	if got := meet(t, "10.9.9.9:554"); got != "" {
		t.Errorf("behind a router the card is %q", got)
	}
	answer(t, m, "[fd00::64]:554")
	if got := meet(t, "[fd00::64]:554"); got != card {
		t.Errorf("the card is %q by IPv6, want %q", got, card)
	}
	m.Pull()
	m = segment.Plug(t, "port2", card2, "192.168.77.64")
	answer(t, m, "192.168.77.64:554")
	if got := meet(t, "192.168.77.64:554"); got != card2 {
		t.Errorf("the card is %q, want %q", got, card2)
	}
	m.Pull()
}

func TestThisMachineHasNoCardForItself(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := meet(t, l.Addr().String()); got != "" {
		t.Errorf("the card of this machine is %q", got)
	}
}

// entry is how the kernel tells of a neighbour: IPv4, link 3, reachable, 192.168.77.64 by c0:56:e3:01:02:03.
const entry = "\x38\x00\x00\x00\x1c\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x02\x00\x00\x00\x03\x00\x00\x00\x02\x00\x00\x01" +
	"\x08\x00\x01\x00\xc0\xa8\x4d\x40\x0a\x00\x02\x00\xc0\x56\xe3\x01\x02\x03\x00\x00\x08\x00\x04\x00\x00\x00\x00\x00"

func TestOnlyNeighboursThatAnsweredHaveACard(t *testing.T) {
	at := netip.MustParseAddr("192.168.77.64")
	asked, blank := []byte(entry), []byte(entry)
	asked[24] = unix.NUD_INCOMPLETE
	clear(blank[40:46])
	for name, tt := range map[string]struct {
		table []byte
		link  int
		at    netip.Addr
		want  string
	}{
		"answered":        {[]byte(entry), 3, at, card},
		"twice":           {append(asked, entry...), 3, at, card},
		"on another link": {[]byte(entry), 4, at, ""},
		"somebody else":   {[]byte(entry), 3, at.Next(), ""},
		"still asked for": {asked, 3, at, ""},
		"without a card":  {blank, 3, at, ""},
		"nobody":          {nil, 3, at, ""},
	} {
		if got, err := neighbour(tt.table, tt.link, tt.at); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

// The table comes from the kernel, of whatever age that is.
func FuzzNeighbour(f *testing.F) {
	f.Add([]byte{}, 1)
	f.Add([]byte(entry), 3)
	want := netip.MustParseAddr("192.168.77.64")
	f.Fuzz(func(t *testing.T, table []byte, link int) {
		mac, err := neighbour(table, link, want)
		if mac != "" && (err != nil || len(mac) != len(card)) {
			t.Errorf("card %q, %v", mac, err)
		}
	})
}
