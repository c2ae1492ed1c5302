// Package ops gives the people who look after a hall what they need: the conditions that are wrong now, and the doctor, who
// checks a box from a shell.
package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"halledge/agent/internal/devices"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/notices"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/relay"
	"halledge/agent/internal/store"
	"halledge/agent/internal/uplink"
	"halledge/agent/kit/chain"
	"halledge/agent/kit/health"
	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// Sources are the parts of the agent that conditions are read from. A nil source has nothing to say.
type Sources struct {
	Devices   func() []hallsync.DeviceStatus
	Roots     func() []devices.Root // what is behind the troubles of devices
	Cameras   func() []hallsync.CameraStatus
	Mute      func() map[string]string    // speakers that cannot say calls, and why
	Silent    func() map[string]time.Time // kiosks whose page was there and is no more, and since when
	Uplink    func() uplink.Status
	Identity  func() (s identity.Status, damaged []string)
	Hall      func(func(s *queue.State, seq hallsync.Seq))
	Trouble   func() error         // why the hall's last commit failed
	DiskSync  func() time.Duration // 99th percentile of one durable write
	Data      string               // data directory
	LastGood  bool                 // the configuration in force is the last good copy
	Rules     func() string        // where the file of code rules is bad
	Resolver  func() bool          // whether codes are not resolved for the time being
	Notices   func() []notices.Trouble
	Restored  bool            // database is not the one that was used here last
	RootAside func() []string // files of a damaged root of the pages; nil: they have none
	Reset     string          // database that was put aside at the start
	Sealed    bool            // because it could not be opened, and not because it was damaged
	Chain     func() *chain.Fault
}

// Thresholds of conditions that are a matter of degree.
const (
	backlog    = 1000                   // facts the cloud does not have yet
	offset     = 2 * time.Second        // between the hall's clock and the cloud's
	slowSync   = 20 * time.Millisecond  // one durable write; a command needs two
	lowSpace   = 256 << 20              // bytes free under the data directory
	firstSane  = 2025                   // a clock before this year was never set
	checkEvery = 500 * time.Millisecond // keeps a fault visible within a second of its delay
)

// Watcher reads the sources into a tracker.
type Watcher struct {
	src     Sources
	tracker *health.Tracker
	mute    map[string]string // speakers that could not say calls at the last look
	texts   *problem.Catalog

	roots    []devices.Root       // at the last look
	slipless map[slipless]bool    // likewise
	silent   map[string]time.Time // likewise
	notices  []notices.Trouble    // likewise
}

// slipless is a place where people wait without their slip, for one of the reasons.
type slipless struct {
	place string
	code  health.Code
}

// NewWatcher prepares a watcher.
func NewWatcher(src Sources, texts *problem.Catalog) *Watcher {
	return &Watcher{src: src, tracker: health.NewTracker(health.Table()), texts: texts}
}

// Run reads the sources until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		w.look(time.Now())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Conditions lists what people should see now, with the sentences they read.
func (w *Watcher) Conditions() []hallsync.Condition {
	found := w.tracker.Visible(time.Now())
	out := make([]hallsync.Condition, 0, len(found))
	for _, f := range found {
		text, _ := w.texts.Text(string(f.Code), map[string]string{"subject": f.Subject, "detail": f.Detail})
		out = append(out, hallsync.Condition{
			Code: string(f.Code), Subject: f.Subject, Severity: string(f.Severity), Title: text.Title, Advice: text.Advice, Since: f.Since,
		})
	}
	return out
}

func (w *Watcher) look(now time.Time) {
	w.box(now)
	if w.src.Uplink != nil {
		w.uplink(w.src.Uplink())
	}
	if w.src.Identity != nil {
		w.identity(w.src.Identity())
	}
	if w.src.Devices != nil {
		works := w.works()
		for _, d := range w.src.Devices() {
			code := health.Code("")
			if d.Code != "" {
				code = health.Code("device_" + d.Code)
			}
			if code == health.DevicePageGone && !works { // who switches it off in the evening goes home
				code = ""
			}
			w.tracker.Only(code, health.DeviceCodes(), d.Name, "")
		}
	}
	if w.src.Roots != nil {
		w.devices(w.src.Roots())
	}
	if w.src.Cameras != nil {
		w.cameras(w.src.Cameras())
	}
	if w.src.Hall != nil {
		w.slips()
	}
	if w.src.Silent != nil && w.src.Hall != nil {
		w.kiosks(w.src.Silent())
	}
	if w.src.Mute != nil {
		w.voices(w.src.Mute())
	}
	if w.src.Notices != nil {
		w.screens(w.src.Notices())
	}
}

// box looks at the machine itself.
func (w *Watcher) box(now time.Time) {
	w.clock(now)
	w.tracker.Set(health.ConfigLastGood, "", w.src.LastGood, "")
	w.tracker.Set(health.StorageReset, "", w.src.Reset != "" && !w.src.Sealed, w.src.Reset)
	if w.src.RootAside != nil {
		aside := w.src.RootAside()
		w.tracker.Set(health.WebRootAside, "", len(aside) > 0, strings.Join(aside, "、"))
	}
	w.tracker.Set(health.LogRestored, "", w.src.Restored, "")
	w.tracker.Set(health.LogSealed, "", w.src.Sealed, w.src.Reset)
	if w.src.Chain != nil {
		fault, detail := w.src.Chain(), ""
		if fault != nil {
			detail = strconv.FormatUint(fault.Number, 10)
		}
		w.tracker.Set(health.LogBroken, "", fault != nil, detail)
	}
	if w.src.Trouble != nil {
		w.storage(w.src.Trouble())
	}
	if w.src.Rules != nil {
		where := w.src.Rules()
		w.tracker.Set(health.CodeRulesBad, "", where != "", where)
	}
	if w.src.Resolver != nil {
		w.tracker.Set(health.ResolverDown, "", w.src.Resolver(), "")
	}
	if w.src.DiskSync != nil {
		d := w.src.DiskSync()
		w.tracker.Set(health.DiskSlow, "", d > slowSync, d.String())
	}
	if free, err := freeBytes(w.src.Data); err == nil {
		w.tracker.Set(health.DiskFull, "", free < lowSpace, "")
	}
}

// clock tells that nobody knows the time, or that the hall found out late what day it is.
func (w *Watcher) clock(now time.Time) {
	unset, instead := now.Year() < firstSane, ""
	if w.src.Hall != nil {
		w.src.Hall(func(s *queue.State, _ hallsync.Seq) { unset, instead = unset || s.ClockDead(), s.Instead() })
	}
	w.tracker.Set(health.ClockUnset, "", unset, "")
	w.tracker.Set(health.DayWrong, "", instead != "", instead)
}

// storage tells a full disk from one that refuses.
func (w *Watcher) storage(err error) {
	var disk *store.Error
	code := health.Code("")
	switch {
	case errors.As(err, &disk) && disk.Code == store.Full:
		code = health.StorageFull
	case err != nil:
		code = health.StorageFailed
	}
	w.tracker.Only(code, []health.Code{health.StorageFull, health.StorageFailed}, "", "")
}

func freeBytes(dir string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}

func (w *Watcher) uplink(st uplink.Status) {
	w.tracker.Set(health.UplinkDown, "", !st.Connected && !st.Off, "")
	w.tracker.Set(health.UplinkRefused, "", st.Refused, "")
	w.tracker.Set(health.UplinkUnproven, "", st.Unproven, "")
	w.tracker.Set(health.UplinkRejected, "", st.Rejected > 0, "")
	w.tracker.Set(health.EpochStale, "", st.Stale, "")
	w.tracker.Set(health.LogBacklog, "", st.Lag > backlog && !st.Off, "")
	w.tracker.Set(health.ClockOffset, "", st.Offset > offset || st.Offset < -offset, st.Offset.String())
}

// identity tells how the box stands with the centre.
func (w *Watcher) identity(s identity.Status, damaged []string) {
	code := map[identity.State]health.Code{
		identity.NotEnrolled: health.NotEnrolled, identity.Enrolling: health.EnrolWaiting, identity.Ending: health.CertEnding,
		identity.Ended: health.CertEnded, identity.Waiting: health.RenewalWaiting,
	}[s.State]
	all := []health.Code{health.NotEnrolled, health.EnrolWaiting, health.CertEnding, health.CertEnded, health.RenewalWaiting}
	detail := ""
	if !s.Until.IsZero() {
		detail = s.Until.Format(time.DateOnly)
	}
	w.tracker.Only(code, all, "", detail)
	w.tracker.Set(health.IdentityAside, "", len(damaged) > 0, strings.Join(damaged, "、"))
}

// devices puts those that have a root behind it.
func (w *Watcher) devices(roots []devices.Root) {
	behind := map[string][]string{}
	for _, r := range roots {
		for _, name := range r.Devices {
			behind[name] = append(behind[name], r.Subject)
			if r.Code == health.HubGone { // a line is behind the hub of its adapter
				for _, line := range roots {
					if line.Code == health.BusDown && slices.Contains(line.Devices, name) {
						behind[line.Subject] = []string{r.Subject}
					}
				}
			}
		}
	}
	for _, r := range w.roots {
		w.tracker.Behind(r.Subject)
		for _, name := range r.Devices {
			w.tracker.Behind(name)
		}
		if !slices.ContainsFunc(roots, func(still devices.Root) bool { return still.Code == r.Code && still.Subject == r.Subject }) {
			w.tracker.Set(r.Code, r.Subject, false, "")
		}
	}
	for subject, others := range behind {
		w.tracker.Behind(subject, others...)
	}
	for _, r := range roots {
		w.tracker.Set(r.Code, r.Subject, true, strings.Join(r.Devices, "、"))
	}
	w.roots = roots
}

// cameras tells a node that is away from cameras that are.
func (w *Watcher) cameras(all []hallsync.CameraStatus) {
	down, unproven := false, false
	of := []health.Code{health.CameraOffline, health.CameraAuthFailed, health.CameraDegraded, health.CameraChanged, health.CameraUnlike}
	for _, c := range all {
		node := strings.HasPrefix(c.Reason, "node_")
		down = down || node
		unproven = unproven || c.Reason == string(relay.NodeUnproven)
		code := health.Code("")
		switch {
		case node:
		case c.Reason == string(relay.CameraChanged):
			code = health.CameraChanged
		case c.Reason == string(relay.CameraUnlike):
			code = health.CameraUnlike
		case c.State == "offline":
			code = health.CameraOffline
		case c.State == "auth_failed":
			code = health.CameraAuthFailed
		case c.State == "degraded":
			code = health.CameraDegraded
		}
		w.tracker.Only(code, of, c.Code, c.Reason)
	}
	w.tracker.Set(health.RelayUnproven, "", unproven, "")
	w.tracker.Set(health.RelayDown, "", down, "")
}

// voices warns of speakers that say nothing.
func (w *Watcher) voices(mute map[string]string) {
	for name := range w.mute {
		if _, still := mute[name]; !still {
			w.tracker.Set(health.VoiceMute, name, false, "")
		}
	}
	for name, why := range mute {
		w.tracker.Set(health.VoiceMute, name, true, why)
	}
	w.mute = mute
}

// screens warns of notices that are not shown, or should not be.
func (w *Watcher) screens(now []notices.Trouble) {
	for _, t := range w.notices {
		if !slices.ContainsFunc(now, func(still notices.Trouble) bool { return still.Kind == t.Kind && still.Subject == t.Subject }) {
			w.tracker.Set(health.Code(t.Kind), t.Subject, false, "")
		}
	}
	for _, t := range now {
		w.tracker.Set(health.Code(t.Kind), t.Subject, true, t.Detail)
	}
	w.notices = now
}

// kiosks warns of those whose page went away, while somebody works in the hall: who closes it in the evening goes home.
func (w *Watcher) kiosks(silent map[string]time.Time) {
	if !w.works() {
		clear(silent)
	}
	for place := range w.silent {
		if _, still := silent[place]; !still {
			w.tracker.Set(health.KioskSilent, place, false, "")
		}
	}
	for place := range silent {
		w.tracker.Set(health.KioskSilent, place, true, "")
	}
	w.silent = silent
}

// works reports whether a window is open: somebody works in the hall.
func (w *Watcher) works() (open bool) {
	if w.src.Hall == nil {
		return false
	}
	w.src.Hall(func(s *queue.State, _ hallsync.Seq) {
		open = slices.ContainsFunc(s.Plan().Windows, func(p queue.WindowPlan) bool {
			have, _ := s.Window(p.ID)
			return have.State != hallsync.WindowClosed
		})
	})
	return open
}

// slips warns of people who wait without their slip, and tells those who perhaps have it apart.
func (w *Watcher) slips() {
	now := map[slipless][]string{}
	w.src.Hall(func(s *queue.State, _ hallsync.Seq) {
		for _, t := range s.FailedSlips() {
			at := slipless{t.Printer, health.SlipFailed}
			if t.Slip.Out == hallsync.OutUnknown {
				at.code = health.SlipUnsure
			}
			now[at] = append(now[at], t.Number)
		}
	})
	for at := range w.slipless {
		if now[at] == nil {
			w.tracker.Set(at.code, at.place, false, "")
		}
	}
	w.slipless = map[slipless]bool{}
	for at, numbers := range now {
		w.tracker.Set(at.code, at.place, true, several(numbers))
		w.slipless[at] = true
	}
}

// maxNamed is how many numbers a sentence names.
const maxNamed = 3

func several(numbers []string) string {
	if len(numbers) <= maxNamed {
		return strings.Join(numbers, "、")
	}
	return fmt.Sprintf("%s等 %d 张", strings.Join(numbers[:maxNamed], "、"), len(numbers))
}
