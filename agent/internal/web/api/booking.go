package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/inputs"
	"halledge/agent/internal/web/view"
	"halledge/agent/kit/problem"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
	"halledge/firmware-protocols/sdt"
)

// maxBookingID bounds the number of an appointment, maxAhead how far ahead it may be, longestBooking how long.
const (
	maxBookingID   = 64
	maxAhead       = 366 * 24 * time.Hour
	longestBooking = 24 * time.Hour
)

// bookBody is the body of POST /api/v1/bookings. The identity number is only digested.
type bookBody struct {
	Booking  hallsync.BookingID `json:"booking"` // empty: a new one
	Queue    hallsync.QueueID   `json:"queue"`
	Start    time.Time          `json:"start"`
	End      time.Time          `json:"end"`
	IDNumber device.Secret      `json:"id_number"`
}

// bookingBody is an appointment in an answer.
type bookingBody struct {
	Booking struct {
		inputs.Booking
		State hallsync.BookingState `json:"state"`
	} `json:"booking"`
}

func (a *API) booking(s *queue.State, id hallsync.BookingID) (body bookingBody, ok bool) {
	b, ok := s.Booking(id)
	body.Booking.Booking = inputs.Booking{Booking: id, Queue: b.Queue, Start: b.Start.In(a.zone), End: b.End.In(a.zone)}
	body.Booking.State = b.State
	return body, ok
}

// listedBooking is an appointment among others. From is when its citizen may check in, until when as one who is booked; who comes
// later waits like everybody else. Known says that it is made in somebody's name: only his card or code goes with it.
type listedBooking struct {
	inputs.Booking
	State  hallsync.BookingState `json:"state"`
	From   time.Time             `json:"from"`
	Until  time.Time             `json:"until"`
	Known  bool                  `json:"known"`
	Ticket *view.Ticket          `json:"ticket"`
}

// maxListed bounds the appointments and blocks of one answer.
const maxListed = 1000

// getBookings answers GET /api/v1/bookings?day=2026-03-05, by default of the business day: the appointments of the day, by time.
func (a *API) getBookings(w http.ResponseWriter, r *http.Request, _ access.Who) {
	var body struct {
		Day   string          `json:"day"`
		Items []listedBooking `json:"items"`
		Total int             `json:"total"`
	}
	body.Items, body.Day = []listedBooking{}, r.URL.Query().Get("day")
	if _, err := time.Parse(time.DateOnly, body.Day); body.Day != "" && err != nil {
		a.problem(w, http.StatusBadRequest, fieldType, map[string]string{"field": "day"})
		return
	}
	a.opts.Hall.Look(func(m queue.Moment) {
		if body.Day == "" {
			body.Day = m.State.Day()
		}
		for _, b := range m.State.Bookings() {
			if b.Start.In(a.zone).Format(time.DateOnly) != body.Day {
				continue
			}
			if body.Total++; len(body.Items) < maxListed {
				body.Items = append(body.Items, a.listed(m, b))
			}
		}
	})
	a.send(w, r, http.StatusOK, body)
}

func (a *API) listed(m queue.Moment, b queue.Booking) listedBooking {
	from, until := m.State.CheckIn(b)
	return listedBooking{
		Booking: inputs.Booking{Booking: b.Booking, Queue: b.Queue, Start: b.Start.In(a.zone), End: b.End.In(a.zone)},
		State:   b.State, From: from.In(a.zone), Until: until.In(a.zone), Known: b.Person != "", Ticket: view.TicketByID(m, b.Ticket),
	}
}

// book answers POST /api/v1/bookings, by which an appointment is made at the hall (现场预约登记), or changed: 201 {"booking"}. One
// that somebody has come for stays as it is.
func (a *API) book(w http.ResponseWriter, p post) {
	var in bookBody
	err := a.decode(p.body, &in)
	if err == nil {
		err = a.text("booking", string(in.Booking), maxBookingID)
	}
	var names []string
	if err == nil && !in.IDNumber.Empty() {
		names, err = a.names(in.IDNumber)
	}
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	if now := a.opts.Now(); !in.End.After(now) || in.Start.After(now.Add(maxAhead)) || in.End.Sub(in.Start) > longestBooking {
		a.problem(w, http.StatusUnprocessableEntity, problem.Code(queue.BookingInvalid), nil)
		return
	}
	if in.Booking == "" {
		in.Booking = hallsync.BookingID(ulid.Make().String())
	}
	a.command(w, p, func() (queue.Command, error) {
		person, aliases := named(names)
		return queue.SetBooking{Aliases: aliases, BookingSet: hallsync.BookingSet{
			Booking: in.Booking, Queue: in.Queue, Start: in.Start, End: in.End, Person: person, By: p.who.By(),
		}}, nil
	}, func(res hall.Result) (int, any) {
		body, _ := a.booking(res.State, in.Booking)
		return http.StatusCreated, body
	})
}

// cancelBooking answers POST /api/v1/bookings/{id}/cancel: 200 {"booking"}.
func (a *API) cancelBooking(w http.ResponseWriter, p post) {
	if err := a.decode(p.body, &struct{}{}); err != nil {
		a.fail(w, p.Request, err)
		return
	}
	id := hallsync.BookingID(p.PathValue("id"))
	a.command(w, p, func() (queue.Command, error) {
		var body bookingBody
		known := false
		a.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) { body, known = a.booking(s, id) })
		switch {
		case !known:
			return nil, a.refusal(&queue.Refusal{Code: queue.BookingUnknown})
		case body.Booking.State == hallsync.BookingArrived:
			return nil, a.refusal(&queue.Refusal{Code: queue.BookingUsed})
		}
		return queue.CancelBooking{Booking: id, By: p.who.By()}, nil
	}, func(res hall.Result) (int, any) {
		body, _ := a.booking(res.State, id)
		return http.StatusOK, body
	})
}

// blockBody is the body of POST /api/v1/blocks: somebody by his identity number, which is only digested, or by his name in the list.
type blockBody struct {
	IDNumber   device.Secret `json:"id_number"`
	Person     string        `json:"person"`
	Until      time.Time     `json:"until"` // now or earlier ends it
	Everywhere bool          `json:"everywhere"`
	Reason     string        `json:"reason"`

	aliases []string
}

// blockOf reads what shall hold for whom.
func (a *API) blockOf(p post) (in blockBody, err error) {
	if err = a.decode(p.body, &in); err != nil {
		return in, err
	}
	in.Reason = written(in.Reason)
	if err = a.text("reason", in.Reason, maxReason); err != nil {
		return in, err
	}
	if in.Person == "" {
		names, err := a.names(in.IDNumber)
		in.Person, in.aliases = named(names)
		return in, err
	}
	known := false
	a.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) { _, known = s.Block(in.Person) })
	if !known { // a name is never made up: it comes from the list
		return in, a.refusal(&queue.Refusal{Code: queue.PersonRequired})
	}
	return in, nil
}

// block answers POST /api/v1/blocks, by which a person gets no numbers online until a time, or none at all: 200 {"until", "everywhere"}.
func (a *API) block(w http.ResponseWriter, p post) {
	in, err := a.blockOf(p)
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	a.command(w, p, func() (queue.Command, error) {
		return queue.SetBlock{Person: in.Person, Aliases: in.aliases, Until: in.Until, Everywhere: in.Everywhere, Reason: in.Reason, By: p.who.By()}, nil
	}, func(hall.Result) (int, any) {
		return http.StatusOK, struct {
			Until      time.Time `json:"until"`
			Everywhere bool      `json:"everywhere"`
		}{in.Until.In(a.zone), in.Everywhere}
	})
}

// listedBlock is a block among others. Person is the keyed digest that stands for somebody, by which it can be ended.
type listedBlock struct {
	Person     string           `json:"person"`
	Until      time.Time        `json:"until"`
	Everywhere bool             `json:"everywhere"`
	Reason     string           `json:"reason"`
	Staff      hallsync.StaffID `json:"staff"`
}

// getBlocks answers GET /api/v1/blocks: who takes no numbers, by when that ends.
func (a *API) getBlocks(w http.ResponseWriter, r *http.Request, _ access.Who) {
	var body struct {
		Items []listedBlock `json:"items"`
		Total int           `json:"total"`
	}
	body.Items = []listedBlock{}
	a.opts.Hall.Look(func(m queue.Moment) {
		for person, b := range m.State.Blocks(m.Now) {
			body.Items = append(body.Items, listedBlock{person, b.Until.In(a.zone), b.Everywhere, b.Reason, b.Staff})
		}
	})
	slices.SortFunc(body.Items, func(x, y listedBlock) int { return cmp.Or(x.Until.Compare(y.Until), cmp.Compare(x.Person, y.Person)) })
	body.Total = len(body.Items)
	body.Items = body.Items[:min(len(body.Items), maxListed)]
	a.send(w, r, http.StatusOK, body)
}

// names gives the hall's names for whoever has an identity number, which is forgotten here.
func (a *API) names(typed device.Secret) ([]string, error) {
	number := strings.ToUpper(strings.TrimSpace(typed.Reveal()))
	if !sdt.ValidIDNumber(number) {
		return nil, a.opts.Catalog.Problem(http.StatusUnprocessableEntity, idNumberInvalid, nil)
	}
	return a.opts.Signer.Names(device.NewSecret(number)), nil
}

// named gives the name to use of a person's names, and the others.
func named(names []string) (person string, aliases []string) {
	if len(names) == 0 {
		return "", nil
	}
	return names[0], names[1:]
}
