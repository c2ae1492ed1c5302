// Package cloud gives the central service: it wires the parts together and runs them.
package cloud

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/broker"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/notices"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/cloud/internal/web"
	"halledge/cloud/internal/web/api"
	"halledge/cloud/internal/web/console"
	"halledge/configs"
	"halledge/firmware-protocols/hallsync"
)

// openTimeout bounds what New reads from the database.
const openTimeout = time.Minute

// Options are what a Cloud is made of.
type Options struct {
	Config  config.Config
	Version string
	Log     *slog.Logger
	Ready   func(Addresses) // told once, when everything can be used; may be nil
}

// Addresses are those bound, with the ports the system chose.
type Addresses struct {
	HTTP   string `json:"http"`
	HTTPS  string `json:"https,omitempty"`
	MQTT   string `json:"mqtt"`
	RTSP   string `json:"rtsp"`
	WebRTC string `json:"webrtc"`
	// Of the ways by which halls come with certificates; empty: there is none.
	MQTTTLS  string `json:"mqtt_tls,omitempty"`
	MQTTTLCP string `json:"mqtt_tlcp,omitempty"`
	RTSPTLS  string `json:"rtsp_tls,omitempty"`
	RTSPTLCP string `json:"rtsp_tlcp,omitempty"`
	EdgeTLS  string `json:"edge_tls,omitempty"`
	EdgeTLCP string `json:"edge_tlcp,omitempty"`
}

// Cloud is the central service. Run it once.
type Cloud struct {
	o      Options
	store  *store.Store
	sealed sealedParts
	doors  doors
	uplink *uplink
	board  *halls.Board
	desk   *access.Desk
	broker *broker.Broker

	notices *notices.Desk
	video   *video
	http    net.Listener
	https   net.Listener // nil: there is none
	secured *tls.Config  // of https
	pages   http.Handler
	ending  context.CancelFunc // ends event streams
}

// New opens the database and binds all addresses. What it opened is closed again when it fails.
func New(o Options) (*Cloud, error) {
	c := &Cloud{o: o}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *Cloud) open() error {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := c.openStore(ctx, registry); err != nil {
		return err
	}
	if err := c.openSealed(ctx, registry); err != nil {
		return err
	}
	var err error
	c.board, err = halls.New(ctx, halls.Options{Halls: c.halls(), Store: c.store, Log: c.o.Log})
	if err != nil {
		return err
	}
	c.countHalls(registry)
	if err := c.openDoors(ctx, registry); err != nil {
		return err
	}
	if err := c.openBroker(registry); err != nil {
		return err
	}
	catalog, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		return err
	}
	if c.desk, err = c.newDesk(); err != nil {
		return err
	}
	if c.video, err = openVideo(c.o, catalog, c.board, c.desk, c.doors.rtsp); err != nil {
		return err
	}
	return c.openPages(registry, catalog)
}

func (c *Cloud) openStore(ctx context.Context, registry *prometheus.Registry) error {
	commits := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "hall_cloud_commit_seconds", Help: "Time of one commit.", Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3},
	})
	writes := prometheus.NewCounter(prometheus.CounterOpts{Name: "hall_cloud_writes_total", Help: "Writes carried by all commits."})
	registry.MustRegister(commits, writes)
	var err error
	c.store, err = store.Open(ctx, c.o.Config.Database, store.Options{Committed: func(n int, took time.Duration) {
		commits.Observe(took.Seconds())
		writes.Add(float64(n))
	}})
	if err != nil {
		return err
	}
	var users []store.User
	for _, u := range c.o.Config.Users {
		roles, scope := u.Rights()
		users = append(users, store.User{
			Name: u.Name, FullName: u.FullName, Roles: roles, Scope: scope, Password: u.Password.String(), Created: time.Now(),
		})
	}
	if err := c.store.Write(ctx, func(tx *store.Tx) error { return tx.ReplaceConfigUsers(users) }); err != nil {
		return fmt.Errorf("store the users of the configuration: %w", err)
	}
	return nil
}

func (c *Cloud) halls() []halls.Hall {
	var list []halls.Hall
	for _, h := range c.o.Config.Halls {
		list = append(list, halls.Hall{ID: h.Code, Name: h.Name, Region: h.Region})
	}
	return list
}

// countHalls shows how many halls are in each state.
func (c *Cloud) countHalls(registry *prometheus.Registry) {
	for _, state := range []halls.State{halls.Online, halls.Stale, halls.Offline, halls.Never} {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hall_cloud_halls", Help: "Halls by state.", ConstLabels: prometheus.Labels{"state": string(state)},
		}, func() float64 {
			count := 0
			for _, s := range c.board.All() {
				if s.State == state {
					count++
				}
			}
			return float64(count)
		}))
	}
}

func (c *Cloud) openBroker(registry *prometheus.Registry) error {
	passwords := map[hallsync.HallID]phc.Hash{}
	for _, h := range c.o.Config.Halls {
		if !h.Password.IsZero() {
			passwords[h.Code] = h.Password.Hash
		}
	}
	up := &uplink{
		board: c.board, orders: c.sealed.persons.Orders, told: c.sealed.persons.Told, log: c.o.Log,
		hellos: origin.NewLimit(greetPause, greetBurst, greetHalls), owed: map[hallsync.HallID]bool{},
	}
	up.ingest = c.sealed.ingest
	c.sealed.changed = up.changed
	c.uplink = up
	o := broker.Options{
		Listen: c.o.Config.MQTT.Listen, Authenticate: access.NewHalls(passwords).Authenticate, Secured: c.doors.mqtt, Handler: up, Metrics: registry, Log: c.o.Log,
	}
	if c.doors.gate != nil {
		o.Replaced, up.settings = c.doors.gate.Replaced, c.settings
	}
	var err error
	if c.broker, err = broker.Listen(o); err != nil {
		return err
	}
	up.publish = c.broker.Publish
	return c.openNotices(up)
}

func (c *Cloud) openNotices(up *uplink) error {
	content, err := ContentKey(c.o.Config, func() (*vault.Vault, error) { return c.sealed.vault, nil })
	if err != nil {
		return err
	}
	c.notices = notices.New(notices.Options{
		Store: c.store, Content: content, Sign: c.sealed.vault, Publish: c.broker.Publish, Now: time.Now, Log: c.o.Log.With("part", "notices"),
	})
	up.notices = c.notices.Tell
	return nil
}

func (c *Cloud) newDesk() (*access.Desk, error) {
	var tokens []access.Token
	for _, t := range c.o.Config.Tokens {
		roles, scope := t.Rights()
		tokens = append(tokens, access.Token{Name: t.Name, Secret: t.Secret.Reveal(), Roles: roles, Scope: scope})
	}
	platform, err := openPlatform(c.o.Config.SignIn.OIDC)
	if err != nil {
		return nil, err
	}
	return access.New(access.Options{
		Store: c.store, Tokens: tokens, Secure: c.o.Config.HTTP.Encrypted(), Factor: c.o.Config.SignIn.SecondFactor != config.FactorOff,
		Keep: time.Duration(c.o.Config.Audit.Days) * 24 * time.Hour, OIDC: platform, Vault: c.sealed.vault,
		Log: c.o.Log,
	}), nil
}

func (c *Cloud) openPages(registry *prometheus.Registry, catalog *problem.Catalog) error {
	zone, err := time.LoadLocation(c.o.Config.Zone)
	if err != nil {
		return fmt.Errorf("load time zone: %w", err)
	}
	closing, end := context.WithCancel(context.Background())
	c.ending = end
	a, err := api.New(api.Options{
		Store: c.store, Opener: c.sealed.opener, Board: c.board, Desk: c.desk, Notices: c.notices, Catalog: catalog, Cameras: c.cameras(), Live: c.video.live, Zone: zone,
		Version: c.o.Version, Closing: closing, Log: c.o.Log,
	})
	if err != nil {
		return err
	}
	var proxies []netip.Prefix
	for _, p := range c.o.Config.HTTP.Proxies {
		proxies = append(proxies, p.Prefix)
	}
	codes, err := openCodes(c.o, c.sealed.persons, registry)
	if err != nil {
		return err
	}
	c.openEdge(catalog, codes)
	c.pages = web.Handler(web.Options{
		API: a, Codes: codes, Desk: c.desk, Console: console.Handler(catalog), WHEP: c.video.node.Handler(), Ready: c.store.Ping, Proxies: proxies,
		Hosts: c.o.Config.HTTP.Hosts, Secure: c.o.Config.HTTP.Encrypted(), Registry: registry, Log: c.o.Log,
	})
	return c.listenPages()
}

func (c *Cloud) cameras() []api.KnownCamera {
	var list []api.KnownCamera
	for _, h := range c.o.Config.Halls {
		hall := halls.Hall{ID: h.Code, Name: h.Name, Region: h.Region}
		for _, cam := range h.Cameras {
			list = append(list, api.KnownCamera{Code: cam.Code, Name: cam.Name, Scene: cam.Scene, Hall: hall})
		}
	}
	slices.SortFunc(list, func(a, b api.KnownCamera) int { return strings.Compare(a.Code, b.Code) })
	return list
}

// Run serves until ctx ends or a part fails. What comes in stops first, then what it is shown on, then the database.
func (c *Cloud) Run(ctx context.Context) error {
	defer c.ending()
	boardCtx, stopBoard := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBoard()
	boardDone := make(chan error, 1)
	go func() { boardDone <- c.board.Run(boardCtx) }()

	doors, doorsCtx := errgroup.WithContext(ctx)
	context.AfterFunc(doorsCtx, c.ending)
	doors.Go(func() error { return c.broker.Run(doorsCtx) })
	doors.Go(func() error { return c.desk.Run(doorsCtx) })
	doors.Go(func() error { return c.news(doorsCtx) })
	doors.Go(func() error { return c.sealed.terms.Run(doorsCtx) })
	doors.Go(func() error { return c.sealed.ingest.Run(doorsCtx) })
	doors.Go(func() error { return ended(doorsCtx, c.video.node.Run(doorsCtx)) })
	c.doors.serve(doorsCtx, doors.Go)
	c.servePages(doorsCtx, doors.Go)
	c.announce()
	err := doors.Wait()

	stopBoard()
	return errors.Join(err, <-boardDone, c.store.Close())
}

// ended takes the word that ctx has ended for no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (c *Cloud) announce() {
	a := Addresses{
		HTTP: c.http.Addr().String(), MQTT: c.broker.Addr().String(), RTSP: c.video.node.RTSPAddr().String(),
		WebRTC: c.video.node.WebRTCAddr().String(),
	}
	if c.https != nil {
		a.HTTPS = c.https.Addr().String()
	}
	c.doors.announce(&a)
	c.o.Log.Info("cloud serves", "http", a.HTTP, "mqtt", a.MQTT, "rtsp", a.RTSP, "webrtc", a.WebRTC, "halls", len(c.o.Config.Halls), "database", c.o.Config.Database)
	if c.o.Ready != nil {
		c.o.Ready(a)
	}
}

// close gives back what open took before it failed.
func (c *Cloud) close() error {
	var errs []error
	if c.ending != nil {
		c.ending()
	}
	if c.http != nil {
		errs = append(errs, c.http.Close())
	}
	if c.https != nil {
		errs = append(errs, c.https.Close())
	}
	if c.video != nil && c.video.node != nil {
		errs = append(errs, c.video.node.Close())
	}
	if c.broker != nil {
		errs = append(errs, c.broker.Close())
	}
	errs = append(errs, c.doors.close())
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	return errors.Join(errs...)
}
