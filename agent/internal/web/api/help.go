package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/inputs"
)

// helpBody is the answer about a call for the guide.
type helpBody struct {
	Help inputs.HelpCall `json:"help"`
}

// ring answers POST /api/v1/help, by which somebody at a kiosk calls the guide: 201 {"help": H}.
func (a *API) ring(w http.ResponseWriter, p post) {
	if err := a.decode(p.body, &struct{}{}); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	place := a.place(p.who)
	a.outside(w, p, func() (int, []byte) {
		return helpAnswer(http.StatusCreated, a.opts.Inputs.Ring(place, a.placeName(place), a.opts.Now().In(a.zone)))
	})
}

// come answers POST /api/v1/help/{place}/come, by which a guide says to be on the way: 200 {"help": H}.
func (a *API) come(w http.ResponseWriter, p post) {
	if err := a.decode(p.body, &struct{}{}); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	a.outside(w, p, func() (int, []byte) {
		call, ok := a.opts.Inputs.Come(p.PathValue("place"), p.who.Name)
		if !ok {
			refused := a.opts.Catalog.Problem(http.StatusNotFound, nobodyCalls, nil)
			return refused.Status, refused.Body()
		}
		return helpAnswer(http.StatusOK, call)
	})
}

func helpAnswer(status int, call inputs.HelpCall) (int, []byte) {
	raw, _ := json.Marshal(helpBody{call}) // texts, a time and a bool always have a JSON form
	return status, raw
}

// placeName is what people call a place.
func (a *API) placeName(place string) string {
	for _, k := range a.opts.Plan.Kiosks {
		if place == "kiosk-"+k.ID {
			return k.Name
		}
	}
	for _, w := range a.opts.Plan.Windows {
		if place == "window-"+w.ID {
			return w.Name
		}
	}
	return place
}

// helpCalls gives the calls somebody should see: staff all of them, a kiosk its own.
func (a *API) helpCalls(who access.Who) []inputs.HelpCall {
	switch {
	case who.Role == access.Kiosk, strings.HasPrefix(who.Page, "kiosk-"):
		return a.opts.Inputs.HelpCalls(a.place(who))
	case who.May(access.Work):
		return a.opts.Inputs.HelpCalls("")
	}
	return nil
}
