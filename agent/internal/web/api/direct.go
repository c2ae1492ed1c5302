package api

import (
	"net/http"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/view"
	"halledge/firmware-protocols/hallsync"
)

// dutyBody is the body of POST /api/v1/windows/{w}/duty.
type dutyBody struct {
	Queue hallsync.QueueID `json:"queue"`
	Until time.Time        `json:"until"` // now or earlier ends it
}

// duty answers POST /api/v1/windows/{w}/duty, by which a window serves one more queue until a time: 200 {"window": W}.
func (a *API) duty(w http.ResponseWriter, p post) {
	var in dutyBody
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if in.Until.IsZero() {
		a.problem(w, http.StatusBadRequest, fieldMissing, map[string]string{"field": "until"})
		return
	}
	id := hallsync.WindowID(p.PathValue("w"))
	a.command(w, p, func() (queue.Command, error) {
		return queue.SetDuty{Window: id, Queue: in.Queue, Until: in.Until, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		var body struct {
			Window view.Window `json:"window"`
		}
		body.Window, _ = view.WindowOf(res.Moment(), id, true)
		return http.StatusOK, body
	})
}

// rollBody is the body and the answer of POST /api/v1/roll. Next is the number that is called next.
type rollBody struct {
	Queue hallsync.QueueID `json:"queue"`
	On    bool             `json:"on"`
	Next  int              `json:"next"`
}

// roll answers POST /api/v1/roll, by which windows call the numbers of a paper roll, because no tickets can be printed.
func (a *API) roll(w http.ResponseWriter, p post) {
	var in rollBody
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if in.Next < 0 || in.Next > 9999 {
		a.problem(w, http.StatusBadRequest, fieldType, map[string]string{"field": "next", "type": "0–9999"})
		return
	}
	a.command(w, p, func() (queue.Command, error) {
		return queue.SetRoll{Queue: in.Queue, On: in.On, Next: in.Next, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		next := res.State.Roll(in.Queue)
		return http.StatusOK, rollBody{Queue: in.Queue, On: next > 0, Next: next}
	})
}

// clockBody is the body and the answer of POST /api/v1/clock.
type clockBody struct {
	Time time.Time `json:"time"`
}

// clock answers POST /api/v1/clock, by which a member of staff says what time it is when the box does not know.
func (a *API) clock(w http.ResponseWriter, p post) {
	var in clockBody
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if in.Time.Year() < 2025 || in.Time.Year() > 2100 {
		a.problem(w, http.StatusBadRequest, fieldType, map[string]string{"field": "time", "type": "2025–2100"})
		return
	}
	a.command(w, p, func() (queue.Command, error) {
		return queue.SetClock{To: in.Time, Source: queue.ClockByStaff, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) { return http.StatusOK, clockBody{Time: in.Time.In(a.zone)} })
}
