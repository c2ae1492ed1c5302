package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"halledge/agent/internal/config"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/voice"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/inputs"
	"halledge/firmware-protocols/hallsync"
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
	case isKiosk(who):
		return a.opts.Inputs.HelpCalls(a.place(who))
	case who.May(access.Work):
		return a.opts.Inputs.HelpCalls("")
	}
	return nil
}

// maxSaid is how much of a page is said at once, in characters: a sentence.
const maxSaid = 60

// trial is what whoever reads pages out must be able to say.
const trial = "请选择要办理的业务"

// english is a language of kiosks, in which nobody is called.
const english = "en"

// say answers GET /api/v1/say?text=…&language=… with a sentence of a kiosk's page as a WAV file, for those who cannot read it. The
// language is zh-CN, the default, zh-yue or en. The text is not kept and not logged. Without a text it says whether it can: {"able"}.
func (a *API) say(w http.ResponseWriter, r *http.Request, _ access.Who) {
	query := r.URL.Query()
	text, language := query.Get("text"), cmp.Or(query.Get("language"), config.Languages()[0])
	if text == "" {
		_, err := a.opts.Sounds.Text(r.Context(), trial, language, a.opts.Plan.Rules.Voice.Rate)
		a.send(w, r, http.StatusOK, struct {
			Able bool `json:"able"`
		}{err == nil})
		return
	}
	if utf8.RuneCountInString(text) > maxSaid {
		a.problem(w, http.StatusBadRequest, fieldTooLong, map[string]string{"field": "text", "limit": strconv.Itoa(maxSaid)})
		return
	}
	err := voice.ErrNoSound
	var wav []byte
	if language == english || slices.Contains(config.Languages(), language) {
		wav, err = a.opts.Sounds.Text(r.Context(), text, language, a.opts.Plan.Rules.Voice.Rate)
	}
	if err != nil {
		if !errors.Is(err, voice.ErrNoSound) {
			a.opts.Log.Warn("no sound of a page", "language", language, "error", err)
		}
		a.problem(w, http.StatusServiceUnavailable, voiceMissing, nil)
		return
	}
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(wav) // a page that has gone away cannot be told anything
}

// maxCalls is as many calls as the hall remembers.
const maxCalls = 32

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
