package api

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/agent/internal/devices"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/relay/pin"
	"halledge/agent/internal/web/access"
	"halledge/agent/kit/problem"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// deviceView is one configured device.
type deviceView struct {
	Name     string       `json:"name"`
	Class    string       `json:"class"`
	Model    string       `json:"model"`
	Title    string       `json:"title"` // of the model
	State    string       `json:"state"` // starting, ok, degraded, offline or unusable
	Code     string       `json:"code"`  // why not ok, empty if it is
	Since    time.Time    `json:"since"`
	Advice   string       `json:"advice"`
	Detail   string       `json:"detail"`   // what the driver says of it
	Blind    bool         `json:"blind"`    // it cannot tell how it is
	Identity string       `json:"identity"` // which one of its kind it said it is
	LastGood *time.Time   `json:"last_good"`
	Counters countersView `json:"counters"`
	Cause    *causeView   `json:"cause"` // what is behind its trouble, null for nothing else
	Where    string       `json:"where"` // as configured
	Node     string       `json:"node"`  // that it has now
	Port     string       `json:"port"`  // the USB socket that it is or was in
	Tracing  bool         `json:"tracing"`
}

// countersView counts since the start of the program.
type countersView struct {
	Opens    uint64 `json:"opens"`
	Failures uint64 `json:"failures"`
	Jobs     uint64 `json:"jobs"`
	Garbage  uint64 `json:"garbage"`
}

// causeView is one thing to mend for several devices.
type causeView struct {
	Code    string   `json:"code"`
	Title   string   `json:"title"`
	Subject string   `json:"subject"`
	Devices []string `json:"devices"`
}

func (a *API) devices() []deviceView {
	out := []deviceView{}
	details := a.opts.Devices.Details()
	for _, d := range a.opts.Devices.Statuses() {
		more := details[d.Name]
		v := deviceView{
			Name: d.Name, Class: d.Class, Model: d.Model, Title: more.Title, State: d.State, Code: d.Code,
			Since: d.Since.In(a.zone).Truncate(time.Millisecond), Advice: d.Advice, Detail: more.Text, Blind: d.Blind, Identity: d.Identity,
			Counters: countersView(more.Counters), Where: more.Where, Node: more.Node, Port: more.Port, Tracing: more.Records,
		}
		if !more.LastGood.IsZero() {
			at := more.LastGood.In(a.zone).Truncate(time.Millisecond)
			v.LastGood = &at
		}
		if r := more.Cause; r != nil {
			text, _ := a.opts.Catalog.Text(string(r.Code), map[string]string{"subject": r.Subject, "detail": strings.Join(r.Devices, "、")})
			v.Cause = &causeView{Code: string(r.Code), Title: text.Title, Subject: r.Subject, Devices: r.Devices}
		}
		out = append(out, v)
	}
	return out
}

// getDevices answers GET /api/v1/devices: what is configured, and what is plugged in and is not.
func (a *API) getDevices(w http.ResponseWriter, r *http.Request, _ access.Who) {
	a.send(w, r, http.StatusOK, struct {
		Devices []deviceView    `json:"devices"`
		Found   []devices.Spare `json:"found"`
	}{a.devices(), devices.Spares(a.opts.Devices.Found(), a.opts.Site.Devices, a.opts.Plan)})
}

// testDevice answers POST /api/v1/devices/{name}/test: 200 {"device": D} when the device showed that it works.
func (a *API) testDevice(w http.ResponseWriter, p post) {
	if err := a.decode(p.body, &struct{}{}); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	a.atDevice(w, p, func(name string) error { return a.opts.Devices.SelfTest(p.Context(), name) })
}

// atDevice does something with the device that the path names, once, and tells how the device is then.
func (a *API) atDevice(w http.ResponseWriter, p post, do func(name string) error) {
	name := p.PathValue("name")
	a.outside(w, p, func() (int, []byte) {
		if !a.hasDevice(name) {
			refused := a.noDevice(name)
			return refused.Status, refused.Body()
		}
		if err := do(name); err != nil {
			failed := a.deviceProblem(name, err)
			return failed.Status, failed.Body()
		}
		all := a.devices()
		raw, err := json.Marshal(map[string]deviceView{"device": all[slices.IndexFunc(all, func(d deviceView) bool { return d.Name == name })]})
		if err != nil { // times and texts can always be written
			return http.StatusInternalServerError, nil
		}
		return http.StatusOK, raw
	})
}

func (a *API) hasDevice(name string) bool {
	return slices.ContainsFunc(a.opts.Devices.Statuses(), func(d hallsync.DeviceStatus) bool { return d.Name == name })
}

func (a *API) noDevice(name string) problem.Problem {
	return a.opts.Catalog.Problem(http.StatusNotFound, unknownDevice, map[string]string{"device": echo(name)})
}

// deviceProblem says why a device's test failed. A device that cannot be tested is a fact; one that is not well may be well soon,
// so that its answer is not remembered.
func (a *API) deviceProblem(name string, err error) problem.Problem {
	code, status := problem.Code("device_"+string(device.CodeOffline)), http.StatusServiceUnavailable
	failed := (*device.Error)(nil)
	switch {
	case errors.Is(err, devices.ErrNothingCame):
		code = nothingCame
	case errors.As(err, &failed):
		code = problem.Code("device_" + string(failed.Code))
		if failed.Code == device.CodeUnsupported {
			status = http.StatusConflict
		}
	}
	a.opts.Log.Warn("device test failed", "device", name, "error", err)
	params := map[string]string{"subject": name}
	if found := device.Found(nil); errors.As(err, &found) {
		params["found"] = found.String()
	}
	return a.opts.Catalog.Problem(status, code, params)
}

// maxTrace is how long somebody may have the bytes of a device recorded at once, in minutes.
const maxTrace = 60

// trace answers POST /api/v1/devices/{name}/trace: the bytes of the device are recorded for so many minutes from now on; 0 ends that.
// 200 {"device": D}.
func (a *API) trace(w http.ResponseWriter, p post) {
	var ask struct {
		Minutes int `json:"minutes"`
	}
	if err := a.decode(p.body, &ask); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if ask.Minutes < 0 || ask.Minutes > maxTrace {
		a.problem(w, http.StatusBadRequest, traceMinutes, map[string]string{"limit": strconv.Itoa(maxTrace)})
		return
	}
	a.atDevice(w, p, func(name string) error {
		return a.opts.Devices.StartRecord(name, time.Duration(ask.Minutes)*time.Minute)
	})
}

// entryView is one piece of a trace as it was read or written.
type entryView struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Way    string    `json:"way"` // in (from the device), out, or note
	Length int       `json:"length"`
	Hex    string    `json:"hex"`  // of the beginning; shorter than the length where it was long or may be personal data
	Text   string    `json:"text"` // of a note
}

// getTrace answers GET /api/v1/devices/{name}/trace?after=N: what was recorded after an entry. What people show to readers and
// scanners is in no record: of such bytes there is only how many they were.
func (a *API) getTrace(w http.ResponseWriter, r *http.Request, _ access.Who) {
	after, err := strconv.ParseUint(cmp.Or(r.URL.Query().Get("after"), "0"), 10, 64)
	if err != nil {
		a.fail(w, r, a.bad(fieldType, "field", "after"))
		return
	}
	name := r.PathValue("name")
	record, err := a.opts.Devices.Record(name, after)
	if err != nil {
		problem.Write(w, a.noDevice(name))
		return
	}
	entries := make([]entryView, len(record.Entries))
	for i, e := range record.Entries {
		entries[i] = entryView{e.Seq, e.At.In(a.zone).Truncate(time.Millisecond), string(e.Way), e.Length, hex.EncodeToString(e.Bytes), e.Text}
	}
	left := 0
	if record.On {
		left = int(time.Until(record.Until).Round(time.Second).Seconds())
	}
	a.send(w, r, http.StatusOK, struct {
		On      bool        `json:"on"`
		LeftS   int         `json:"left_s"`
		Masked  bool        `json:"masked"`
		Entries []entryView `json:"entries"`
	}{record.On, left, record.Masked, entries})
}

// cameraView is a camera, and by what it is known.
type cameraView struct {
	Code   string    `json:"code"`
	Name   string    `json:"name"`
	State  string    `json:"state"`  // idle, connecting, relaying, degraded, offline or auth_failed
	Reason string    `json:"reason"` // why, empty if there is nothing to say
	Since  time.Time `json:"since"`
	pin.Standing
}

func (a *API) cameras() []cameraView {
	out := []cameraView{}
	if a.opts.Cameras == nil {
		return out
	}
	for _, c := range a.opts.Cameras.Known() {
		out = append(out, cameraView{c.Code, c.Name, c.State, c.Reason, c.Since.In(a.zone).Truncate(time.Second), c.Standing})
	}
	return out
}

// getCameras answers GET /api/v1/cameras.
func (a *API) getCameras(w http.ResponseWriter, r *http.Request, _ access.Who) {
	a.send(w, r, http.StatusOK, map[string][]cameraView{"cameras": a.cameras()})
}

// adoptCamera answers POST /api/v1/cameras/{code}/adopt {"seen": M}, by which somebody of the hall says that the machine that answers at a
// camera's address, which he has looked at, is the camera from now on: 200 {"camera": C}. Another machine than that is not adopted.
func (a *API) adoptCamera(w http.ResponseWriter, p post) {
	var in struct {
		Seen pin.Machine `json:"seen"`
	}
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	all := a.cameras()
	i := slices.IndexFunc(all, func(c cameraView) bool { return c.Code == p.PathValue("code") })
	if i < 0 {
		a.problem(w, http.StatusNotFound, cameraUnknown, nil)
		return
	}
	c := all[i]
	status, _ := a.command(w, p, func() (queue.Command, error) {
		var refused problem.Code
		switch {
		case c.Verdict != pin.Changed && c.Verdict != pin.Unlike:
			refused = cameraSame
		case c.Written:
			refused = cameraWritten
		case in.Seen != c.Seen:
			refused = cameraOther
		default:
			return pin.Fact(c.Code, c.Seen, p.who.By()), nil
		}
		return nil, a.opts.Catalog.Problem(http.StatusConflict, refused, map[string]string{"subject": c.Code})
	}, func(hall.Result) (int, any) {
		c.Known, c.Verdict = c.Seen, pin.Same
		return http.StatusOK, map[string]cameraView{"camera": c}
	})
	if status == http.StatusOK {
		a.opts.Log.Info("camera adopted", "camera", c.Code, "mac", c.Seen.MAC, "key", c.Seen.Key, "by", string(p.who.Role))
		a.opts.Cameras.Again(c.Code)
	}
}

// machineView is a place where a machine of the hall stands.
type machineView struct {
	Place string `json:"place"` // kiosk-1, screen-1, or rate-1 for the tablet of window 1
	Name  string `json:"name"`
}

// pairedView is a machine that was let in by a short code.
type pairedView struct {
	ID string `json:"id"`
	machineView
	Since time.Time `json:"since"`
	Seen  time.Time `json:"seen"`
	From  string    `json:"from"` // the address it was paired at
	By    string    `json:"by"`   // who let it in
}

// pairedBody is the answer about one machine.
type pairedBody struct {
	Device pairedView `json:"device"`
}

// machines lists where machines stand, by the plan.
func (a *API) machines() []machineView {
	out := []machineView{}
	for _, k := range a.opts.Plan.Kiosks {
		out = append(out, machineView{"kiosk-" + k.ID, k.Name})
	}
	for _, s := range a.opts.Plan.Screens {
		out = append(out, machineView{"screen-" + s.ID, s.Name})
	}
	for _, w := range a.opts.Plan.Windows {
		out = append(out, machineView{"rate-" + w.ID, w.Name + "评价器"})
	}
	return out
}

func (a *API) pairedView(d access.Device) pairedView {
	at := machineView{d.Place, d.Place} // of a place that is no more
	all := a.machines()
	if i := slices.IndexFunc(all, func(m machineView) bool { return m.Place == d.Place }); i >= 0 {
		at = all[i]
	}
	return pairedView{
		ID: d.ID, machineView: at, Since: d.Since.In(a.zone).Truncate(time.Second), Seen: d.Seen.In(a.zone).Truncate(time.Second), From: d.From, By: d.By,
	}
}

// getPairings answers GET /api/v1/pairings: the machines that were let in, where machines stand, and how many wait.
func (a *API) getPairings(w http.ResponseWriter, r *http.Request, _ access.Who) {
	body := struct {
		Devices []pairedView  `json:"devices"`
		Places  []machineView `json:"places"`
		Waiting int           `json:"waiting"`
	}{Devices: []pairedView{}, Places: a.machines()}
	devices, waiting := a.opts.Door.Devices()
	for _, d := range devices {
		body.Devices = append(body.Devices, a.pairedView(d))
	}
	body.Waiting = waiting
	a.send(w, r, http.StatusOK, body)
}

// pair answers POST /api/v1/pairings {"code": C, "place": P}: 201 {"device": D} when the machine that shows the code is let in at the place.
func (a *API) pair(w http.ResponseWriter, p post) {
	var in struct {
		Code  string `json:"code"`
		Place string `json:"place"`
	}
	err := a.decode(p.body, &in)
	switch {
	case err != nil:
	case in.Code == "":
		err = a.bad(fieldMissing, "field", "code")
	case in.Place == "":
		err = a.bad(fieldMissing, "field", "place")
	}
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	a.outside(w, p, func() (int, []byte) {
		if !slices.ContainsFunc(a.machines(), func(m machineView) bool { return m.Place == in.Place }) {
			return a.notPaired(&access.PairError{Code: access.PairPlace})
		}
		one, err := a.opts.Door.Approve(p.who, in.Code, in.Place)
		if err != nil {
			return a.notPaired(err)
		}
		return a.aboutPaired(http.StatusCreated, one)
	})
}

// revoke answers POST /api/v1/pairings/{id}/revoke: 200 {"device": D} when the machine is shut out.
func (a *API) revoke(w http.ResponseWriter, p post) {
	if err := a.decode(p.body, &struct{}{}); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	a.outside(w, p, func() (int, []byte) {
		one, err := a.opts.Door.Revoke(p.who, p.PathValue("id"))
		if err != nil {
			return a.notPaired(err)
		}
		return a.aboutPaired(http.StatusOK, one)
	})
}

func (a *API) aboutPaired(status int, one access.Device) (int, []byte) {
	raw, _ := json.Marshal(pairedBody{a.pairedView(one)}) // texts and times always have a JSON form
	return status, raw
}

func (a *API) notPaired(err error) (int, []byte) {
	status, code := http.StatusServiceUnavailable, pairNotSaved
	var known *access.PairError
	if errors.As(err, &known) {
		status, code = known.Status(), known.Code
	} else {
		a.opts.Log.Error("paired devices not saved", "error", err)
	}
	refused := a.opts.Catalog.Problem(status, code, nil)
	return refused.Status, refused.Body()
}
