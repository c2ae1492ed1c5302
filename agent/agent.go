// Package agent gives the program of one hall: it wires the parts together and runs them. What the parts do is theirs; the order
// in which they start and stop is decided here.
package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
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
	"halledge/agent/internal/ops"
	"halledge/agent/internal/relay"
	"halledge/agent/internal/slips"
	"halledge/agent/internal/store"
	"halledge/agent/internal/uplink"
	"halledge/agent/internal/voice"
	"halledge/agent/internal/web"
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
	uplink  *uplink.Uplink // nil: the hall works alone
	relay   *relay.Relay   // nil: no cameras
	watcher *ops.Watcher
	listen  net.Listener // of the pages
	signer  *codes.Signer
	rules   *codes.Book
	codes   *codes.Recogniser
	sounds  *voice.Sounds
	voice   *voice.Announcer
	web     *web.Server
	models  registry.Models
	slips   slips.Set
	logo    *image.Gray // nil: none
	group   *supervise.Group
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
		return nil, errors.Join(err, a.store.Close())
	}
	return a, nil
}

// openHall opens the log and folds it into the hall's state.
func (a *Agent) openHall() (err error) {
	site := &a.cfg.Site
	a.store, err = store.Open(site.Data, store.Options{
		Hall: hallsync.HallID(site.Hall.Code), MaxBytes: int64(site.Journal.MaxMiB) << 20,
		Retain: time.Duration(site.Journal.RetainDays) * 24 * time.Hour, Delivered: uplink.CursorName, Log: a.log,
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
		if a.relay, err = relay.New(site.Relay, site.Hall.Code, site.Cameras, a.log.With("part", "relay")); err != nil {
			return err
		}
	}
	if err := a.buildUplink(); err != nil {
		return err
	}
	a.buildVoice()
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
	resolver, own, err := codes.NewResolver(hallsync.HallID(site.Hall.Code), site.Codes)
	if err != nil {
		return err
	}
	a.signer.ShareNames(site.Codes.PersonKey.Reveal())
	a.rules = codes.OpenBook(site.Codes.Rules, site.Data, own, log)
	a.codes = codes.New(codes.Options{Signer: a.signer, Rules: a.rules.Rules, Resolver: resolver, Log: log})
	return nil
}

// buildWeb makes the hall's HTTP server, with a token of this run for the doctor.
func (a *Agent) buildWeb() (err error) {
	door := rand.Text()
	site := a.cfg.Site
	site.Web = a.webConfig()
	site.Web.Tokens = append(slices.Clone(site.Web.Tokens), config.Token{Role: "ops", Secret: config.NewSecret(door)})
	a.web, err = web.New(web.Deps{
		Listener: a.listen,
		Site:     &site, Plan: a.plan.Load(), Edit: a.edit, Hall: a.hall, Facts: a.store, Signer: a.signer,
		Codes:   a.codes,
		Devices: a.devices, Sounds: a.sounds, Health: a.watcher.Conditions, Ring: a.opts.Lines, Catalog: a.texts,
		Metrics: prometheus.NewRegistry(), Log: a.log.With("part", "web"), Now: a.hall.Now,
	})
	if err != nil {
		return err
	}
	if err := ops.LeaveDoor(site.Data, ops.Door{HTTP: a.web.Addr().String(), Token: door}); err != nil {
		a.log.Warn("doctor cannot reach this agent", "error", err)
	}
	return nil
}

func (a *Agent) buildUplink() (err error) {
	site := &a.cfg.Site
	if site.Cloud.MQTT == "" {
		return nil
	}
	a.uplink, err = uplink.New(uplink.Options{
		Hall: hallsync.HallID(site.Hall.Code), Broker: site.Cloud.MQTT, Password: site.Cloud.Password.Reveal(), CA: site.Cloud.CA,
		Version: a.opts.Version, Revision: a.revision, Store: a.store, Dirty: a.hall.Watch, Renew: a.hall.Renew,
		Report: a.report, FsyncP99: a.fsyncP99, Told: a.hall.Told, Log: a.log.With("part", "uplink"),
	})
	return err
}

func (a *Agent) fsyncP99() time.Duration { return time.Duration(a.fsync.Load()) }

// sources are what conditions are read from.
func (a *Agent) sources() ops.Sources {
	s := ops.Sources{
		Devices: a.devices.Statuses, Roots: a.devices.Roots, Hall: a.hall.Read, Trouble: a.hall.Trouble, DiskSync: a.fsyncP99, Data: a.cfg.Site.Data,
		LastGood: a.cfg.LastGood, Mute: a.voice.Mute, Rules: a.rules.Trouble, Silent: func() map[string]time.Time { return a.web.Silent() }, Resolver: a.codes.Down, Reset: a.store.PutAside(),
	}
	if a.uplink != nil {
		s.Uplink = a.uplink.Status
	}
	if a.relay != nil {
		s.Cameras = a.relay.Status
	}
	return s
}

// Run runs the hall until ctx ends, then stops the parts in the opposite order of their start: first nobody can order any more,
// then what was ordered is finished, at last the database is closed.
func (a *Agent) Run(ctx context.Context) error {
	a.group = supervise.New(a.log, a.parts()...)
	err := a.group.Run(ctx)
	return errors.Join(err, a.store.Close())
}
