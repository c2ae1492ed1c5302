package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/inputs"
	"halledge/agent/internal/web/view"
	"halledge/agent/kit/problem"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
	"halledge/firmware-protocols/sdt"
)

// scanBody is the answer of POST /api/v1/scans. Identity lets the same place take one ticket. What is known of the hall's dealings with
// the person stands beside it: open tickets, appointments of today, and at a window whether it is the one who is served there.
type scanBody struct {
	Kind        codes.Kind          `json:"kind"`
	Ticket      *view.Ticket        `json:"ticket,omitempty"`
	Appointment *appointment        `json:"appointment,omitempty"`
	Identity    string              `json:"identity,omitempty"`
	Actions     []string            `json:"actions"`
	Waiting     []hallsync.TicketID `json:"waiting,omitempty"`
	Bookings    []inputs.Booking    `json:"bookings,omitempty"`
	Served      string              `json:"served,omitempty"` // same, other or unknown
}

// appointment is what a booking's code shows. State is booked, arrived, missed or cancelled.
type appointment struct {
	inputs.Booking
	State hallsync.BookingState `json:"state"`
}

// Whether the person at a window is the one whose ticket is served there.
const (
	servedSame    = "same"
	servedOther   = "other"
	servedUnknown = "unknown" // the ticket was taken without saying who, or nobody told whose the code is
)

// symbologyUnknown is said of a payload that came without its picture.
const symbologyUnknown = "unknown"

// scan answers POST /api/v1/scans: {"payload"} or the bytes of a picture.
func (a *API) scan(w http.ResponseWriter, p post) {
	var in struct {
		Payload device.Secret `json:"payload"`
	}
	isJSON := object(p.body)
	if isJSON {
		err := a.decode(p.body, &in)
		if err == nil && in.Payload.Empty() {
			err = a.bad(fieldMissing, "field", "payload")
		}
		if err != nil {
			a.fail(w, p.Request, err)
			return
		}
	}
	if len(p.body) == 0 {
		a.fail(w, p.Request, a.bad(fieldMissing, "field", "payload"))
		return
	}
	if !a.opts.Door.AllowScan(p.who) {
		a.tooFast(w, p.Request)
		return
	}
	a.outside(w, p, func() (int, []byte) {
		payload, symbology := in.Payload, symbologyUnknown
		if !isJSON {
			var err error
			if payload, symbology, err = a.look(p.Context(), p.body, codes.ReadImage); err != nil {
				return a.scanProblem("", err, "")
			}
		}
		place := a.place(p.who)
		body, err := a.recognise(p.Context(), place, payload)
		if err != nil {
			return a.scanProblem(place, err, symbology)
		}
		raw, err := json.Marshal(body)
		if err != nil {
			return a.scanProblem(place, err, symbology)
		}
		return http.StatusOK, raw
	})
}

// seesCodes lets in the kiosks whose page has a camera.
func (a *API) seesCodes(who access.Who, _ *http.Request) bool {
	k, found := a.kioskAt(a.place(who))
	return isKiosk(who) && found && k.SeesCodes()
}

// picture answers POST /api/v1/pictures: what the camera of a kiosk's page sees, several times a second. A code in it is told to the page
// as one of a scanner would be. A picture without one changes nothing, so its answer is not kept; nor is the picture.
func (a *API) picture(w http.ResponseWriter, p post) {
	place := a.place(p.who)
	if !a.opts.Door.AllowPicture(place) {
		a.tooFast(w, p.Request)
		return
	}
	payload, _, err := a.look(p.Context(), p.body, codes.Glance)
	clear(p.body)
	var empty *codes.Error
	switch {
	case errors.As(err, &empty):
		write(w, http.StatusOK, []byte(`{"read":false}`))
		return
	case err != nil:
		a.fail(w, p.Request, err)
		return
	}
	a.outside(w, p, func() (int, []byte) {
		a.Scanned(p.Context(), place, payload)
		return http.StatusOK, []byte(`{"read":true}`)
	})
}

// sight is codes.ReadImage or codes.Glance.
type sight func(ctx context.Context, picture []byte) (payload device.Secret, symbology string, err error)

// look finds the code in a picture; few pictures are looked at together, because each costs memory and time.
func (a *API) look(ctx context.Context, picture []byte, read sight) (device.Secret, string, error) {
	select {
	case a.looking <- struct{}{}:
		defer func() { <-a.looking }()
	case <-ctx.Done():
		return device.Secret{}, "", ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	return read(ctx, picture)
}

// recognise tells what a payload is, with what can be done about it at a place.
func (a *API) recognise(ctx context.Context, place string, payload device.Secret) (scanBody, error) {
	res, err := a.opts.Codes.Recognise(ctx, place, payload)
	if err != nil {
		return scanBody{}, err
	}
	body := scanBody{Kind: res.Kind, Actions: []string{}}
	switch {
	case res.Ticket != "":
		a.opts.Hall.Look(func(m queue.Moment) {
			if t, ok := m.State.Ticket(res.Ticket); ok {
				v := view.TicketOf(m, t)
				body.Ticket, body.Actions = &v, actionsFor(t)
			}
		})
		if body.Ticket == nil {
			return scanBody{}, a.opts.Catalog.Problem(http.StatusNotFound, unknownTicket, nil)
		}
		a.opts.Inputs.Show(place, res.Ticket)
	case res.Kind == codes.KindAppointment:
		return a.booked(body, place, res.Booking)
	case res.Kind == codes.KindIDNumber:
		body.Actions = append(body.Actions, "show_card")
	default:
		body.Identity = a.opts.Inputs.Recognised(place, personOf(res))
		body.Actions = append(body.Actions, "take")
		a.dealings(&body, place, res.Names)
	}
	return body, nil
}

func personOf(res codes.Result) inputs.Person {
	return inputs.Person{Proof: res.Proof, Names: res.Names, Code: res.Code, Kind: string(res.Kind)}
}

// booked gives what can be done about an appointment whose code or number was shown.
func (a *API) booked(body scanBody, place string, id hallsync.BookingID) (scanBody, error) {
	a.opts.Hall.Look(func(m queue.Moment) {
		for _, b := range m.State.Bookings() {
			if b.Booking != id {
				continue
			}
			body.Appointment = &appointment{bookingOf(b), b.State}
			if b.State == hallsync.Booked || b.State == hallsync.BookingNoShow { // who comes after all is only late
				body.Actions = append(body.Actions, "check_in")
			}
			if t, ok := m.State.Ticket(b.Ticket); ok {
				v := view.TicketOf(m, t)
				body.Ticket, body.Actions = &v, actionsFor(t)
				a.opts.Inputs.Show(place, t.ID)
			}
		}
	})
	if body.Appointment == nil {
		return scanBody{}, a.opts.Catalog.Problem(http.StatusNotFound, problem.Code(queue.BookingUnknown), nil)
	}
	return body, nil
}

// dealings adds what the hall has to do with a person, and at a window whether it is the one who is served there.
func (a *API) dealings(body *scanBody, place string, names []string) {
	window, atWindow := strings.CutPrefix(place, "window-")
	a.opts.Hall.Look(func(m queue.Moment) {
		body.Waiting, body.Bookings = dealingsOf(m, names)
		a.opts.Inputs.Show(place, body.Waiting...)
		if !atWindow {
			return
		}
		w, _ := m.State.Window(hallsync.WindowID(window))
		t, served := m.State.Ticket(w.Ticket)
		switch {
		case !served:
		case len(names) == 0 || t.Person == "":
			body.Served = servedUnknown
		case slices.Contains(names, t.Person):
			body.Served = servedSame
		default:
			body.Served = servedOther
		}
	})
}

// dealingsOf lists the open tickets of a person and the appointments of today that were not used yet.
func dealingsOf(m queue.Moment, names []string) (waiting []hallsync.TicketID, bookings []inputs.Booking) {
	for _, t := range m.State.Live(names...) {
		waiting = append(waiting, t.ID)
	}
	for _, b := range m.State.BookingsOf(names, m.Now) {
		bookings = append(bookings, bookingOf(b))
	}
	return waiting, bookings
}

func bookingOf(b queue.Booking) inputs.Booking {
	return inputs.Booking{Booking: b.Booking, Queue: b.Queue, Start: b.Start, End: b.End}
}

// meanwhile gives what the holder of a code may do when nobody could be asked about it: show his card, or take a ticket for the time
// being and show the card at the window.
func (a *API) meanwhile(place string, err error) (identity string, actions []string) {
	var failed *codes.Error
	if !errors.As(err, &failed) || failed.Pending == nil {
		return "", []string{}
	}
	person := personOf(*failed.Pending)
	person.Identity = hallsync.IdentityPending
	return a.opts.Inputs.Recognised(place, person), []string{"show_card", "take"}
}

// actionsFor lists what a citizen can have done with a ticket.
func actionsFor(t queue.Ticket) []string {
	switch t.State {
	case hallsync.Waiting:
		return []string{"reprint", "withdraw"}
	case hallsync.Passed:
		return []string{"requeue", "reprint", "withdraw"}
	case hallsync.Called, hallsync.Serving, hallsync.Held:
		return []string{"reprint"}
	case hallsync.Done:
		if t.Rated == "" {
			return []string{"rate"}
		}
	}
	return []string{}
}

// scanProblem gives the answer to a scan that led nowhere.
func (a *API) scanProblem(place string, err error, symbology string) (int, []byte) {
	p := a.problemOfScan(err)
	if identity, actions := a.meanwhile(place, err); identity != "" {
		p = p.With("identity", identity).With("actions", actions)
	}
	var failed *codes.Error
	if errors.As(err, &failed) && failed.Code == codes.Unknown {
		p = p.With("length", failed.Length).With("symbology", symbology)
	}
	return p.Status, p.Body()
}

func (a *API) problemOfScan(err error) problem.Problem {
	var known problem.Problem
	if errors.As(err, &known) {
		return known
	}
	var failed *codes.Error
	if !errors.As(err, &failed) {
		return a.opts.Catalog.Problem(http.StatusServiceUnavailable, overloaded, nil)
	}
	status := http.StatusUnprocessableEntity
	switch failed.Code {
	case codes.Used:
		status = http.StatusConflict
	case codes.Offline, codes.Slow, codes.Wrong, codes.Busy:
		status = http.StatusServiceUnavailable
	}
	return a.opts.Catalog.Problem(status, problem.Code(failed.Code), nil)
}

// Scanned is for a scanner of the hall: the page at its place learns what was shown.
func (a *API) Scanned(ctx context.Context, place string, payload device.Secret) {
	if a.opts.Door.Tapped(place, access.Tap{Digest: a.cardDigest("badge", payload), Badge: true}) {
		return
	}
	body, err := a.recognise(ctx, place, payload)
	if err != nil {
		p := a.problemOfScan(err)
		e := inputs.Event{Kind: "refused", Code: string(p.Code), Detail: p.Detail + p.Advice}
		e.Identity, e.Actions = a.meanwhile(place, err)
		a.opts.Inputs.Trouble(place, e)
		return
	}
	e := inputs.Event{
		Kind: string(body.Kind), Identity: body.Identity, Actions: body.Actions, Waiting: body.Waiting, Bookings: body.Bookings, Served: body.Served,
	}
	switch {
	case body.Kind == codes.KindIDNumber: // it names somebody and proves nothing: whoever stands there stays as known as before
		a.opts.Inputs.Trouble(place, e)
		return
	case body.Ticket != nil: // what somebody has already is what counts, however it was found
		e.Kind, e.Ticket = string(codes.KindTicket), body.Ticket.ID
	case body.Appointment != nil:
		e.Bookings = []inputs.Booking{body.Appointment.Booking}
	}
	a.opts.Inputs.Publish(place, e)
}

// CardShown is for a card reader of the hall. Of the card only a keyed digest of its number is kept, and whether its holder is an
// elder. A card without a right number is nobody's.
func (a *API) CardShown(place string, card device.IDCard) {
	if !numbered(card) {
		a.Unreadable(place, device.CardUnreadable)
		return
	}
	if a.opts.Door.Tapped(place, access.Tap{Digest: a.cardDigest("card", card.Number)}) {
		return
	}
	p := inputs.Person{Proof: hallsync.ProofIDCard, Names: a.opts.Signer.Names(card.Number)}
	if elderly(card.Birth, a.opts.Now().In(a.zone)) {
		p.Class = hallsync.Elder
	}
	e := inputs.Event{Kind: "idcard", Identity: a.opts.Inputs.Recognised(place, p), Actions: []string{"take"}}
	a.opts.Hall.Look(func(m queue.Moment) {
		e.Waiting, e.Bookings = dealingsOf(m, p.Names)
	})
	a.opts.Inputs.Show(place, e.Waiting...)
	a.opts.Inputs.Publish(place, e)
}

// numbered reports whether a card's number can be one. Whatever the driver made of it, a wrong one must give nobody an identity.
func numbered(card device.IDCard) bool {
	number := card.Number.Reveal()
	if card.Kind == string(sdt.Foreigner2017) { // no check character is known of it
		return len(number) == 15
	}
	return sdt.ValidIDNumber(number)
}

// elderAge is from when people are elders, in years (老年人权益保障法, article 2).
const elderAge = 60

// elderly reports whether somebody born on a day, YYYYMMDD, is an elder. A date that cannot be read makes nobody one.
func elderly(birth device.Secret, now time.Time) bool {
	born, err := time.ParseInLocation("20060102", birth.Reveal(), now.Location())
	return err == nil && !born.AddDate(elderAge, 0, 0).After(now)
}

// Unreadable is for what a scanner or card reader of the hall could not read: the page at its place says what to do.
func (a *API) Unreadable(place string, why device.Fault) {
	a.opts.Inputs.Trouble(place, inputs.Event{
		Kind: inputs.Unreadable, Actions: []string{}, Code: string(why), Detail: a.opts.Catalog.Say(string(why), nil),
	})
}

// mayRate lets devices and programs rate any finished ticket, and citizens their own; the ticket is in the body and checked
// there. People of the staff never rate.
func mayRate(who access.Who, _ *http.Request) bool {
	return who.May(access.Rate) || who.Role == access.Citizen
}
