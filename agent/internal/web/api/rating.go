package api

import (
	"net/http"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/view"
	"halledge/firmware-protocols/hallsync"
)

// rateBody is the body of POST /api/v1/ratings.
type rateBody struct {
	Ticket  hallsync.TicketID `json:"ticket"`
	Grade   hallsync.Grade    `json:"grade"`
	Reasons []string          `json:"reasons"`
	Text    string            `json:"text"`
}

func (a *API) checkRating(in rateBody) error {
	if len(in.Reasons) > maxReasons {
		return a.bad(fieldTooLong, "field", "reasons")
	}
	for _, r := range in.Reasons {
		if err := a.text("reasons", r, maxRatingChoice); err != nil {
			return err
		}
	}
	return a.text("text", in.Text, maxRatingText)
}

// rate answers POST /api/v1/ratings: 201 {"ticket": T}.
func (a *API) rate(w http.ResponseWriter, p post) {
	var in rateBody
	err := a.decode(p.body, &in)
	if err == nil {
		err = a.checkRating(in)
	}
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if p.who.Role == access.Citizen && in.Ticket != p.who.Ticket {
		a.problem(w, http.StatusForbidden, access.NotAllowed, nil)
		return
	}
	a.command(w, p, func() (queue.Command, error) {
		return queue.Rate{Ticket: in.Ticket, Grade: in.Grade, Reasons: in.Reasons, Text: in.Text, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		return http.StatusCreated, ticketBody{view.TicketByID(res.Moment(), in.Ticket)}
	})
}

// rateWithin is how long after its end a service is asked about at the window.
const rateWithin = 10 * time.Minute

// getRating answers GET /api/v1/windows/{w}/rating with the ticket the window's citizen may rate now, or null.
func (a *API) getRating(w http.ResponseWriter, r *http.Request, _ access.Who) {
	var body ticketBody
	known := false
	a.opts.Hall.Look(func(m queue.Moment) {
		s := m.State
		var win queue.Window
		if win, known = s.Window(hallsync.WindowID(r.PathValue("w"))); !known {
			return
		}
		t, ok := s.Ticket(win.Last)
		if ok && t.State == hallsync.Done && t.Rated == "" && a.opts.Now().Sub(t.FinishedAt) < rateWithin {
			v := view.TicketOf(m, t)
			body.Ticket = &v
		}
	})
	if !known {
		a.problem(w, http.StatusNotFound, unknownWindow, map[string]string{"window": r.PathValue("w")})
		return
	}
	a.send(w, r, http.StatusOK, body)
}
