package access

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// One network may try to sign in this often: enough for a room of people behind one address, too little to fill the audit or to
// keep the machine hashing.
const (
	attemptPause = 2 * time.Second
	attemptBurst = 30
	maxNetworks  = 4096
)

// attempts limits sign-in by network.
type attempts struct {
	mu   sync.Mutex
	from map[string]*rate.Limiter
}

func (a *attempts) allow(network string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.from[network]
	if l == nil {
		if len(a.from) >= maxNetworks {
			a.forget()
		}
		l = rate.NewLimiter(rate.Every(attemptPause), attemptBurst)
		a.from[network] = l
	}
	return l.Allow()
}

// forget makes room: for whom the limit would be the same if it was not known, or else for all.
func (a *attempts) forget() {
	for network, l := range a.from {
		if l.Tokens() >= attemptBurst {
			delete(a.from, network)
		}
	}
	if len(a.from) >= maxNetworks {
		clear(a.from)
	}
}

// network is what counts as one place of a client's address: an IPv4 address, or a /64 of IPv6, which one line usually has whole.
func network(remote string) string {
	ip, err := netip.ParseAddr(remote)
	if err != nil {
		return remote
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}
