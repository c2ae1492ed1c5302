package relay

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"

	"halledge/agent/internal/identity"
)

// errNode is an address that no node can have. It does not hold the address: people write passwords into those.
var errNode = errors.New("not rtsp://, rtsps:// or rtsp+tlcp:// with host and port")

// road is how the node is reached: there is one, and no other when it is closed.
type road struct {
	by       identity.Transport // empty: the site names no node
	hostPort string
}

func roadTo(node string) (road, error) {
	u, err := url.Parse(node)
	if err != nil || u.Hostname() == "" || u.Port() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return road{}, errNode
	}
	switch u.Scheme {
	case "rtsp":
		return road{identity.Plain, u.Host}, nil
	case "rtsps":
		return road{identity.TLS, u.Host}, nil
	case "rtsp+tlcp":
		return road{identity.TLCP, u.Host}, nil
	}
	return road{}, errNode
}

// path gives what a camera is published as. It is rtsp:// on every road: what secures the connection lies below the protocol.
func (r road) path(code string) *base.URL {
	return &base.URL{Scheme: "rtsp", Host: r.hostPort, Path: "/" + code}
}

// now gives the road to the node as the site names it, else as the centre did; empty when nobody has.
func (r *Relay) now() road {
	if r.site.by != "" {
		return r.site
	}
	said := r.identity.Addresses().RTSP
	if said == "" {
		return road{}
	}
	to, err := roadTo(said)
	if err != nil {
		r.log.Error("address that the centre gave for pictures is of no use", "error", err)
	}
	return to
}

// way gives the road to the node as soon as there is one. Only the plain one, which stays on this machine, needs no certificate: a box
// that is not enrolled waits for its own. It fails when ctx ends.
func (r *Relay) way(ctx context.Context) (road, error) {
	for {
		changed := r.identity.Changed()
		to, enrolled := r.now(), r.identity.Enrolled()
		switch {
		case ctx.Err() != nil:
			return road{}, ctx.Err()
		case to.by == identity.Plain, to.by != "" && enrolled:
			r.idle("")
			return to, nil
		case enrolled:
			r.idle(RelayOff)
		default:
			r.idle(NotEnrolled)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// idle shows why no camera is relayed at all.
func (r *Relay) idle(why Reason) {
	for _, f := range r.feeds {
		f.set("idle", why)
	}
}
