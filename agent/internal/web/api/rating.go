package api

import (
	"encoding/json"
	"net/http"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/view"
	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// rateBody is the body of POST /api/v1/ratings.
type rateBody struct {
	Ticket  hallsync.TicketID `json:"ticket"`
	Grade   hallsync.Grade    `json:"grade"`
	Reasons []string          `json:"reasons"`
	Text    string            `json:"text"`
}

func (a *API) checkRating(in *rateBody) error {
	in.Text = written(in.Text)
	if len(in.Reasons) > maxReasons {
		return a.bad(fieldTooLong, "field", "reasons")
	}
	for i, r := range in.Reasons {
		in.Reasons[i] = written(r)
		if err := a.text("reasons", in.Reasons[i], maxRatingChoice); err != nil {
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
		err = a.checkRating(&in)
	}
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if !a.mayRateTicket(p.who, in.Ticket) {
		a.problem(w, http.StatusForbidden, access.NotAllowed, nil)
		return
	}
	a.command(w, p, func() (queue.Command, error) {
		return queue.Rate{Ticket: in.Ticket, Grade: in.Grade, Reasons: in.Reasons, Text: in.Text, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		return http.StatusCreated, ticketBody{Ticket: view.TicketByID(res.Moment(), in.Ticket)}
	})
}

// mayRateTicket reports whether somebody may speak for a ticket: a citizen for the own one, the tablet at a window for those that
// were finished there, everybody else whom the route lets in for all. A ticket nobody knows is left to the queue.
func (a *API) mayRateTicket(who access.Who, id hallsync.TicketID) bool {
	if who.Role == access.Citizen {
		return who.Ticket == id
	}
	mine := true
	a.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) {
		if t, ok := s.Ticket(id); ok {
			mine = who.MayRateAt(t.Window)
		}
	})
	return mine
}

// unratedBody is the body of POST /api/v1/tickets/{id}/unrated.
type unratedBody struct {
	Why hallsync.Unrated `json:"why"`
}

// unrated answers POST /api/v1/tickets/{id}/unrated: the tablet asked and got no answer. 200 {"ticket": T}, also the second time.
func (a *API) unrated(w http.ResponseWriter, p post) {
	var in unratedBody
	err := a.decode(p.body, &in)
	if err == nil && !in.Why.Valid() {
		err = a.bad(fieldType, "field", "why")
	}
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	id := hallsync.TicketID(p.PathValue("id"))
	if !a.mayRateTicket(p.who, id) {
		a.problem(w, http.StatusForbidden, access.NotAllowed, nil)
		return
	}
	a.command(w, p, func() (queue.Command, error) {
		return queue.LeaveUnrated{Ticket: id, Why: in.Why, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		return http.StatusOK, ticketBody{Ticket: view.TicketByID(res.Moment(), id)}
	})
}

// ratingBody is the answer of getRating. Ticket is what the window's citizen may rate now, null when there is nothing to ask; Matter is
// the name of its queue. Staff is the number, never the name, of who served it, or else of who works at the window; null if nobody
// does. State is that of the window.
type ratingBody struct {
	Ticket *view.Ticket         `json:"ticket"`
	Matter string               `json:"matter"`
	Staff  *hallsync.StaffID    `json:"staff"`
	State  hallsync.WindowState `json:"state"`
}

// getRating answers GET /api/v1/windows/{w}/rating. A window that has called somebody else asks nobody any more, and nobody is asked
// twice, unless the window asked for it: again=1 also gives a ticket that was left unrated.
func (a *API) getRating(w http.ResponseWriter, r *http.Request, who access.Who) {
	if !who.MayRateAt(hallsync.WindowID(r.PathValue("w"))) {
		a.problem(w, http.StatusForbidden, access.NotAllowed, nil)
		return
	}
	var body ratingBody
	known, again := false, r.URL.Query().Get("again") != ""
	a.opts.Hall.Look(func(m queue.Moment) {
		s := m.State
		var win queue.Window
		if win, known = s.Window(hallsync.WindowID(r.PathValue("w"))); !known {
			return
		}
		body.State = win.State
		staff := win.Staff
		if t, ok := s.ToRate(win.ID, m.Now); ok && (again || t.Unrated == "") {
			v := view.TicketOf(m, t)
			body.Ticket, staff = &v, t.Staff
			for _, q := range s.Plan().Queues {
				if q.ID == t.Queue {
					body.Matter = q.Name
				}
			}
		}
		if staff != "" {
			body.Staff = &staff
		}
	})
	if !known {
		a.problem(w, http.StatusNotFound, unknownWindow, map[string]string{"window": r.PathValue("w")})
		return
	}
	a.send(w, r, http.StatusOK, body)
}

// askRating answers POST /api/v1/windows/{w}/ask-rating, 评价: the tablet or rating device asks the citizen who was served last, also if the
// question was left unanswered: 200 {"ticket": T}. It changes nothing in the hall, and says no when there is nothing to ask or neither.
func (a *API) askRating(w http.ResponseWriter, p post) {
	if err := a.decode(p.body, &struct{}{}); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	id := p.PathValue("w")
	a.outside(w, p, func() (int, []byte) {
		var asked *view.Ticket
		known := false
		a.opts.Hall.Look(func(m queue.Moment) {
			var win queue.Window
			win, known = m.State.Window(hallsync.WindowID(id))
			if t, ok := m.State.ToRate(win.ID, m.Now); ok {
				v := view.TicketOf(m, t)
				asked = &v
			}
		})
		refuse := func(status int, code problem.Code) (int, []byte) {
			refused := a.opts.Catalog.Problem(status, code, map[string]string{"window": id})
			return refused.Status, refused.Body()
		}
		switch {
		case !known:
			return refuse(http.StatusNotFound, unknownWindow)
		case asked == nil:
			return refuse(http.StatusConflict, nothingToRate)
		case !a.opts.Inputs.AskToRate(hallsync.WindowID(id), asked.ID):
			return refuse(http.StatusConflict, raterAway)
		}
		raw, _ := json.Marshal(ticketBody{Ticket: asked}) // texts, numbers and times always have a JSON form
		return http.StatusOK, raw
	})
}
