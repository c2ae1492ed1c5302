// Package gate gives the listeners that halls come in by, whatever they speak behind them: TLS 1.3 and TLCP, each end with its
// certificate. Whoever comes in is a hall that the register admits, and goes out again in the moment that it does not any more.
package gate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/gm/tlcp"
	"halledge/agent/kit/limit"
	"halledge/cloud/internal/pki"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// look is how often the register is asked whether somebody has to go, after a command of an operator.
	look = time.Second
	// renew is how often the centre's own certificates are looked at.
	renew = time.Minute
	// admitTime bounds what the register may take to answer.
	admitTime = 5 * time.Second
	// handshakes is how many are under way at once by TLS; those by TLCP have a bound of their own.
	handshakes = 512
)

// Options are the parts of a Gate.
type Options struct {
	Register *pki.Register
	Centre   *pki.Centre
	// Kept is told which halls are in quarantine, whenever that changes; it may be nil.
	Kept func(halls []hallsync.HallID)
	// Listed is told that the list of revoked certificates is another one than before; it may be nil.
	Listed  func()
	Now     func() time.Time
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Gate lets halls in. Its listeners may be used from its making on; Run has to run for somebody to be put out again.
type Gate struct {
	o     Options
	tls   *x509.CertPool
	sm2   *cert.Roots
	watch clones
	kick  chan struct{} // something changed in this process

	cut, quarantined, attacks prometheus.Counter
	refused                   *prometheus.CounterVec

	mu     sync.Mutex
	open   map[*Conn]struct{}
	number int64 // of the last look at who has to go
	round  int64 // counts the changes that were seen
	kept   []hallsync.HallID
	tlcp   []*tlcp.Listener
}

// New gives a gate.
func New(o Options) (*Gate, error) {
	g := &Gate{
		o: o, tls: x509.NewCertPool(), open: map[*Conn]struct{}{}, kick: make(chan struct{}, 1), watch: newClones(),
		cut:         prometheus.NewCounter(prometheus.CounterOpts{Name: "hall_cloud_sessions_cut_total", Help: "Connections of halls cut because their certificate was revoked or over, or the hall put in quarantine."}),
		quarantined: prometheus.NewCounter(prometheus.CounterOpts{Name: "hall_cloud_quarantines_total", Help: "Halls put in quarantine."}),
		attacks:     prometheus.NewCounter(prometheus.CounterOpts{Name: "hall_cloud_tlcp_attacks_total", Help: "Addresses that sent secrets nobody can open, again and again."}),
		refused:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hall_cloud_certificates_refused_total", Help: "Certificates that are good and were refused, by reason."}, []string{"reason"}),
	}
	for _, root := range o.Register.Roots().TLS {
		g.tls.AddCert(root)
	}
	var err error
	if g.sm2, err = cert.NewRoots(o.Register.Roots().SM2...); err != nil {
		return nil, fmt.Errorf("roots of halls: %w", err)
	}
	o.Metrics.MustRegister(g.cut, g.quarantined, g.attacks, g.refused,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hall_cloud_halls_kept_out", Help: "Halls in quarantine now."}, func() float64 {
			g.mu.Lock()
			defer g.mu.Unlock()
			return float64(len(g.kept))
		}))
	return g, nil
}

// TLS takes over a listener and gives one of TLS 1.3. Every connection it accepts is a *Conn, unless strangers may come: who has no
// certificate then is a *tls.Conn.
func (g *Gate) TLS(raw net.Listener, strangers bool) net.Listener {
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: g.tls, Time: g.o.Now, SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return g.o.Centre.Papers().TLS, nil },
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return nil // has been let through as a stranger
			}
			return g.admit(pki.SerialOf(s.PeerCertificates[0]), s.PeerCertificates[0].Subject.CommonName)
		},
	}
	if strangers {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return &listener{g: g, Listener: limit.Greet(limit.Patient(raw), handshakes, tlcp.HandshakeTime, func(raw net.Conn) (net.Conn, error) {
		c := tls.Server(raw, config)
		if err := c.Handshake(); err != nil { //nolint:noctx // limit.Greet ends it
			return nil, err
		}
		return c, nil
	})}
}

// TLCP takes over a listener and gives one of TLCP. Every connection it accepts is a *Conn.
func (g *Gate) TLCP(raw net.Listener) (net.Listener, error) {
	l, err := tlcp.Listen(limit.Patient(raw), g.tlcpConfig(), func(address string, failures int) {
		g.attacks.Inc()
		g.o.Log.Error("tlcp secrets cannot be opened", "remote", address, "failures", failures)
	})
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tlcp = append(g.tlcp, l)
	return &listener{g: g, Listener: l}, nil
}

func (g *Gate) tlcpConfig() tlcp.Config {
	return tlcp.Config{Identity: g.o.Centre.Papers().TLCP, Roots: g.sm2, Now: g.o.Now, Admit: func(client *cert.Certificate) error {
		return g.admit(client.Serial(), client.CN())
	}}
}

// admit asks the register, and counts whom it refuses.
func (g *Gate) admit(serial, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), admitTime)
	defer cancel()
	err := g.o.Register.Admit(ctx, serial, hallsync.HallID(name))
	var f *pki.Fault
	if errors.As(err, &f) {
		g.refused.WithLabelValues(string(f.Code)).Inc()
		g.o.Log.Warn("certificate refused", "reason", f.Code, "serial", serial)
	}
	return err
}

// listener makes halls of connections.
type listener struct {
	net.Listener
	g *Gate
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Conn: inner, g: l.g}
		switch peer := inner.(type) {
		case *tlcp.Conn:
			_, c.until = peer.Peer().Valid()
			c.hall, c.serial = hallsync.HallID(peer.PeerCN()), peer.Peer().Serial()
		case *tls.Conn:
			shown := peer.ConnectionState().PeerCertificates
			if len(shown) == 0 {
				return inner, nil
			}
			c.hall, c.serial, c.until = hallsync.HallID(shown[0].Subject.CommonName), pki.SerialOf(shown[0]), shown[0].NotAfter
		}
		if l.g.enter(c) {
			return c, nil
		}
		_ = c.Close()
	}
}

// Conn is a connection of a hall that has proved itself by a certificate.
type Conn struct {
	net.Conn
	g      *Gate
	hall   hallsync.HallID
	serial string
	until  time.Time
	round  int64 // of the last change after which the register has admitted it; under the gate's lock
}

// Hall gives whose connection it is.
func (c *Conn) Hall() hallsync.HallID { return c.hall }

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.g.mu.Lock()
	delete(c.g.open, c)
	c.g.mu.Unlock()
	return c.Conn.Close()
}

// sever ends the connection at once, whatever its peer does.
func (c *Conn) sever() {
	if below, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		_ = below.NetConn().Close() // a peer that does not read would not be told in time
	}
	_ = c.Close()
}

// HallOf gives the hall that a connection belongs to, below whatever servers have put around it.
func HallOf(c net.Conn) (hallsync.HallID, bool) {
	own, _ := below(c)
	if own == nil {
		return "", false
	}
	return own.hall, true
}

// SerialOf gives the serial number of the certificate that a hall's connection was proved with; empty for others.
func SerialOf(c net.Conn) string {
	own, _ := below(c)
	if own == nil {
		return ""
	}
	return own.serial
}

// Secured reports whether a connection is one of TLS or TLCP, also of a stranger.
func Secured(c net.Conn) bool {
	own, stranger := below(c)
	return own != nil || stranger != nil
}

func below(c net.Conn) (*Conn, *tls.Conn) {
	for {
		switch found := c.(type) {
		case *Conn:
			return found, nil
		case *tls.Conn:
			return nil, found
		case interface{ NetConn() net.Conn }:
			c = found.NetConn()
		default:
			return nil, nil
		}
	}
}

// enter notes a connection. Who has to go since its handshake began is found here, or by the next look.
func (g *Gate) enter(c *Conn) bool {
	g.mu.Lock()
	g.open[c] = struct{}{}
	c.round = g.round
	g.mu.Unlock()
	return g.admit(c.serial, string(c.hall)) == nil
}

// Look makes the gate ask the register at once who has to go.
func (g *Gate) Look() {
	select {
	case g.kick <- struct{}{}:
	default:
	}
}

// Run puts out who may not stay, and keeps the centre's certificates fresh, until ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	often, seldom := time.NewTicker(look), time.NewTicker(renew)
	defer often.Stop()
	defer seldom.Stop()
	for {
		if err := g.sweep(ctx); err != nil && ctx.Err() == nil {
			g.o.Log.Error("certificates of open connections not checked", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-often.C:
		case <-g.kick:
		case <-seldom.C:
			g.Refresh(ctx)
		}
	}
}

// Refresh shows new certificates when those there are near their end.
func (g *Gate) Refresh(ctx context.Context) {
	changed, err := g.o.Centre.Renew(ctx)
	if err != nil {
		g.o.Log.Error("the centre's certificates not renewed", "error", err)
	}
	if !changed {
		return
	}
	g.o.Log.Info("the centre's certificates renewed", "until", g.o.Centre.Papers().TLS.Leaf.NotAfter)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.tlcp {
		if err := l.Use(g.tlcpConfig()); err != nil {
			g.o.Log.Error("the centre's certificates not shown", "error", err)
		}
	}
}

// sweep puts out whose certificate is over, and when anything has changed in the register whomever it does not admit any more. Who is there
// stays while the register does not answer, and it is asked again at the next look.
func (g *Gate) sweep(ctx context.Context) error {
	number, err := g.o.Register.RevocationNumber(ctx)
	if err != nil {
		return err
	}
	quarantines, err := g.o.Register.Quarantines(ctx)
	if err != nil {
		return err
	}
	kept := make([]hallsync.HallID, len(quarantines))
	for i, q := range quarantines {
		kept[i] = q.Hall
	}
	now := g.o.Now()
	g.mu.Lock()
	told := !slices.Equal(kept, g.kept)
	changed := told || number != g.number
	listed := number != g.number
	g.number, g.kept = number, kept
	if changed {
		g.round++
	}
	round := g.round
	all := make([]*Conn, 0, len(g.open))
	for c := range g.open {
		if c.round < round || now.After(c.until) {
			all = append(all, c)
		}
	}
	g.mu.Unlock()
	if told && g.o.Kept != nil {
		g.o.Kept(kept)
	}
	if listed {
		g.Refresh(ctx) // the centre's own may be on the list
		if g.o.Listed != nil {
			g.o.Listed()
		}
	}
	for _, c := range all {
		var f *pki.Fault
		if !now.After(c.until) && err == nil { // a register that does not answer is not asked again before the next look
			err = g.admit(c.serial, string(c.hall))
		}
		if now.After(c.until) || errors.As(err, &f) {
			g.o.Log.Warn("connection cut", "hall", c.hall, "remote", c.RemoteAddr().String())
			g.cut.Inc()
			c.sever()
			if f != nil {
				err = nil
			}
		} else if err == nil {
			g.settle(c, round)
		}
	}
	return err
}

// settle notes that the register has admitted a connection after a change.
func (g *Gate) settle(c *Conn, round int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.round = max(c.round, round)
}

// Quarantine keeps a hall out until an operator releases it, and ends its connections.
func (g *Gate) Quarantine(ctx context.Context, hall hallsync.HallID, reason string) error {
	added, err := g.o.Register.Quarantine(ctx, hall, reason)
	if err != nil {
		return err
	}
	if added {
		g.quarantined.Inc()
		g.o.Log.Error("hall put in quarantine", "hall", hall, "reason", reason)
	}
	return g.sweep(ctx)
}
