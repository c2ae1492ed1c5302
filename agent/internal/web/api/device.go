package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

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
	code, status := device.CodeOffline, http.StatusServiceUnavailable
	if failed := (*device.Error)(nil); errors.As(err, &failed) {
		code = failed.Code
	}
	if code == device.CodeUnsupported {
		status = http.StatusConflict
	}
	a.opts.Log.Warn("device test failed", "device", name, "error", err)
	return a.opts.Catalog.Problem(status, problem.Code("device_"+string(code)), map[string]string{"subject": name})
}
