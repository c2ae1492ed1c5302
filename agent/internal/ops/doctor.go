package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/store"
	"halledge/agent/internal/web/trust"
	"halledge/agent/kit/health"
	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// Verdict is how one check ended.
type Verdict string

// The verdicts.
const (
	Good Verdict = "ok"
	Info Verdict = "info" // worth knowing
	Warn Verdict = "warn"
	Bad  Verdict = "fail"
)

// Check is one line of the doctor's report: what was looked at, what was found, and what to do.
type Check struct {
	Name    string       `json:"name"`
	Verdict Verdict      `json:"verdict"`
	Code    problem.Code `json:"code,omitempty"` // of what is wrong
	Detail  string       `json:"detail,omitempty"`
	Advice  string       `json:"advice,omitempty"`
}

// Report is the doctor's whole report.
type Report struct {
	OK      bool    `json:"ok"` // no check is bad
	Summary string  `json:"summary"`
	Checks  []Check `json:"checks"`
}

// What the doctor says. A code's title names what was looked at; what is wrong has its advice.
const (
	sayConfig       problem.Code = "doctor_config"   // file
	sayConfigFaults problem.Code = "config_faults"   // file, count
	sayClock        problem.Code = "doctor_clock"    // now
	sayData         problem.Code = "doctor_data"     // dir, free, sync
	sayDataUnusable problem.Code = "data_unusable"   // dir, reason
	sayAgent        problem.Code = "doctor_agent"    // address
	sayAgentDown    problem.Code = "agent_down"      // reason
	sayIdentity     problem.Code = "doctor_identity" // until
	sayWeb          problem.Code = "doctor_web"      // until, sha256
	sayWebEnds      problem.Code = "web_root_ends"   // until
	sayDevice       problem.Code = "doctor_device"   // device, model
	saySpare        problem.Code = "doctor_spare"    // place, model, node
	sayUplink       problem.Code = "doctor_uplink"   // address
	sayCameras      problem.Code = "doctor_cameras"  // count
	sayWell         problem.Code = "doctor_well"
	sayWarned       problem.Code = "doctor_warned"
	sayIll          problem.Code = "doctor_ill"
)

// doctor makes a report in the words of a catalogue.
type doctor struct {
	texts  *problem.Catalog
	report Report
	stands bool   // how the box stands with the centre has been told
	broker string // of the centre, to which the box reports; empty: to none
}

// Examine checks a box: the files, the disk, the clock, and through the running agent its devices, cameras and uplink. path is
// agent.yaml, root that of attached.Scan.
func Examine(ctx context.Context, path, root string, texts *problem.Catalog) Report {
	d := doctor{texts: texts, report: Report{OK: true}}
	cfg, problems := config.Load(path)
	if problems.Err() != nil {
		d.add(d.line(Bad, sayConfigFaults, map[string]string{"file": path, "count": strconv.Itoa(len(problems))}))
	} else {
		d.add(d.line(Good, sayConfig, map[string]string{"file": path}))
	}
	d.program(root)
	d.clock(time.Now())
	d.data(cfg.Site.Data)
	d.broker = cfg.Site.Cloud.MQTT
	d.identity(cfg.Site.Data, time.Now())
	d.askAgent(ctx, cfg)
	d.plugged(root, cfg)
	summary := sayWell
	switch {
	case !d.report.OK:
		summary = sayIll
	case slices.ContainsFunc(d.report.Checks, func(c Check) bool { return c.Verdict == Warn }):
		summary = sayWarned
	}
	d.report.Summary = texts.Say(string(summary), nil)
	return d.report
}

func (d *doctor) add(c Check) {
	d.report.Checks = append(d.report.Checks, c)
	if c.Verdict == Bad {
		d.report.OK = false
	}
}

// line makes a check of a code's text.
func (d *doctor) line(v Verdict, code problem.Code, args map[string]string) Check {
	t, _ := d.texts.Text(string(code), args)
	c := Check{Name: t.Title, Verdict: v, Detail: t.Detail, Advice: t.Advice}
	if v != Good {
		c.Code = code
	}
	return c
}

// because gives a check the condition that spoils it.
func (d *doctor) because(c Check, v Verdict, code health.Code) Check {
	t, _ := d.texts.Text(string(code), nil)
	c.Verdict, c.Code, c.Advice = v, problem.Code(code), t.Advice
	return c
}

func (d *doctor) clock(now time.Time) {
	c := d.line(Good, sayClock, map[string]string{"now": now.Format("2006-01-02 15:04:05 -07:00")})
	if now.Year() < firstSane {
		c = d.because(c, Bad, health.ClockUnset)
	}
	d.add(c)
}

func (d *doctor) data(dir string) {
	sync, err := store.MeasureSync(dir, store.DiskSamples)
	var free uint64
	if err == nil {
		free, err = freeBytes(dir)
	}
	if err != nil {
		d.add(d.line(Bad, sayDataUnusable, map[string]string{"dir": dir, "reason": err.Error()}))
		return
	}
	c := d.line(Good, sayData, map[string]string{
		"dir": dir, "free": strconv.FormatUint(free>>20, 10), "sync": sync.P99.Round(10 * time.Microsecond).String(),
	})
	switch {
	case free < lowSpace:
		c = d.because(c, Bad, health.DiskFull)
	case sync.P99 > slowSync:
		c = d.because(c, Warn, health.DiskSlow)
	}
	d.add(c)
}

// identity tells how the box stands with the centre by its files: a fault in them is one that the agent does not start with.
func (d *doctor) identity(data string, now time.Time) {
	info, err := os.Stat(data)
	if err != nil {
		return // told already
	}
	s, err := identity.Look(filepath.Join(data, identity.Directory), owner(info), now)
	var fault *identity.Fault
	switch {
	case errors.As(err, &fault) && fault.Code == identity.CodeMissing:
		s.State = identity.NotEnrolled // the agent has never run
	case errors.As(err, &fault):
		d.add(d.line(Bad, problem.Code(fault.Code), fault.Said()))
		return
	case err != nil:
		return // who may not look at the data may not look at this
	}
	d.stands = true
	d.broker = cmp.Or(d.broker, s.MQTT)
	if s.State == identity.NotEnrolled || s.State == identity.Enrolling {
		d.broker = "" // nothing is reported without certificates
	}
	until := s.Until.Format(time.DateOnly)
	said := map[string]string{"until": until, "detail": until}
	switch s.State {
	case identity.NotEnrolled:
		d.add(d.line(Info, problem.Code(health.NotEnrolled), said))
	case identity.Enrolling:
		d.add(d.line(Warn, problem.Code(health.EnrolWaiting), said))
	case identity.Ending:
		d.add(d.line(Warn, problem.Code(health.CertEnding), said))
	case identity.Ended:
		d.add(d.line(Bad, problem.Code(health.CertEnded), said))
	default:
		d.add(d.line(Good, sayIdentity, said))
	}
}

// standing gives the conditions of which the files tell more.
func standing() []health.Code {
	return []health.Code{health.NotEnrolled, health.EnrolWaiting, health.CertEnding, health.CertEnded}
}

// askAgent adds what only the running agent knows.
func (d *doctor) askAgent(ctx context.Context, cfg *config.Config) {
	door, err := findDoor(cfg.Site.Data)
	var all []Device
	var hall struct{ Health []hallsync.Condition }
	if err == nil {
		all, err = door.devices(ctx)
	}
	if err == nil {
		err = door.ask(ctx, http.MethodGet, "/api/v1/hall", nil, &hall)
	}
	if err != nil {
		d.add(d.line(Bad, sayAgentDown, map[string]string{"reason": Sentence(err, d.texts)}))
		return
	}
	d.add(d.line(Good, sayAgent, map[string]string{"address": door.Address()}))
	d.web(door)
	d.causes(all)
	for _, s := range all {
		if s.Cause == nil {
			d.device(s)
		}
	}
	d.conditions(cfg, hall.Health)
}

// rootEndsSoon is how long before its end the root must be replaced: somebody has to go to every machine of the hall.
const rootEndsSoon = 180 * 24 * time.Hour

// web tells of the certificate of the pages, which the agent has just been asked by.
func (d *doctor) web(door Door) {
	if len(door.Root) == 0 {
		return
	}
	root, err := trust.ParseRoot(door.Root)
	if err != nil {
		return // nobody could have been asked
	}
	until := root.Certificate.NotAfter
	args := map[string]string{"until": until.Format(time.DateOnly), "sha256": root.SHA256()}
	if time.Until(until) < rootEndsSoon {
		d.add(d.line(Warn, sayWebEnds, args))
		return
	}
	d.add(d.line(Good, sayWeb, args))
}

// causes adds what is behind the troubles of devices, once each: those devices are named and have no line of their own.
func (d *doctor) causes(all []Device) {
	told := map[string]bool{}
	for _, s := range all {
		if s.Cause == nil || told[string(s.Cause.Code)+s.Cause.Subject] {
			continue
		}
		told[string(s.Cause.Code)+s.Cause.Subject] = true
		args := map[string]string{"subject": s.Cause.Subject, "detail": strings.Join(s.Cause.Devices, "、")}
		d.add(d.line(Bad, s.Cause.Code, args))
	}
}

// device adds one device that has nothing behind its trouble but itself.
func (d *doctor) device(s Device) {
	c := d.line(Good, sayDevice, map[string]string{"device": s.Name, "model": s.Model})
	switch s.State {
	case "ok":
	case "degraded", "starting":
		c.Verdict = Warn
	default:
		c.Verdict = Bad
	}
	if s.Code != "" {
		c.Code, c.Advice = problem.Code("device_"+s.Code), s.Advice
	}
	d.add(c)
}

// plugged tells of what is connected and not configured.
func (d *doctor) plugged(root string, cfg *config.Config) {
	p, err := Look(root, cfg)
	if err != nil {
		return // a box without a sysfs has nothing plugged in
	}
	for _, s := range p.Spares {
		if len(s.Proposals) > 0 && s.Proposals[0].Sure {
			d.add(d.line(Warn, saySpare, map[string]string{"place": placeOf(s), "model": s.Proposals[0].Title, "node": s.Path}))
		}
	}
}

// conditions adds the agent's findings that no device check has told already, and a good line for what has none.
func (d *doctor) conditions(cfg *config.Config, found []hallsync.Condition) {
	told := map[string]bool{}
	for _, c := range found {
		if strings.HasPrefix(c.Code, "device_") || slices.Contains(devices.RootCodes(), health.Code(c.Code)) ||
			d.stands && slices.Contains(standing(), health.Code(c.Code)) {
			continue
		}
		verdict := Warn
		switch health.Severity(c.Severity) {
		case health.Error:
			verdict = Bad
		case health.Info:
			verdict = Info
		}
		name := strings.TrimSpace(c.Title + " " + c.Subject)
		d.add(Check{Name: name, Verdict: verdict, Code: problem.Code(c.Code), Advice: c.Advice})
		told[area(c.Code)] = true
	}
	if d.broker != "" && !told["uplink"] {
		d.add(d.line(Good, sayUplink, map[string]string{"address": d.broker}))
	}
	if len(cfg.Site.Cameras) > 0 && !told["camera"] {
		d.add(d.line(Good, sayCameras, map[string]string{"count": strconv.Itoa(len(cfg.Site.Cameras))}))
	}
}

func area(code string) string {
	switch {
	case strings.HasPrefix(code, "uplink_"), code == "log_backlog", code == "epoch_stale":
		return "uplink"
	case strings.HasPrefix(code, "camera_"), code == "relay_down", code == "relay_unproven":
		return "camera"
	}
	return code
}

// Text writes the report for a person's shell.
func (r Report) Text(w io.Writer) error {
	marks := map[Verdict]string{Good: "✓", Info: "·", Warn: "!", Bad: "✗"}
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s %s", marks[c.Verdict], c.Name)
		if c.Detail != "" {
			fmt.Fprintf(&b, "  %s", c.Detail)
		}
		if c.Code != "" {
			fmt.Fprintf(&b, "  [%s]", c.Code)
		}
		b.WriteByte('\n')
		if c.Advice != "" {
			fmt.Fprintf(&b, "    → %s\n", c.Advice)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.Summary)
	_, err := io.WriteString(w, b.String())
	return err
}
