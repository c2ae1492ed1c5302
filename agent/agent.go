// Package agent gives the program of one hall: it wires the parts together and runs them. What the parts do is theirs; the order
// in which they start and stop is decided here.
package agent

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/notices"
	"halledge/agent/internal/ops"
	"halledge/agent/internal/orders"
	"halledge/agent/internal/relay"
	"halledge/agent/internal/relay/pin"
	"halledge/agent/internal/slips"
	"halledge/agent/internal/store"
	"halledge/agent/internal/uplink"
	"halledge/agent/internal/voice"
	"halledge/agent/internal/web"
	"halledge/agent/internal/web/api"
	"halledge/agent/internal/web/trust"
	"halledge/agent/kit/logs"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/supervise"
	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/hallsync"
)

// Options of New.
type Options struct {
	Config  *config.Config
	Version string
	Log     *slog.Logger
	Lines   *logs.Ring        // last log lines, for the ops page
	Ready   func(addr string) // called once when the hall can be used; addr is the HTTP server's host:port
	Root    string            // of the sysfs in which devices are looked for; empty: /
}

// Agent is one hall's program. Make it with New, run it once, and close nothing: Run does.
type Agent struct {
	opts  Options
	cfg   *config.Config              // as it was loaded
	plan  atomic.Pointer[config.Plan] // in force
	log   *slog.Logger
	texts *problem.Catalog

	fsync   atomic.Int64 // 99th percentile of one durable write, in nanoseconds
	store   *store.Store
	hall    *hall.Hall
	devices *devices.Set
	uplink  *uplink.Uplink
	relay   *relay.Relay // nil: no cameras
	watcher *ops.Watcher
	listen  net.Listener  // of the pages
	trust   *trust.Keeper // of their certificate; nil: they are for this machine alone
	signer  *codes.Signer
	rules   *codes.Book
	codes   *codes.Recogniser
	sounds  *voice.Sounds
	voice   *voice.Announcer
	web     *web.Server
	door    string // token of this run for the doctor
	models  registry.Models
	slips   slips.Set
	logo    *image.Gray // nil: none
	notices *notices.Shelf
	group   *supervise.Group

	identity *identity.Identity
	orders   *orders.Gate
}

// New opens the hall's database and builds its parts. It touches no device; the HTTP port is opened, so that a
// second agent is noticed at once.
func New(o Options) (a *Agent, err error) {
	a = &Agent{opts: o, cfg: o.Config, log: o.Log}
	if a.texts, err = problem.ParseCatalog(configs.Messages()); err != nil {
		return nil, fmt.Errorf("messages: %w", err)
	}
	if err := a.openHall(); err != nil {
		return nil, err
	}
	if err := a.build(); err != nil {
		if a.listen != nil {
			err = errors.Join(err, a.listen.Close())
		}
		if a.notices != nil {
			err = errors.Join(err, a.notices.Close())
		}
		return nil, errors.Join(err, a.store.Close())
	}
	return a, nil
}

// openHall opens the log and folds it into the hall's state.
func (a *Agent) openHall() (err error) {
	site := &a.cfg.Site
	if a.identity, err = a.openIdentity(); err != nil {
		return err
	}
	a.store, err = store.Open(site.Data, store.Options{
		Hall: hallsync.HallID(site.Hall.Code), MaxBytes: int64(site.Journal.MaxMiB) << 20,
		Retain: time.Duration(site.Journal.RetainDays) * 24 * time.Hour, Delivered: uplink.CursorName, Log: a.log,
		Keys:   store.Keys{Storage: a.identity.Storage(), Signer: a.identity.Signer(), Centre: a.identity.Centre, Receipts: a.identity.Receipts},
		Before: a.identity.Before,
	})
	if err != nil {
		return err
	}
	plan, err := hall.PlanOf(&a.cfg.Plan)
	if err == nil {
		a.hall, err = hall.New(a.store, plan, a.log, hall.SystemClock())
	}
	if err != nil {
		return errors.Join(err, a.store.Close())
	}
	if err := a.openPlan(); err != nil {
		return errors.Join(err, a.store.Close())
	}
	a.measureDisk(store.DiskSamples)
	return nil
}

// Credentials is the variable of the environment that says where the service manager leaves credentials (systemd.exec(5)).
const Credentials = "CREDENTIALS_DIRECTORY"

// openIdentity opens who the box is. The hall knows more of the time than the machine, once it is there.
func (a *Agent) openIdentity() (*identity.Identity, error) {
	site := &a.cfg.Site
	return identity.Open(filepath.Join(site.Data, identity.Directory), identity.Options{
		Hall: hallsync.HallID(site.Hall.Code), Hosts: Hosts(site.Web), HTTPS: site.Cloud.HTTPS, Credentials: os.Getenv(Credentials),
		Now: func() time.Time {
			if a.hall == nil {
				return time.Now()
			}
			return a.hall.Now()
		},
		Log: a.log.With("part", "identity"),
	})
}

// Hosts gives what the pages of a box are called now, if they have a certificate; else it is nil.
func Hosts(w config.Web) func() []string {
	if !w.Secure() {
		return nil
	}
	return func() []string { return trust.Names(w) }
}

// unheard is how long a page may leave what it was sent unacknowledged: a machine that lost its power or its cable takes no leave.
const unheard = 30 * time.Second

// listen opens the port of the pages.
func listen(address string) (net.Listener, error) {
	l := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unheard.Milliseconds()))
		})
		return errors.Join(err, failed)
	}}
	return l.Listen(context.Background(), "tcp", address)
}

// build makes the parts around the hall.
func (a *Agent) build() (err error) {
	site := &a.cfg.Site
	if a.listen, err = listen(site.Web.Listen); err != nil {
		return fmt.Errorf("open the pages' port: %w", err)
	}
	if err := a.buildTrust(); err != nil {
		return err
	}
	if a.models, err = registry.LoadModels(configs.FS()); err != nil {
		return fmt.Errorf("device models: %w", err)
	}
	a.devices = devices.New(devices.Options{
		Site: site.Devices, Models: a.models, Registry: builtin.All(), Texts: a.texts, Log: a.log, Root: a.opts.Root,
	})
	if a.signer, err = codes.NewSigner(site.Data, hallsync.HallID(site.Hall.Code), codes.PublicBase(a.webConfig())); err != nil {
		return err
	}
	if err := a.buildCodes(); err != nil {
		return err
	}
	if a.slips, err = slips.LoadSet(configs.FS(), "ticket"); err != nil {
		return err
	}
	if site.Hall.Logo != "" {
		if a.logo, err = slips.LoadLogo(site.Hall.Logo); err != nil {
			a.log.Warn("slips have no logo", "error", err) // a hall without its logo still gives tickets
		}
	}
	if len(site.Cameras) > 0 {
		if a.relay, err = relay.New(site.Relay, site.Hall.Code, site.Cameras, a.identity, pin.NewBook(a.hall), a.log.With("part", "relay")); err != nil {
			return err
		}
	}
	if err := a.buildUplink(); err != nil {
		return err
	}
	a.buildVoice()
	if err := a.openOrders(); err != nil {
		return err
	}
	if err := a.openNotices(); err != nil {
		return err
	}
	a.watcher = ops.NewWatcher(a.sources(), a.texts)
	if err := a.buildWeb(); err != nil {
		return err
	}
	a.addPages()
	return nil
}

// pageName is what the page of a screen is called as a device.
func pageName(screen string) string { return "screen-" + screen + ".page" }

// addPages puts the pages of the plan's screens beside the hardware: panel or page, a screen is a screen.
func (a *Agent) addPages() {
	for _, s := range a.plan.Load().Screens {
		a.devices.Add(devices.Page{
			Name: pageName(s.ID), Title: s.Name, Place: config.Place{Kind: "screen", ID: s.ID}, Screen: a.web.Screen(s.ID),
		})
	}
}

// webConfig is the configuration of the pages with the port that is really open: slips must lead there.
func (a *Agent) webConfig() config.Web {
	w := a.cfg.Site.Web
	host, _, herr := net.SplitHostPort(w.Listen)
	_, port, perr := net.SplitHostPort(a.listen.Addr().String())
	if herr == nil && perr == nil {
		w.Listen = net.JoinHostPort(host, port)
	}
	return w
}

// buildCodes makes what tells codes apart and who resolves those of citizens.
func (a *Agent) buildCodes() error {
	site := &a.cfg.Site
	log := a.log.With("part", "codes")
	resolver, own, err := codes.NewResolver(hallsync.HallID(site.Hall.Code), site.Codes, a.hall.Now)
	if err != nil {
		return err
	}
	a.signer.ShareNames(a.indexKeys)
	a.rules = codes.OpenBook(site.Codes.Rules, site.Data, own, log)
	a.codes = codes.New(codes.Options{Signer: a.signer, Rules: a.rules.Rules, Resolver: resolver, Log: log})
	return nil
}

// buildTrust makes who keeps the certificate of the pages.
func (a *Agent) buildTrust() (err error) {
	site := a.cfg.Site
	site.Web = a.webConfig()
	if !site.Web.Secure() {
		return nil
	}
	a.trust, err = trust.Open(trust.Options{
		Dir: filepath.Join(site.Data, trust.Directory), Hall: site.Hall.Code, Name: site.Hall.Name,
		Names: func() []string { return trust.Names(site.Web) }, Other: a.leaveDoor, Log: a.log.With("part", "trust"),
		Changed: a.identity.Changed,
		Centre: func() (tls.Certificate, [][]byte, bool) {
			c, ok := a.identity.Web()
			return c, a.identity.Roots(), ok
		},
	})
	return err
}

// buildWeb makes the hall's HTTP server, with a token of this run for the doctor.
func (a *Agent) buildWeb() (err error) {
	a.door = rand.Text()
	site := a.cfg.Site
	site.Web = a.webConfig()
	site.Web.Tokens = append(slices.Clone(site.Web.Tokens), config.Token{Role: "ops", Secret: config.NewSecret(a.door)})
	var cameras api.Cameras // an interface that holds no relay must hold nothing
	if a.relay != nil {
		cameras = a.relay
	}
	a.web, err = web.New(web.Deps{
		Listener: a.listen, Trust: a.trust,
		Site: &site, Plan: a.plan.Load(), Edit: a.edit, Hall: a.hall, Facts: a.store.InClear(), Signer: a.signer,
		Codes:   a.codes,
		Devices: a.devices, Cameras: cameras, Sounds: a.sounds, Notices: a.notices, Health: a.watcher.Conditions, Ring: a.opts.Lines, Catalog: a.texts,
		Metrics: prometheus.NewRegistry(), Log: a.log.With("part", "web"), Now: a.hall.Now,
	})
	if err != nil {
		return err
	}
	a.leaveDoor()
	return nil
}

// leaveDoor tells the doctor how to reach this agent.
func (a *Agent) leaveDoor() {
	way := ops.Door{HTTP: a.listen.Addr().String(), Token: a.door}
	if a.trust != nil {
		way.Root = a.trust.Root().DER()
	}
	if err := ops.LeaveDoor(a.cfg.Site.Data, way); err != nil {
		a.log.Warn("doctor cannot reach this agent", "error", err)
	}
}

func (a *Agent) buildUplink() (err error) {
	site := &a.cfg.Site
	a.uplink, err = uplink.New(uplink.Options{
		Hall: hallsync.HallID(site.Hall.Code), Identity: a.identity, Broker: site.Cloud.MQTT, Password: site.Cloud.Password.Reveal(), Config: a.settings, Command: a.command,
		Keys: a.store.Keys, Index: a.ownIndex, Receipt: a.store.KeepReceipt,
		Version: a.opts.Version, Revision: a.revision, Store: a.store, Dirty: a.hall.Watch, Renew: a.hall.Renew, Pass: a.passOthers,
		Report: a.report, FsyncP99: a.fsyncP99, Told: a.hall.Told, Log: a.log.With("part", "uplink"),
	})
	return err
}

// settings takes what the centre tells whenever the box connects: which of its own certificates are over before their
// time, which keys the index of people has, and which notices the hall's screens are to show.
func (a *Agent) settings(_ context.Context, body []byte) error {
	s, err := hallsync.ParseSettings(body)
	if err == nil && s.Revoked != nil {
		err = a.identity.Revoke(*s.Revoked)
	}
	if s.Index != nil {
		err = errors.Join(err, a.reindex(s.Index))
	}
	if s.Notices != nil {
		err = errors.Join(err, a.notices.Ordered(s.Notices))
	}
	return err
}

func (a *Agent) fsyncP99() time.Duration { return time.Duration(a.fsync.Load()) }

// sources are what conditions are read from.
func (a *Agent) sources() ops.Sources {
	s := ops.Sources{
		Devices: a.devices.Statuses, Roots: a.devices.Roots, Hall: a.hall.Read, Trouble: a.hall.Trouble, DiskSync: a.fsyncP99, Data: a.cfg.Site.Data,
		LastGood: a.cfg.LastGood, Mute: a.voice.Mute, Rules: a.rules.Trouble, Silent: func() map[string]time.Time { return a.web.Silent() }, Resolver: a.codes.Down, Restored: a.store.Restored(), Reset: a.store.PutAside(), Sealed: a.store.AsideSealed(), Chain: a.store.ChainFault,
	}
	s.Uplink = a.uplink.Status
	if a.trust != nil {
		s.RootAside = a.trust.Aside
	}
	s.Identity = func() (identity.Status, []string) {
		return a.identity.Status(), append(a.identity.Damaged(), a.signer.Damaged()...)
	}
	if a.relay != nil {
		s.Cameras = a.relay.Status
	}
	s.Notices = a.notices.Troubles
	return s
}

// Run runs the hall until ctx ends, then stops the parts in the opposite order of their start: first nobody can order any more,
// then what was ordered is finished, at last the database is closed.
func (a *Agent) Run(ctx context.Context) error {
	a.group = supervise.New(a.log, a.parts()...)
	err := a.group.Run(ctx)
	return errors.Join(err, a.notices.Close(), a.store.Close())
}
