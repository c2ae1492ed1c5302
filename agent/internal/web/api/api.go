// Package api gives the hall's HTTP interface under /api/v1: tickets, windows, scans, ratings, devices, the hall and its stream
// of changes. Each POST has one effect and one answer however often it is sent; errors are RFC 9457 problem documents.
package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/notices"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/relay"
	"halledge/agent/internal/store"
	"halledge/agent/internal/voice"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/inputs"
	"halledge/agent/internal/web/proof"
	"halledge/agent/internal/web/view"
	"halledge/agent/kit/bundle"
	"halledge/agent/kit/logs"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/hallsync"
)

// Devices is the hall's hardware as this interface needs it.
type Devices interface {
	Statuses() []hallsync.DeviceStatus
	Details() map[string]devices.Detail
	Found() []devices.Found
	SelfTest(ctx context.Context, name string) error
	StartRecord(name string, d time.Duration) error
	Record(name string, after uint64) (registry.Record, error)
	Watch() (changed <-chan struct{}, cancel func())
}

// Sounds turns calls and texts into sound.
type Sounds interface {
	Call(ctx context.Context, what voice.Sentence, language string, rate, times, volume int) ([]byte, error)
	Text(ctx context.Context, text, language string, rate int) ([]byte, error)
}

// Cameras are those of the hall, and by what they are known.
type Cameras interface {
	Known() []relay.Known
	Again(code string)
}

// Facts is the log of the hall.
type Facts interface {
	Read(after hallsync.Seq, limit, maxBytes int) (raws [][]byte, err error)
}

// Notices are what the centre has signed for the screens.
type Notices interface {
	Program(group string) (p notices.Program, ok bool)
	Item(group string, version int64, path string) (data []byte, item bundle.Item, ok bool)
	Shown(screen string, p notices.Program) bool
	Watch() (changed <-chan struct{}, cancel func())
}

// Options of New; all are required but Cameras, which a hall without any does not have.
type Options struct {
	Hall    *hall.Hall
	Facts   Facts
	Site    *config.Site
	Plan    *config.Plan
	Door    *access.Door
	Inputs  *inputs.Desk
	Codes   *codes.Recogniser
	Signer  *codes.Signer
	Devices Devices
	Cameras Cameras
	Sounds  Sounds
	Notices Notices
	Proofs  *proof.Maker // of what screens are sent
	Health  func() []hallsync.Condition
	Ring    *logs.Ring
	Catalog *problem.Catalog
	Edit    func(config.Edit) (text []byte, problems strictyaml.Problems, err error) // the plan after an edit
	Flights *Flights
	Log     *slog.Logger
	Now     func() time.Time
}

// API answers the requests. It is safe for concurrent use.
type API struct {
	opts     Options
	hall     hallsync.HallID
	zone     *time.Location
	pictures chan struct{} // bounds the pictures held together
	looking  chan struct{} // bounds those of them looked at together
	streams  chan struct{} // bounds the readers of the stream
	rerun    sync.Mutex    // held while a day is played again
	scenes   scenes
	closing  chan struct{} // closed when readers that wait should go
	close    sync.Once
}

// Flights are the requests under way outside the store's writer. They outlive an interface that is made anew for another plan.
type Flights struct {
	mu    sync.Mutex
	byKey map[store.AnswerKey]chan struct{}
}

// NewFlights gives none.
func NewFlights() *Flights { return &Flights{byKey: map[store.AnswerKey]chan struct{}{}} }

// Bounds of what is served together.
const (
	maxStreams  = 256
	maxPictures = 4
	maxLooking  = 2
)

// New gives the interface.
func New(o Options) *API {
	var zone *time.Location
	o.Hall.Read(func(s *queue.State, _ hallsync.Seq) { zone = s.Plan().Location })
	return &API{
		opts: o, hall: hallsync.HallID(o.Site.Hall.Code), zone: zone,
		pictures: make(chan struct{}, maxPictures), looking: make(chan struct{}, maxLooking), streams: make(chan struct{}, maxStreams),
		scenes: scenes{byID: map[string]*looking{}}, closing: make(chan struct{}),
	}
}

// Close ends the streams and the polls that wait; other requests go on.
func (a *API) Close() { a.close.Do(func() { close(a.closing) }) }

// Mux is where routes are put.
type Mux = access.Mux

// Register puts the routes on a mux.
func (a *API) Register(mux Mux) {
	mux.HandleFunc("GET /api/v1/hall", a.get(access.SeeHall, a.getHall))
	mux.HandleFunc("GET /api/v1/stream", a.get(access.SeeHall, a.stream))
	mux.HandleFunc("GET /api/v1/board", a.get(access.SeeStaff, a.getBoard))
	mux.HandleFunc("GET /api/v1/log", a.get(access.SeeLog, a.getLog))

	mux.HandleFunc("GET /api/v1/tickets", a.get(access.FindTickets, a.findTickets))
	mux.HandleFunc("GET /api/v1/tickets/{id}", a.getTicket)
	mux.HandleFunc("GET /api/v1/tickets/{id}/qr", a.get(access.ShowSlip, a.getTicketQR))
	mux.HandleFunc("POST /api/v1/tickets", a.post(needs(access.Take), a.take))
	mux.HandleFunc("POST /api/v1/tickets/{id}/withdraw", a.post(ownOr(access.Withdraw), a.withdraw))
	mux.HandleFunc("POST /api/v1/tickets/{id}/requeue", a.post(needs(access.Mend), a.requeue))
	mux.HandleFunc("POST /api/v1/tickets/{id}/reprint", a.post(needs(access.Mend), a.reprint))
	mux.HandleFunc("POST /api/v1/tickets/{id}/class", a.post(needs(access.Override), a.setClass))
	mux.HandleFunc("POST /api/v1/tickets/{id}/unrated", a.post(needs(access.Rate), a.unrated))

	mux.HandleFunc("POST /api/v1/windows/{w}/{verb}", a.post(atWindow, a.windowVerb))
	mux.HandleFunc("POST /api/v1/windows/{w}/duty", a.post(needs(access.Direct), a.duty))
	mux.HandleFunc("POST /api/v1/roll", a.post(needs(access.Direct), a.roll))
	mux.HandleFunc("GET /api/v1/rerun", a.get(access.Direct, a.getRerun))
	mux.HandleFunc("GET /api/v1/plan", a.get(access.Direct, a.getPlan))
	mux.HandleFunc("POST /api/v1/plan", a.post(needs(access.Direct), a.editPlan))
	mux.HandleFunc("POST /api/v1/clock", a.post(needs(access.Direct), a.clock))
	mux.HandleFunc("GET /api/v1/bookings", a.get(access.Book, a.getBookings))
	mux.HandleFunc("POST /api/v1/bookings", a.post(needs(access.Book), a.book))
	mux.HandleFunc("POST /api/v1/bookings/{id}/cancel", a.post(needs(access.Book), a.cancelBooking))
	mux.HandleFunc("GET /api/v1/blocks", a.get(access.Direct, a.getBlocks))
	mux.HandleFunc("POST /api/v1/blocks", a.post(needs(access.Direct), a.block))
	mux.HandleFunc("GET /api/v1/windows/{w}/rating", a.get(access.Rate, a.getRating))
	mux.HandleFunc("POST /api/v1/windows/{w}/ask-rating", a.post(atWindow, a.askRating))
	mux.HandleFunc("POST /api/v1/help", a.post(needs(access.Scan), a.ring))
	mux.HandleFunc("POST /api/v1/help/{place}/come", a.post(needs(access.Work), a.come))
	mux.HandleFunc("POST /api/v1/scans", a.post(needs(access.Scan), a.scan))
	mux.HandleFunc("POST /api/v1/pictures", a.post(a.seesCodes, a.picture))
	mux.HandleFunc("POST /api/v1/ratings", a.post(mayRate, a.rate))

	mux.HandleFunc("GET /api/v1/notices/{group}/{version}/{path}", a.get(access.SeeHall, a.getNotice))
	mux.HandleFunc("POST /api/v1/notices/shown", a.post(isScreen, a.shown))

	mux.HandleFunc("GET /api/v1/voice/{w}", a.get(access.SeeHall, a.getVoice))
	mux.HandleFunc("GET /api/v1/say", a.get(access.Scan, a.say))

	mux.HandleFunc("GET /api/v1/devices", a.get(access.SeeDevices, a.getDevices))
	mux.HandleFunc("POST /api/v1/devices/{name}/test", a.post(needs(access.TestDevices), a.testDevice))
	mux.HandleFunc("GET /api/v1/devices/{name}/trace", a.get(access.SeeLog, a.getTrace))
	mux.HandleFunc("POST /api/v1/devices/{name}/trace", a.post(needs(access.TestDevices), a.trace))

	mux.HandleFunc("GET /api/v1/cameras", a.get(access.SeeDevices, a.getCameras))
	mux.HandleFunc("POST /api/v1/cameras/{code}/adopt", a.post(needs(access.Pair), a.adoptCamera))

	mux.HandleFunc("POST /api/v1/staff/{id}/card", a.post(needs(access.Direct), a.enrolCard))
	mux.HandleFunc("POST /api/v1/staff/{id}/card/remove", a.post(needs(access.Direct), a.removeCard))

	mux.HandleFunc("GET /api/v1/pairings", a.get(access.Pair, a.getPairings))
	mux.HandleFunc("POST /api/v1/pairings", a.post(needs(access.Pair), a.pair))
	mux.HandleFunc("POST /api/v1/pairings/{id}/revoke", a.post(needs(access.Pair), a.revoke))
}

// The problems of this interface, beside those of the queue, the codes, the store and the door.
const (
	keyMissing      problem.Code = "idempotency_key_missing"
	keyReused       problem.Code = "idempotency_key_reused"
	keyRepeated     problem.Code = "idempotency_key_repeated"
	keyInvalid      problem.Code = "idempotency_key_invalid"
	bodyTooLarge    problem.Code = "body_too_large"
	jsonSyntax      problem.Code = "json_syntax"
	fieldUnknown    problem.Code = "field_unknown"
	fieldType       problem.Code = "field_type"
	fieldTooLong    problem.Code = "field_too_long"
	fieldCharacters problem.Code = "field_characters"
	fieldMissing    problem.Code = "field_missing"
	idNumberInvalid problem.Code = "id_number_invalid"
	identityNeeded  problem.Code = "identity_required"
	identityUnknown problem.Code = "identity_unknown"
	printerMissing  problem.Code = "printer_missing"
	nobodyCalled    problem.Code = "nobody_called"
	voiceMissing    problem.Code = "voice_missing"
	unknownDevice   problem.Code = "unknown_device"
	traceMinutes    problem.Code = "trace_minutes" // limit
	nothingCame     problem.Code = "device_nothing_came"
	unknownTicket   problem.Code = "unknown_ticket"
	unknownWindow   problem.Code = "unknown_window"
	notFound        problem.Code = "not_found"
	nobodyCalls     problem.Code = "nobody_calls"
	nothingToRate   problem.Code = "nothing_to_rate"
	raterAway       problem.Code = "rater_away"
	pairNotSaved    problem.Code = "pair_not_saved"
	cameraUnknown   problem.Code = "camera_unknown"
	cameraSame      problem.Code = "camera_not_changed" // subject
	cameraWritten   problem.Code = "camera_written"     // subject
	cameraOther     problem.Code = "camera_other"
	overloaded      problem.Code = "overloaded"
	internal        problem.Code = "internal"
)

// handler answers a request of somebody the door let in.
type handler func(w http.ResponseWriter, r *http.Request, who access.Who)

// get lets in whoever has a right.
func (a *API) get(right access.Right, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := a.opts.Door.Identify(r)
		switch {
		case err != nil:
			a.notSignedIn(w, err)
		case !who.May(right):
			a.mayNot(w, who)
		default:
			h(w, r, who)
		}
	}
}

func (a *API) notSignedIn(w http.ResponseWriter, err error) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="hall"`)
	status, code, args := access.NotIn(err)
	a.problem(w, status, code, args)
}

func (a *API) mayNot(w http.ResponseWriter, who access.Who) {
	status, code := access.MayNot(who)
	a.problem(w, status, code, nil)
}

func (a *API) problem(w http.ResponseWriter, status int, code problem.Code, args map[string]string) {
	problem.Write(w, a.opts.Catalog.Problem(status, code, args))
}

// fail answers an error. Only what nobody foresaw is an internal error, and only that is logged.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var known problem.Problem
	var disk *store.Error
	switch {
	case errors.As(err, &known):
		if known.Status == http.StatusTooManyRequests || known.Status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		problem.Write(w, known)
	case errors.Is(err, hall.ErrKeyReused):
		a.problem(w, http.StatusUnprocessableEntity, keyReused, nil)
	case errors.As(err, &disk):
		a.problem(w, http.StatusServiceUnavailable, problem.Code(disk.Code), nil)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		w.Header().Set("Retry-After", "1")
		a.problem(w, http.StatusServiceUnavailable, overloaded, nil)
	default:
		id := rand.Text()[:8]
		a.opts.Log.Error("request failed", "id", id, "method", r.Method, "path", r.URL.Path, "error", err)
		a.problem(w, http.StatusInternalServerError, internal, map[string]string{"id": id})
	}
}

// send answers with JSON.
func (a *API) send(w http.ResponseWriter, r *http.Request, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	write(w, status, raw)
}

// write sends an answer that is JSON already: a problem document from 400 on.
func write(w http.ResponseWriter, status int, raw []byte) {
	h := w.Header()
	if status >= http.StatusBadRequest {
		h.Set("Content-Type", problem.ContentType)
		h.Set("Content-Language", "zh-CN")
	} else {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write(raw) // a client that has gone away cannot be told anything
}

// reader says what somebody may see of the hall, and wants to: the console of a window, which queues give numbers, and the paper of a
// kiosk, which its page is told unasked.
func (a *API) reader(who access.Who, q url.Values) view.Reader {
	r := view.Reader{Staff: who.May(access.SeeStaff), Gives: q.Has("gives")}
	if r.Locked = who.Role == access.Locked; r.Locked && who.Window != "" {
		r.Windows = []hallsync.WindowID{who.Window}
	}
	r.Paper = isKiosk(who) && (who.Page != "" || q.Has("paper"))
	if at := hallsync.WindowID(q.Get("window")); who.MayWorkAt(at) { // what others have noted is for them
		r.Console = at
	}
	if who.Role == access.Rater && who.Window != "" {
		r.Windows = []hallsync.WindowID{who.Window}
	}
	if who.Role == access.Screen {
		r.Frame = who.Page != "" || q.Has("frame")
		i := slices.IndexFunc(a.opts.Plan.Screens, func(s config.Screen) bool { return s.ID == who.ID })
		if i >= 0 {
			for _, w := range a.opts.Plan.Screens[i].Windows {
				r.Windows = append(r.Windows, hallsync.WindowID(w))
			}
		}
	}
	return r
}

// place is where somebody stands. A token that serves all kiosks stands at the first, and the guide at the first desk that has devices.
func (a *API) place(who access.Who) string {
	place := who.Place()
	switch {
	case place == string(access.Kiosk) && len(a.opts.Plan.Kiosks) > 0:
		place = "kiosk-" + a.opts.Plan.Kiosks[0].ID
	case place == deskPage:
		for _, d := range a.opts.Site.Devices {
			if at, _, ok := d.Split(); ok && at.Kind == deskPage {
				return at.String()
			}
		}
	}
	return place
}

// deskPage is the page of the guide, and the kind of place where that one stands.
const deskPage = "desk"

// printerAt gives the place whose printer makes the slip for a channel, or "" for no paper: a kiosk always wants one, a desk or
// window if it, or else any desk, has a printer.
func (a *API) printerAt(who access.Who, channel hallsync.Channel) string {
	place := a.place(who)
	switch channel {
	case hallsync.AtKiosk:
		if strings.HasPrefix(place, "kiosk-") {
			return place
		}
		if len(a.opts.Plan.Kiosks) > 0 {
			return "kiosk-" + a.opts.Plan.Kiosks[0].ID
		}
	case hallsync.AtDesk, hallsync.AtWindow:
		desk := ""
		for _, d := range a.opts.Site.Devices {
			where, role, ok := d.Split()
			if !ok || role != "printer" {
				continue
			}
			if where.String() == place {
				return place
			}
			if where.Kind == "desk" && desk == "" {
				desk = where.String()
			}
		}
		return desk
	}
	return ""
}
