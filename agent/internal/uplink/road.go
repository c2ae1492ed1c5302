package uplink

import (
	"context"
	"net"
	"net/url"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"halledge/agent/internal/identity"
)

// AddressError is an address that no broker of the centre can have. It does not hold the address: people write passwords into those.
type AddressError struct{}

func (*AddressError) Error() string {
	return "uplink: not tcp://, tls:// or tlcp:// with host and port"
}

// road is how the broker is reached: there is one, and no other when it is closed.
type road struct {
	by       identity.Transport
	hostPort string
}

func roadTo(broker string) (road, error) {
	u, err := url.Parse(broker)
	if err != nil || u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "" {
		return road{}, &AddressError{}
	}
	by := identity.Transport(u.Scheme)
	if by != identity.Plain && by != identity.TLS && by != identity.TLCP {
		return road{}, &AddressError{}
	}
	return road{by, u.Host}, nil
}

func (r road) String() string { return string(r.by) + "://" + r.hostPort }

// now gives the road to the broker as the site names it, else as the centre did; empty when nobody has.
func (u *Uplink) now() road {
	if u.site != (road{}) {
		return u.site
	}
	said := u.opts.Identity.Addresses().MQTT
	if said == "" {
		return road{}
	}
	to, err := roadTo(said)
	if err != nil {
		u.opts.Log.Error("address that the centre gave for its broker is of no use", "error", err)
	}
	return to
}

// way gives the road to the broker as soon as there is one and the box is enrolled: the centre cannot read facts that are not sealed for
// it. It fails when ctx ends.
func (u *Uplink) way(ctx context.Context) (road, error) {
	for {
		changed := u.opts.Identity.Changed()
		to := u.now()
		u.update(func(s *Status) { s.Off = to == road{} })
		switch {
		case ctx.Err() != nil:
			return road{}, ctx.Err()
		case to != (road{}) && u.opts.Identity.Enrolled():
			return to, nil
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// opener opens the connection of one session for the MQTT library, which reports what went wrong as words of its own: the error is kept.
type opener struct {
	u   *Uplink
	ctx context.Context // of the session: the library knows none
	to  road

	mu  sync.Mutex
	err error
}

func (o *opener) open(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
	c, err := o.u.opts.Identity.Dial(o.ctx, o.to.by, o.to.hostPort)
	if err != nil {
		return nil, o.keep(err)
	}
	return &watched{c, o}, nil
}

func (o *opener) keep(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	return err
}

// why gives what went wrong first, nil if nothing did.
func (o *opener) why() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// watched is a connection whose first failure to read is kept: a broker that does not take our certificate says so there.
type watched struct {
	net.Conn
	o *opener
}

// Read implements net.Conn.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil && identity.Refused(err) {
		_ = w.o.keep(err)
	}
	return n, err
}
