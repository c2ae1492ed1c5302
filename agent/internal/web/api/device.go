package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/voice"
	"halledge/agent/internal/web/access"
	"halledge/agent/kit/problem"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// deviceView is one configured device.
type deviceView struct {
	Name   string    `json:"name"`
	Class  string    `json:"class"`
	Model  string    `json:"model"`
	State  string    `json:"state"` // starting, ok, degraded, offline or unusable
	Code   string    `json:"code"`  // why not ok, empty if it is
	Since  time.Time `json:"since"`
	Advice string    `json:"advice"`
}

func (a *API) devices() []deviceView {
	out := []deviceView{}
	for _, d := range a.opts.Devices.Statuses() {
		out = append(out, deviceView{
			Name: d.Name, Class: d.Class, Model: d.Model, State: d.State, Code: d.Code,
			Since: d.Since.In(a.zone).Truncate(time.Millisecond), Advice: d.Advice,
		})
	}
	return out
}

// maxCalls is as many calls as the hall remembers.
const maxCalls = 32

// getDevices answers GET /api/v1/devices.
func (a *API) getDevices(w http.ResponseWriter, r *http.Request, _ access.Who) {
	a.send(w, r, http.StatusOK, struct {
		Devices []deviceView `json:"devices"`
	}{a.devices()})
}

// testDevice answers POST /api/v1/devices/{name}/test: 200 {"device": D} when the device showed that it works.
func (a *API) testDevice(w http.ResponseWriter, p post) {
	if err := a.decode(p.body, &struct{}{}); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	name := p.PathValue("name")
	a.outside(w, p, func() (int, []byte) {
		if !slices.ContainsFunc(a.opts.Devices.Statuses(), func(d hallsync.DeviceStatus) bool { return d.Name == name }) {
			refused := a.opts.Catalog.Problem(http.StatusNotFound, unknownDevice, map[string]string{"device": name})
			return refused.Status, refused.Body()
		}
		if err := a.opts.Devices.SelfTest(p.Context(), name); err != nil {
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

// getVoice gives the call of a window as a WAV file, for pages of screens that have no speaker beside them: as often and as loud as the
// hall's rules have it, or once if the query has once. Its language is zh-CN, the default, or zh-yue. Who is at the window already is
// not called, nor who was called too long ago, nor anybody in silent hours, so that is 404.
func (a *API) getVoice(w http.ResponseWriter, r *http.Request, _ access.Who) {
	query, rules := r.URL.Query(), a.opts.Plan.Rules.Voice
	language := cmp.Or(query.Get("language"), config.Languages()[0])
	what, volume := a.spoken(hallsync.WindowID(r.PathValue("w")))
	if volume == 0 {
		a.problem(w, http.StatusNotFound, nobodyCalled, nil)
		return
	}
	times := rules.Repeat
	if query.Has("once") {
		times = 1
	}
	err := voice.ErrNoSound
	var wav []byte
	if slices.Contains(config.Languages(), language) {
		wav, err = a.opts.Sounds.Call(r.Context(), what, language, rules.Rate, times, volume)
	}
	if err != nil {
		if !errors.Is(err, voice.ErrNoSound) {
			a.opts.Log.Warn("no sound of a call", "language", language, "error", err)
		}
		a.problem(w, http.StatusServiceUnavailable, voiceMissing, nil)
		return
	}
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(wav) // a page that has gone away cannot be told anything
}

// spoken gives what is to be said of a window's call and how loud; volume is 0 when nothing is to be said.
func (a *API) spoken(window hallsync.WindowID) (what voice.Sentence, volume int) {
	rules := a.opts.Plan.Rules.Voice
	a.opts.Hall.Look(func(m queue.Moment) {
		calls := m.State.Calls(maxCalls)
		at := slices.IndexFunc(calls, func(c queue.Call) bool {
			t, ok := m.State.Ticket(c.Ticket)
			return c.Window == window && ok && t.State == hallsync.Called
		})
		if at < 0 || m.Now.Sub(calls[at].At) > time.Duration(rules.MaxAgeS)*time.Second {
			return
		}
		what = voice.SentenceOf(m.State, calls[at].Number, window)
		volume = voice.VolumeAt(rules, m.Now.In(m.State.Plan().Location))
	})
	return what, volume
}
