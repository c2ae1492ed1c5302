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

// verbBody is the body of POST /api/v1/windows/{w}/{verb}; each verb uses the members it needs.
type verbBody struct {
	Ticket hallsync.TicketID `json:"ticket"`
	To     struct {
		Queue    hallsync.QueueID  `json:"queue"`
		Window   hallsync.WindowID `json:"window"`
		Position hallsync.Position `json:"position"`
	} `json:"to"`
	Reason string             `json:"reason"`
	Holds  *hallsync.TicketID `json:"holds"`   // of call-next: what the page shows at the window, "" for nothing; without it whatever is there is finished
	Note   string             `json:"note"`    // of transfer: for the window that calls the ticket next
	ForMin int                `json:"for_min"` // of hold: then the ticket goes back to its old place in line; 0: it does not by itself
}

// maxHold bounds how long a ticket is held by a timer, in minutes.
const maxHold = 24 * 60

// windowBody is the answer of a window's verbs. Ticket is the one the verb dealt with; Why explains a call.
type windowBody struct {
	Window view.Window   `json:"window"`
	Ticket *view.Ticket  `json:"ticket"`
	Why    *hallsync.Why `json:"why"`
}

// atWindow lets people act at their own window, and a staff token at each.
func atWindow(who access.Who, r *http.Request) bool {
	return who.MayWorkAt(hallsync.WindowID(r.PathValue("w")))
}

// windowVerb answers POST /api/v1/windows/{w}/{verb}.
func (a *API) windowVerb(w http.ResponseWriter, p post) {
	var in verbBody
	if err := a.decode(p.body, &in); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	in.Reason, in.Note = written(in.Reason), written(in.Note)
	for field, text := range map[string]string{"reason": in.Reason, "note": in.Note} {
		if err := a.text(field, text, maxReason); err != nil {
			a.fail(w, p.Request, err)
			return
		}
	}
	if in.ForMin < 0 || in.ForMin > maxHold {
		a.problem(w, http.StatusBadRequest, fieldType, map[string]string{"field": "for_min", "type": "0–1440"})
		return
	}
	id := hallsync.WindowID(p.PathValue("w"))
	c := commandOf(p.PathValue("verb"), id, in, p.who)
	if c == nil {
		a.problem(w, http.StatusNotFound, notFound, nil)
		return
	}
	a.command(w, p, func() (queue.Command, error) { return c, nil }, func(res hall.Result) (int, any) {
		var body windowBody
		m := res.Moment()
		body.Window, _ = view.WindowOf(m, id, true)
		var about hallsync.TicketID
		about, body.Why = subject(res.Facts)
		if _, next := c.(queue.CallNext); next && body.Why == nil {
			about = "" // it finished one and found nobody to call
		}
		if about != "" {
			body.Ticket = view.TicketByID(m, about)
		}
		return http.StatusOK, body
	})
}

// commandOf gives the command of a verb, nil for an unknown one.
func commandOf(verb string, w hallsync.WindowID, in verbBody, who access.Who) queue.Command {
	by, directs := who.By(), who.Role == access.Manager
	switch verb {
	case "open":
		return queue.Open{Window: w, By: by}
	case "close":
		return queue.Close{Window: w, By: by}
	case "pause":
		return queue.Pause{Window: w, Reason: in.Reason, By: by}
	case "unpause":
		return queue.Unpause{Window: w, By: by}
	case "call-next":
		return queue.CallNext{Window: w, Holds: in.Holds, By: by}
	case "call":
		return queue.CallTicket{Window: w, Ticket: in.Ticket, Reason: in.Reason, By: by}
	case "recall":
		return queue.Recall{Window: w, Ticket: in.Ticket, By: by}
	case "start":
		return queue.Start{Window: w, Ticket: in.Ticket, By: by}
	case "finish":
		return queue.Finish{Window: w, Ticket: in.Ticket, By: by}
	case "pass":
		return queue.Pass{Window: w, Ticket: in.Ticket, By: by}
	case "transfer":
		return queue.Transfer{
			Window: w, Ticket: in.Ticket, ToQueue: in.To.Queue, ToWindow: in.To.Window, Position: in.To.Position, Reason: in.Reason, Note: in.Note,
			Directs: directs, By: by,
		}
	case "hold":
		return queue.Hold{Window: w, Ticket: in.Ticket, Reason: in.Reason, For: time.Duration(in.ForMin) * time.Minute, By: by}
	case "resume":
		return queue.Resume{Window: w, Ticket: in.Ticket, By: by}
	case "abandon":
		return queue.Abandon{Window: w, Ticket: in.Ticket, Reason: in.Reason, Directs: directs, By: by}
	case "reopen":
		return queue.Reopen{Window: w, Ticket: in.Ticket, Reason: in.Reason, By: by}
	}
	return nil
}

// subject gives the ticket that facts are about, the last one named, and why it was called if it was.
func subject(facts []hallsync.Payload) (id hallsync.TicketID, why *hallsync.Why) {
	for _, f := range facts {
		if t := f.Subject().Ticket; t != "" {
			id = t
		}
		if called, ok := f.(hallsync.TicketCalled); ok {
			why = &called.Why
		}
	}
	return id, why
}
