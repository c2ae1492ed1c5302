package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/notices"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/inputs"
	"halledge/agent/internal/web/proof"
	"halledge/agent/internal/web/view"
	"halledge/agent/kit/bundle"
	"halledge/agent/kit/health"
	"halledge/agent/kit/logs"
	"halledge/agent/kit/problem"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Long polling: maxWait bounds what a reader may ask for, lockedWait what one whose page is locked waits; healthEvery is how soon it sees
// a change of health.
const (
	maxWait     = 30 * time.Second
	healthEvery = 5 * time.Second
	lockedWait  = 2 * time.Second
)

// show shows the hall to a reader now.
func (a *API) show(who access.Who, r view.Reader) view.Hall {
	var v view.Hall
	a.opts.Hall.Look(func(m queue.Moment) { v = view.HallOf(m, a.hall, r) })
	v.Health, v.Help = a.health(who), a.helpCalls(who)
	if r.Paper {
		paper := a.paper(a.place(who))
		v.Paper = &paper
	}
	if r.Frame {
		v.Frame = view.FrameOf(a.opts.Inputs.Screen(a.place(who)).Frame())
		v.Program = a.program(who)
	}
	return v
}

// isKiosk says whether somebody looks from a kiosk.
func isKiosk(who access.Who) bool {
	return who.Role == access.Kiosk
}

// kioskAt gives the kiosk of a place.
func (a *API) kioskAt(place string) (config.Kiosk, bool) {
	i := slices.IndexFunc(a.opts.Plan.Kiosks, func(k config.Kiosk) bool { return "kiosk-"+k.ID == place })
	if i < 0 {
		return config.Kiosk{}, false
	}
	return a.opts.Plan.Kiosks[i], true
}

// paper says whether the next slip of a kiosk comes out, and of which of its printers.
func (a *API) paper(place string) view.Paper {
	k, _ := a.kioskAt(place)
	own, spare := view.Paper{State: view.PaperNone, Printer: k.PrinterName()}, view.Paper{State: view.PaperNone, Printer: k.SpareName(), Spare: true}
	for _, d := range a.opts.Devices.Statuses() {
		switch d.Name {
		case own.Printer:
			own.State = view.PaperOf(d)
		case spare.Printer:
			spare.State, spare.At = view.PaperOf(d), a.standsAt(d.Name, place)
		}
	}
	if spare.State.Prints() && !own.State.Prints() {
		return spare
	}
	return own
}

// Names of places that the plan has no name for.
const (
	placeDesk problem.Code = "place_desk"
	placeHall problem.Code = "place_hall"
)

// standsAt names for people where a device stands, seen from a place: nothing if it is there.
func (a *API) standsAt(name, from string) string {
	place, _, ok := config.Device{Name: name}.Split()
	if !ok || place.String() == from {
		return ""
	}
	switch place.Kind {
	case "kiosk":
		k, _ := a.kioskAt(place.String())
		return k.Name
	case "window":
		for _, w := range a.opts.Plan.Windows {
			if w.ID == place.ID {
				return w.Name
			}
		}
	}
	code := placeHall
	if place.Kind == "desk" {
		code = placeDesk
	}
	text, _ := a.opts.Catalog.Text(string(code), nil)
	return text.Title
}

// health gives the findings somebody should see: at a kiosk those of its own devices, staff elsewhere all of them, a screen only
// whether the centre is reached.
func (a *API) health(who access.Who) []hallsync.Condition {
	out := []hallsync.Condition{}
	switch {
	case isKiosk(who):
		out = append(out, a.kioskHealth(who)...)
	case who.May(access.SeeStaff):
		out = append(out, a.opts.Health()...)
	case who.Role == access.Screen:
		for _, c := range a.opts.Health() {
			if c.Code == "uplink_down" {
				out = append(out, c)
			}
		}
	}
	return out
}

// kioskHealth tells a kiosk about its own devices at once: people must know before they press, not when it has lasted. A printer whose
// spare one prints instead is no trouble of theirs.
func (a *API) kioskHealth(who access.Who) []hallsync.Condition {
	place := a.place(who)
	k, _ := a.kioskAt(place)
	printer, paper := k.PrinterName(), a.paper(place)
	var out []hallsync.Condition
	found := false
	for _, d := range a.opts.Devices.Statuses() {
		found = found || d.Name == printer
		if d.Code == "" || d.Name != printer && !strings.HasPrefix(d.Name, place+".") {
			continue
		}
		grave := severity(d)
		if paper.Spare && d.Name == printer || d.Name == k.SpareName() {
			grave = health.Warning
		}
		text, _ := a.opts.Catalog.Text("device_"+d.Code, map[string]string{"subject": d.Name})
		out = append(out, hallsync.Condition{
			Code: "device_" + d.Code, Subject: d.Name, Severity: string(grave), Title: text.Title, Since: d.Since.In(a.zone),
		})
	}
	if !found && !paper.Spare {
		text, _ := a.opts.Catalog.Text(string(printerMissing), nil)
		out = append(out, hallsync.Condition{Code: string(printerMissing), Subject: printer, Severity: "error", Title: text.Title})
	}
	return out
}

// severity says whether a device with a code still does its work: a printer without paper is there, and prints nothing.
func severity(d hallsync.DeviceStatus) health.Severity {
	if d.State != string(device.Degraded) {
		return health.Error
	}
	for _, c := range health.Table() {
		if c.Code == health.Code("device_"+d.Code) {
			return c.Severity
		}
	}
	return health.Warning
}

// polled is the answer of getHall: the hall, and for who asked what was shown at its place meanwhile. InputN counts what was shown;
// it goes into the next request.
type polled struct {
	view.Hall
	Input  *inputs.Event `json:"input,omitempty"`
	InputN uint64        `json:"input_n,omitempty"`
	Proof  *proof.Stamp  `json:"proof,omitempty"` // at a screen that asks for it
}

// getHall answers GET /api/v1/hall. With after=seq it waits up to wait seconds (25 unless told, 30 at most) until the hall is
// past that sequence, for readers without server-sent events; input=n then also waits for what is shown at the reader's place
// after event n, an empty n meaning from now on.
func (a *API) getHall(w http.ResponseWriter, r *http.Request, who access.Who) {
	q := r.URL.Query()
	p := poller{api: a, who: who, reader: a.reader(who, q)}
	if q.Has("input") && who.May(access.Hear) {
		n, err := strconv.ParseUint(q.Get("input"), 10, 64)
		if err != nil {
			n = a.opts.Inputs.Now()
		}
		p.input = &n
	}
	if p.reader.Frame { // one without server-sent events
		defer a.opts.Inputs.Screen(a.place(who)).Open()()
	}
	after, err := strconv.ParseUint(q.Get("after"), 10, 64)
	body := p.look()
	if err == nil && uint64(body.Seq) == after && body.Input == nil {
		wait := waitOf(q.Get("wait"))
		if who.Role == access.Locked { // it may not know yet
			wait = min(wait, lockedWait)
		}
		ctx, cancel := context.WithTimeout(r.Context(), wait)
		defer cancel()
		body = p.wait(ctx, body, func() bool { return a.still(r, who) })
		now, err := a.opts.Door.Identify(r)
		if err != nil {
			a.notSignedIn(w, err)
			return
		}
		if now != who { // it was locked meanwhile
			p.who, p.reader, p.input = now, a.reader(now, q), nil
			body = p.look()
		}
	}
	if p.reader.Frame && q.Has("session") {
		stamp := a.opts.Proofs.Stamp()
		body.Proof = &stamp
	}
	if r.Context().Err() == nil {
		a.send(w, r, http.StatusOK, body)
	}
}

// screenOf gives the plan's screen somebody stands for.
func (a *API) screenOf(who access.Who) (config.Screen, bool) {
	i := slices.IndexFunc(a.opts.Plan.Screens, func(s config.Screen) bool { return "screen-"+s.ID == a.place(who) })
	if i < 0 {
		return config.Screen{}, false
	}
	return a.opts.Plan.Screens[i], true
}

// program gives the notices that a screen shows now; nil: the centre has none for it.
func (a *API) program(who access.Who) *notices.Program {
	s, ok := a.screenOf(who)
	if !ok {
		return nil
	}
	p, ok := a.opts.Notices.Program(s.NoticeGroup())
	if !ok {
		return nil
	}
	return &p
}

// getNotice answers GET /api/v1/notices/{group}/{version}/{path} with an item of the program in force, checked as it leaves.
func (a *API) getNotice(w http.ResponseWriter, r *http.Request, _ access.Who) {
	version, err := strconv.ParseInt(r.PathValue("version"), 10, 64)
	var data []byte
	var item bundle.Item
	ok := err == nil
	if ok {
		data, item, ok = a.opts.Notices.Item(r.PathValue("group"), version, r.PathValue("path"))
	}
	if !ok {
		a.problem(w, http.StatusNotFound, notFound, nil)
		return
	}
	kind := string(item.Type)
	if item.Type == bundle.Text {
		kind += "; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(data) // a screen that has gone away cannot be told anything
}

// isScreen lets screens speak for themselves.
func isScreen(who access.Who, _ *http.Request) bool { return who.Role == access.Screen }

// shown answers POST /api/v1/notices/shown, in which a screen says what it shows: {"good"} is whether that is what it was given.
func (a *API) shown(w http.ResponseWriter, p post) {
	var said notices.Program
	if err := a.decode(p.body, &said); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if s, ok := a.screenOf(p.who); !ok || s.NoticeGroup() != said.Group {
		a.problem(w, http.StatusNotFound, notFound, nil)
		return
	}
	a.send(w, p.Request, http.StatusOK, struct {
		Good bool `json:"good"`
	}{a.opts.Notices.Shown(a.place(p.who), said)})
}

// poller is one long poll.
type poller struct {
	api    *API
	who    access.Who
	reader view.Reader
	input  *uint64 // the event seen last; nil: not asked for
}

func (p *poller) look() polled {
	body := polled{Hall: p.api.show(p.who, p.reader)}
	if p.input == nil {
		return body
	}
	body.InputN = *p.input
	if e, ok := p.api.opts.Inputs.Next(p.api.place(p.who), *p.input); ok {
		body.Input, body.InputN = &e, e.N
	}
	return body
}

// still reports whether a request is yet from whom it was at first.
func (a *API) still(r *http.Request, who access.Who) bool {
	now, err := a.opts.Door.Identify(r)
	return err == nil && now == who
}

// wait looks until something is not as before, ctx ends, or the asker may no more.
func (p *poller) wait(ctx context.Context, before polled, still func() bool) polled {
	wake, stop := p.api.wake(ctx, p.api.place(p.who))
	defer stop()
	for {
		now := p.look()
		same := slices.Equal(now.Health, before.Health) && slices.Equal(now.Help, before.Help) && (now.Paper == nil || *now.Paper == *before.Paper) &&
			reflect.DeepEqual(now.Frame, before.Frame) && reflect.DeepEqual(now.Program, before.Program)
		if now.Seq != before.Seq || now.Input != nil || !same || !still() {
			return now
		}
		select {
		case _, more := <-wake:
			if !more {
				return now
			}
		case <-ctx.Done():
			return now
		}
	}
}

func waitOf(text string) time.Duration {
	s, err := strconv.Atoi(text)
	if err != nil || s < 0 {
		s = 25
	}
	return min(time.Duration(s)*time.Second, maxWait)
}

// wake gives a channel that has a value when a reader at a place should look again: after a change of the hall, of a device, of
// what is shown at the place, and now and then for its health. It is closed when the interface closes. stop ends it and waits
// for that.
func (a *API) wake(ctx context.Context, place string) (wake <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	out, done := make(chan struct{}, 1), make(chan struct{})
	hallDirty, endHall := a.opts.Hall.Watch()
	shown, endShown := a.opts.Inputs.Watch(place)
	devices, endDevices := a.opts.Devices.Watch()
	programs, endPrograms := a.opts.Notices.Watch()
	revoked := a.opts.Door.Revoked()
	go func() {
		defer close(done)
		defer endHall()
		defer endShown()
		defer endDevices()
		defer endPrograms()
		tick := time.NewTicker(healthEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-a.closing:
				close(out)
				return
			case <-hallDirty:
			case <-shown:
			case <-devices:
			case <-programs:
			case <-revoked:
				revoked = a.opts.Door.Revoked()
			case <-tick.C:
			}
			select {
			case out <- struct{}{}:
			default: // it will look anyway
			}
		}
	}()
	return out, func() {
		cancel()
		<-done
	}
}

// getBoard answers GET /api/v1/board. Who looks after the machines does not learn why a window rests.
func (a *API) getBoard(w http.ResponseWriter, r *http.Request, who access.Who) {
	var b view.Board
	a.opts.Hall.Look(func(m queue.Moment) { b = view.BoardOf(m) })
	if !who.May(access.SeeWords) {
		for i := range b.Windows {
			b.Windows[i].Reason = ""
		}
	}
	a.send(w, r, http.StatusOK, b)
}

// getLog answers GET /api/v1/log?after=seq with the log's last lines.
func (a *API) getLog(w http.ResponseWriter, r *http.Request, _ access.Who) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64) // none: all that are kept
	lines := a.opts.Ring.After(after)
	if lines == nil {
		lines = []logs.Line{}
	}
	a.send(w, r, http.StatusOK, struct {
		Lines []logs.Line `json:"lines"`
	}{lines})
}
