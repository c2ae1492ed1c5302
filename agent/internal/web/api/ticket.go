package api

import (
	"cmp"
	"crypto/rand"
	"image/png"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/inputs"
	"halledge/agent/internal/web/view"
	"halledge/firmware-protocols/hallsync"
)

// ticketBody is the answer about one ticket.
type ticketBody struct {
	Ticket *view.Ticket `json:"ticket"`
	Slip   *view.Slip   `json:"slip,omitempty"` // where it was asked for
}

// takeBody is the body of POST /api/v1/tickets.
type takeBody struct {
	Queue    hallsync.QueueID `json:"queue"`
	Class    hallsync.Class   `json:"class"`
	Identity string           `json:"identity"`
	Channel  hallsync.Channel `json:"channel"`

	Booking  hallsync.BookingID `json:"booking"`  // check in for an appointment; the queue is then its own
	Then     []hallsync.QueueID `json:"then"`     // queues to go on to with the same number
	Override string             `json:"override"` // why hours and quotas do not hold; for people of the staff
	Reason   string             `json:"reason"`   // why it has its class; for people of the staff
}

// takeOf reads what somebody asks for.
func (a *API) takeOf(p post) (in takeBody, err error) {
	if err = a.decode(p.body, &in); err != nil {
		return in, err
	}
	in.Override, in.Reason = written(in.Override), written(in.Reason)
	if (in.Override != "" || in.Reason != "") && !p.who.May(access.Override) {
		return in, a.opts.Catalog.Problem(http.StatusForbidden, access.NotAllowed, nil)
	}
	in.Channel = channelOf(p.who, in.Channel)
	return in, cmp.Or(a.text("override", in.Override, maxReason), a.text("reason", in.Reason, maxReason))
}

// channelOf gives the channel of a take. Only a program of the hall says which: machines and people give numbers where they are, so that
// nobody gets round what a queue asks of those who come to a kiosk.
func channelOf(who access.Who, says hallsync.Channel) hallsync.Channel {
	switch {
	case who.Role == access.Staff || !says.Valid():
		return says
	case who.Role == access.Kiosk:
		return hallsync.AtKiosk
	case who.Window != "":
		return hallsync.AtWindow
	}
	return hallsync.AtDesk
}

// take answers POST /api/v1/tickets: 201 {"ticket": T}.
func (a *API) take(w http.ResponseWriter, p post) {
	in, err := a.takeOf(p)
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	id, err := ulid.New(ulid.Now(), rand.Reader)
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	place := a.place(p.who)
	reserved := false
	var person inputs.Person
	status, done := a.command(w, p, func() (queue.Command, error) {
		if !a.opts.Door.AllowTake(p.who) { // asked here, so that the first answer is given again at any rate
			return nil, a.opts.Catalog.Problem(http.StatusTooManyRequests, access.TakeLimited, nil)
		}
		c := queue.Take{
			Ticket: hallsync.TicketID(id.String()), Queue: in.Queue, Class: in.Class, Channel: in.Channel, Place: place,
			Printer: a.printerAt(p.who, in.Channel), Booking: in.Booking, Then: in.Then, Override: in.Override, Because: in.Reason,
			By: p.who.By(),
		}
		switch {
		case in.Identity != "":
			var ok bool
			if person, ok = a.opts.Inputs.Reserve(in.Identity, place); !ok {
				return nil, a.opts.Catalog.Problem(http.StatusUnprocessableEntity, identityUnknown, nil)
			}
			c.Proof, c.Identity, reserved = person.Proof, person.Identity, true
			c.Person, c.Aliases = named(person.Names)
			if c.Class == "" || c.Class == hallsync.Normal {
				c.Class = person.Class
			}
		case in.Channel == hallsync.AtKiosk && a.needIdentity(&in):
			return nil, a.opts.Catalog.Problem(http.StatusUnprocessableEntity, identityNeeded, nil)
		}
		if asks := in.Class; asks.Valid() && asks != hallsync.Normal && asks != person.Class && !p.who.May(access.Override) {
			return nil, a.opts.Catalog.Problem(http.StatusForbidden, access.NotAllowed, nil) // a right to go first is shown, or granted by staff
		}
		return c, nil
	}, func(res hall.Result) (int, any) {
		return http.StatusCreated, ticketBody{Ticket: view.TicketByID(res.Moment(), hallsync.TicketID(id.String()))}
	})
	switch {
	case reserved && done && status == http.StatusCreated:
		a.opts.Codes.Took(place, person.Code, codes.Kind(person.Kind), hallsync.TicketID(id.String()))
		a.opts.Inputs.Spend(in.Identity)
	case reserved:
		a.opts.Inputs.Release(in.Identity)
	}
}

// needIdentity reports whether one of the things somebody comes for is only done for who is recognised.
func (a *API) needIdentity(in *takeBody) bool {
	all := append([]hallsync.QueueID{in.Queue}, in.Then...)
	a.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) {
		if b, ok := s.Booking(in.Booking); ok {
			all = append(all, b.Queue)
		}
	})
	return slices.ContainsFunc(all, func(id hallsync.QueueID) bool {
		q, ok := a.queue(id)
		return ok && q.Identity == "required"
	})
}

func (a *API) queue(id hallsync.QueueID) (config.Queue, bool) {
	i := slices.IndexFunc(a.opts.Plan.Queues, func(q config.Queue) bool { return q.ID == string(id) })
	if i < 0 {
		return config.Queue{}, false
	}
	return a.opts.Plan.Queues[i], true
}

// citizenBody is what the holder of a ticket's token sees of it.
type citizenBody struct {
	Ticket     *view.Ticket `json:"ticket"`
	QueueName  string       `json:"queue_name"`
	WindowName string       `json:"window_name"`
	Rated      bool         `json:"rated"`
	Windows    []string     `json:"windows"` // names of those that serve its queue
}

// windowsOf names the windows of a queue.
func (a *API) windowsOf(queue string) []string {
	out := []string{}
	for _, w := range a.opts.Plan.Windows {
		if slices.Contains(w.Queues, queue) {
			out = append(out, w.Name)
		}
	}
	return out
}

// getTicket answers GET /api/v1/tickets/{id}; citizens see their own.
func (a *API) getTicket(w http.ResponseWriter, r *http.Request) {
	who, err := a.opts.Door.Identify(r)
	id := hallsync.TicketID(r.PathValue("id"))
	switch {
	case err != nil:
		a.notSignedIn(w, err)
		return
	case !who.May(access.SeeTicket) && (who.Role != access.Citizen || who.Ticket != id):
		a.mayNot(w, who)
		return
	}
	var body citizenBody
	var slip view.Slip
	a.opts.Hall.Look(func(m queue.Moment) {
		if body.Ticket = view.TicketByID(m, id); body.Ticket == nil {
			return
		}
		t, _ := m.State.Ticket(id)
		body.Rated = t.Rated != ""
		slip = view.SlipOf(m, t, func(printer string) string { return a.standsAt(printer, a.place(who)) })
		q, _ := a.queue(t.Queue)
		body.QueueName, body.Windows = q.Name, a.windowsOf(q.ID)
		if body.Ticket.Window != nil {
			at, _ := view.WindowOf(m, *body.Ticket.Window, false)
			body.WindowName = at.Name
		}
	})
	switch {
	case body.Ticket == nil:
		a.problem(w, http.StatusNotFound, unknownTicket, nil)
	case who.Role == access.Citizen:
		a.send(w, r, http.StatusOK, body)
	default:
		a.send(w, r, http.StatusOK, ticketBody{body.Ticket, &slip})
	}
}

// qrSide is the side of the code on a kiosk's screen, in pixels.
const qrSide = 360

// slipTime is how long after it was taken a kiosk shows the code of a ticket.
const slipTime = 10 * time.Minute

// mayShowSlip reports whether somebody may see the code of a slip: a kiosk that of a ticket which was taken there just now, or whose citizen
// has shown his slip, card or code there. The code lets its holder act as the citizen.
func (a *API) mayShowSlip(who access.Who, t queue.Ticket, now time.Time) bool {
	if who.Role != access.Kiosk {
		return true
	}
	place := a.place(who)
	return t.Place == place && now.Sub(t.TakenAt) < slipTime || a.opts.Inputs.Showed(place, t.ID)
}

// getTicketQR answers GET /api/v1/tickets/{id}/qr with the code of the slip as a picture, for a kiosk whose printer failed.
func (a *API) getTicketQR(w http.ResponseWriter, r *http.Request, who access.Who) {
	id := hallsync.TicketID(r.PathValue("id"))
	known, may := false, false
	a.opts.Hall.Look(func(m queue.Moment) {
		var t queue.Ticket
		t, known = m.State.Ticket(id)
		may = known && a.mayShowSlip(who, t, m.Now)
	})
	switch {
	case !known:
		a.problem(w, http.StatusNotFound, unknownTicket, nil)
		return
	case !may:
		a.problem(w, http.StatusForbidden, access.NotAllowed, nil)
		return
	}
	m, err := codes.QR(a.opts.Signer.TicketURL(id), qrSide)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_ = png.Encode(w, m) // a client that has gone away cannot be told anything
}

// foundBody is the answer of findTickets.
type foundBody struct {
	Items []view.Ticket `json:"items"`
	Total int           `json:"total"`
}

// maxFound bounds the tickets of one answer.
const maxFound = 100

// findTickets answers GET /api/v1/tickets?number=A001&state=passed,held&limit=20 with the newest of the day's tickets.
func (a *API) findTickets(w http.ResponseWriter, r *http.Request, _ access.Who) {
	q := r.URL.Query()
	number := strings.ToUpper(strings.TrimSpace(q.Get("number")))
	var states []string
	if q.Get("state") != "" {
		states = strings.Split(q.Get("state"), ",")
	}
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 || limit > maxFound {
		limit = maxFound
	}
	body := foundBody{Items: []view.Ticket{}}
	a.opts.Hall.Look(func(m queue.Moment) {
		all := m.State.Tickets()
		slices.Reverse(all)
		for _, t := range all {
			if number != "" && t.Number != number || states != nil && !slices.Contains(states, string(t.State)) {
				continue
			}
			if body.Total++; len(body.Items) < limit {
				body.Items = append(body.Items, view.TicketOf(m, t))
			}
		}
	})
	a.send(w, r, http.StatusOK, body)
}

// onTicket runs a command about the ticket in the path and answers 200 {"ticket": T}.
func (a *API) onTicket(w http.ResponseWriter, p post, cmd func(id hallsync.TicketID) (queue.Command, error)) {
	if err := a.decode(p.body, &struct{}{}); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	id := hallsync.TicketID(p.PathValue("id"))
	a.command(w, p, func() (queue.Command, error) { return cmd(id) }, func(res hall.Result) (int, any) {
		return http.StatusOK, ticketBody{Ticket: view.TicketByID(res.Moment(), id)}
	})
}

func (a *API) withdraw(w http.ResponseWriter, p post) {
	a.onTicket(w, p, func(id hallsync.TicketID) (queue.Command, error) {
		return queue.Withdraw{Ticket: id, By: p.who.By()}, nil
	})
}

// setClass answers POST /api/v1/tickets/{id}/class {"class", "reason"}, by which staff let somebody go before others or undo that: 200
// {"ticket": T}.
func (a *API) setClass(w http.ResponseWriter, p post) {
	var in struct {
		Class  hallsync.Class `json:"class"`
		Reason string         `json:"reason"`
	}
	err := a.decode(p.body, &in)
	if err == nil {
		in.Reason = written(in.Reason)
		err = a.text("reason", in.Reason, maxReason)
	}
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	id := hallsync.TicketID(p.PathValue("id"))
	a.command(w, p, func() (queue.Command, error) {
		return queue.SetClass{Ticket: id, Class: in.Class, Reason: in.Reason, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		return http.StatusOK, ticketBody{Ticket: view.TicketByID(res.Moment(), id)}
	})
}

func (a *API) requeue(w http.ResponseWriter, p post) {
	a.onTicket(w, p, func(id hallsync.TicketID) (queue.Command, error) {
		return queue.Requeue{Ticket: id, By: p.who.By()}, nil
	})
}

// reprint prints at the kiosk that asks, and for the guide at the desk, because the citizen stands there; for others where the slip was
// printed first, else at a desk, else at the first kiosk.
func (a *API) reprint(w http.ResponseWriter, p post) {
	a.onTicket(w, p, func(id hallsync.TicketID) (queue.Command, error) {
		printer := ""
		switch {
		case p.who.Role == access.Kiosk:
			printer = a.place(p.who)
		case p.who.Page == deskPage:
			printer = a.printerAt(p.who, hallsync.AtDesk)
		}
		known := false
		a.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) {
			var t queue.Ticket
			if t, known = s.Ticket(id); printer == "" {
				printer = t.Printer
			}
		})
		if printer == "" {
			printer = a.printerAt(p.who, hallsync.AtDesk)
		}
		if printer == "" {
			printer = a.printerAt(p.who, hallsync.AtKiosk)
		}
		if known && printer == "" {
			return nil, a.opts.Catalog.Problem(http.StatusConflict, printerMissing, nil)
		}
		return queue.Reprint{Ticket: id, Printer: printer, By: p.who.By()}, nil
	})
}
