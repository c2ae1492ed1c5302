package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/edge"
	"halledge/cloud/internal/gate"
	"halledge/cloud/internal/pki"
	"halledge/firmware-protocols/hallsync"
)

// reasonForked is why a hall is in quarantine whose box has signed two chains.
const reasonForked = "forked"

// doors are the ways that halls come in by with their certificates. There are none where the configuration names none.
type doors struct {
	register *pki.Register
	centre   *pki.Centre
	gate     *gate.Gate
	server   *edge.Server
	tell     func(ctx context.Context) error // halls what has changed meanwhile
	mqtt     []net.Listener
	rtsp     []net.Listener
	edge     []net.Listener
	bound    map[string]string // addresses by their name in Addresses
}

// openDoors opens the register of certificates, which makes its roots at the first start, and binds the addresses.
func (c *Cloud) openDoors(ctx context.Context, registry *prometheus.Registry) error {
	cfg := c.o.Config
	if !cfg.Certified() {
		return nil
	}
	d, hosts := &c.doors, Hosts(cfg)
	var err error
	if d.register, err = pki.Open(ctx, c.store, pki.Options{Directory: cfg.PKI.Directory, Make: true, Issuers: Issuers(cfg), Hosts: hosts, Domains: cfg.Edge.Domains, Now: time.Now}); err != nil {
		return err
	}
	d.centre, err = d.register.OpenCentre(ctx, hosts)
	if err != nil {
		return err
	}
	d.gate, err = gate.New(gate.Options{
		Register: d.register, Centre: d.centre, Kept: c.board.KeptOut, Listed: c.tellAll, Now: time.Now, Metrics: registry, Log: c.o.Log.With("part", "gate"),
	})
	if err != nil {
		return err
	}
	d.bound = map[string]string{}
	for _, way := range []struct {
		name, address string
		strangers     bool
		gm            bool
		to            *[]net.Listener
	}{
		{"mqtt_tls", cfg.MQTT.TLS, false, false, &d.mqtt}, {"mqtt_tlcp", cfg.MQTT.TLCP, false, true, &d.mqtt},
		{"rtsp_tls", cfg.RTSP.TLS, true, false, &d.rtsp}, {"rtsp_tlcp", cfg.RTSP.TLCP, false, true, &d.rtsp},
		{"edge_tls", cfg.Edge.TLS, true, false, &d.edge}, {"edge_tlcp", cfg.Edge.TLCP, false, true, &d.edge},
	} {
		if way.address == "" {
			continue
		}
		raw, err := net.Listen("tcp", way.address)
		if err != nil {
			return fmt.Errorf("listen for halls: %w", err)
		}
		d.bound[way.name] = raw.Addr().String()
		l, err := d.open(raw, way.gm, way.strangers)
		if err != nil {
			return errors.Join(err, raw.Close())
		}
		*way.to = append(*way.to, l)
	}
	return nil
}

// Issuers gives the authority elsewhere that the configuration names.
func Issuers(cfg config.Config) pki.Issuers {
	return pki.Issuers{TLS: cfg.PKI.TLSIssuers, SM2: cfg.PKI.SM2Issuers}
}

func (d *doors) open(raw net.Listener, gm, strangers bool) (net.Listener, error) {
	if gm {
		return d.gate.TLCP(raw)
	}
	return d.gate.TLS(raw, strangers), nil
}

// openEdge makes what answers boxes.
func (c *Cloud) openEdge(catalog *problem.Catalog, codes http.Handler) {
	c.doors.tell = c.tell
	if len(c.doors.edge) == 0 {
		return
	}
	var keys hallsync.CentreKeys
	public := c.sealed.vault.Keys()
	for _, k := range public.Open {
		keys.Open = append(keys.Open, k.String())
	}
	for _, k := range public.Sign {
		keys.Sign = append(keys.Sign, k.String())
	}
	c.doors.server = edge.New(edge.Options{
		Register: c.doors.register, Vault: c.sealed.vault, Keys: keys, Index: c.sealed.persons.IndexKeys, Logs: c.sealed.ingest.Logs, Addresses: c.o.Config.Edge.Addresses(),
		Changed: c.doors.gate.Look, Codes: codes, Bundles: c.notices.Handler(edge.HallOf), Catalog: catalog, Now: time.Now, Log: c.o.Log.With("part", "edge"),
	})
}

// settings gives what a hall is told whenever it connects: the list of the centre's certificates that it is not to believe any more, and the
// keys of its index of people.
func (c *Cloud) settings(ctx context.Context, hall hallsync.HallID) ([]byte, error) {
	signed, err := c.doors.register.Revocations(ctx, c.sealed.vault.Sign)
	if err != nil {
		return nil, err
	}
	s := hallsync.Settings{Revoked: &signed}
	holder, known, err := boxKey(ctx, c.store, hall)
	if err == nil && known {
		s.Index, err = c.sealed.persons.Order(ctx, hall, holder)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// tellAll tells all halls that are connected what settings gives. Who misses it is told when it connects again.
func (c *Cloud) tellAll() {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if err := c.uplink.set(ctx, c.connected()...); err != nil {
		c.o.Log.Error("settings of halls not sent", "error", err)
	}
}

// forked puts a hall in quarantine whose box has signed two chains.
func (c *Cloud) forked(hall hallsync.HallID) {
	if c.doors.gate == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if err := c.doors.gate.Quarantine(ctx, hall, reasonForked); err != nil {
		c.o.Log.Error("hall not put in quarantine", "hall", hall, "error", err)
	}
}

// announce says which addresses were bound.
func (d *doors) announce(a *Addresses) {
	a.MQTTTLS, a.MQTTTLCP = d.bound["mqtt_tls"], d.bound["mqtt_tlcp"]
	a.RTSPTLS, a.RTSPTLCP = d.bound["rtsp_tls"], d.bound["rtsp_tlcp"]
	a.EdgeTLS, a.EdgeTLCP = d.bound["edge_tls"], d.bound["edge_tlcp"]
}

// serve answers boxes and puts out who may not stay, until ctx ends.
func (d *doors) serve(ctx context.Context, run func(func() error)) {
	if d.gate == nil {
		return
	}
	run(func() error { return d.gate.Run(ctx) })
	run(func() error { return d.tell(ctx) })
	if d.server != nil {
		run(func() error { return d.server.Serve(ctx, d.edge...) })
	}
}

// close gives back what was bound and is not served.
func (d *doors) close() error {
	var errs []error
	for _, all := range [][]net.Listener{d.mqtt, d.rtsp, d.edge} {
		for _, l := range all {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) { // by whom it was given to
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
