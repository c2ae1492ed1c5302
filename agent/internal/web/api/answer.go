package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/agent/internal/web/access"
	"halledge/agent/kit/mask"
	"halledge/agent/kit/problem"
)

// Bounds of a request.
const (
	maxBody     = 64 << 10
	maxPicture  = 8 << 20
	maxSight    = 512 << 10 // a picture of a kiosk's page, which makes it smaller than that
	maxKey      = 255
	commandTime = 10 * time.Second // to be taken by the store's writer
)

// post is a POST whose sender, key and body are in order.
type post struct {
	*http.Request
	who   access.Who
	body  []byte
	key   store.AnswerKey
	asked string
}

// allowed says whether somebody may send a request at all.
type allowed func(who access.Who, r *http.Request) bool

func needs(right access.Right) allowed {
	return func(who access.Who, _ *http.Request) bool { return who.May(right) }
}

// ownOr lets citizens act on the ticket whose token they hold, and others by right.
func ownOr(right access.Right) allowed {
	return func(who access.Who, r *http.Request) bool {
		return who.May(right) || who.Role == access.Citizen && string(who.Ticket) == r.PathValue("id")
	}
}

// post lets in who is allowed, with a key and a body of bounded size. The order is the contract's: 401, 403, then 400.
func (a *API) post(may allowed, h func(w http.ResponseWriter, p post)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := a.opts.Door.Identify(r)
		if err != nil {
			a.notSignedIn(w, err)
			return
		}
		if !may(who, r) {
			a.mayNot(w, who)
			return
		}
		if !a.opts.Door.AllowCommand(who) {
			a.tooFast(w, r)
			return
		}
		key, err := a.keyOf(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		body, done, err := a.bodyOf(w, r)
		defer done()
		if err != nil {
			a.fail(w, r, err)
			return
		}
		// The body is here: what follows may take longer than reading it may.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		digest := a.opts.Signer.Digest(body) // keyed: a body may hold an identity number, which a plain digest would give away
		h(w, post{
			Request: r, who: who, body: body,
			key: store.KeyOf(who.Credential, r.Method, r.URL.Path, key), asked: hex.EncodeToString(digest[:]),
		})
	}
}

// tooFast refuses what comes more often than people or machines of the hall can mean it.
func (a *API) tooFast(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "1")
	a.fail(w, r, a.opts.Catalog.Problem(http.StatusTooManyRequests, overloaded, nil))
}

// keyOf gives the request's one key.
func (a *API) keyOf(r *http.Request) (string, error) {
	keys := r.Header.Values("Idempotency-Key")
	switch {
	case len(keys) > 1: // whoever checked another one than we would think something else was done
		return "", a.opts.Catalog.Problem(http.StatusBadRequest, keyRepeated, nil)
	case len(keys) == 0 || keys[0] == "":
		return "", a.opts.Catalog.Problem(http.StatusBadRequest, keyMissing, nil)
	case len(keys[0]) > maxKey:
		return "", a.opts.Catalog.Problem(http.StatusBadRequest, keyInvalid, map[string]string{"limit": strconv.Itoa(maxKey)})
	}
	return keys[0], nil
}

// bodyOf reads a body of bounded size. Few that may be pictures are held together: done makes room for the next.
func (a *API) bodyOf(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	done = func() { /* small bodies are not counted */ }
	limit := int64(maxBody)
	if largest := largestPicture(r.URL.Path); largest > 0 && (r.ContentLength < 0 || r.ContentLength > maxBody) {
		limit = largest
		select {
		case a.pictures <- struct{}{}:
			done = func() { <-a.pictures }
		default:
			return nil, done, a.opts.Catalog.Problem(http.StatusServiceUnavailable, overloaded, nil)
		}
	}
	body, err = a.read(w, r, limit)
	return body, done, err
}

// largestPicture gives how large a picture a route takes, in bytes; 0: none.
func largestPicture(path string) int64 {
	switch path {
	case "/api/v1/scans":
		return maxPicture
	case "/api/v1/pictures":
		return maxSight
	}
	return 0
}

func (a *API) read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &tooLarge):
		args := map[string]string{"limit": strconv.FormatInt(limit, 10)}
		return nil, a.opts.Catalog.Problem(http.StatusRequestEntityTooLarge, bodyTooLarge, args)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, a.opts.Catalog.Problem(http.StatusRequestTimeout, access.BodySlow, nil)
	}
	return nil, a.bad(jsonSyntax, "offset", strconv.Itoa(len(body))) // the client went away half-way
}

// command runs a queue command once under the request's key and sends its answer. done is true if this call, not an earlier
// one, was answered, with that status.
func (a *API) command(w http.ResponseWriter, p post, cmd func() (queue.Command, error), body func(hall.Result) (int, any)) (status int, done bool) {
	ctx, cancel := context.WithTimeout(p.Context(), commandTime)
	defer cancel()
	answer, replayed, err := a.opts.Hall.Answer(ctx, hall.Request{
		Key: p.key, Asked: p.asked, Command: cmd,
		Render: func(res hall.Result) (int, []byte) {
			if res.Refusal != nil {
				refused := a.refusal(res.Refusal)
				if p.who.May(access.Work) {
					refused = refused.ForStaff()
				}
				return refused.Status, refused.Body()
			}
			status, shape := body(res)
			raw, err := json.Marshal(shape)
			if err != nil { // the effect stands; only its description failed
				a.opts.Log.Error("answer not written", "path", p.URL.Path, "error", err)
				broken := a.opts.Catalog.Problem(http.StatusInternalServerError, internal, nil)
				return broken.Status, broken.Body()
			}
			return status, raw
		},
	})
	if err != nil {
		a.fail(w, p.Request, err)
		return 0, false
	}
	a.give(w, answer, replayed)
	return answer.Status, !replayed
}

// give sends an answer of the store.
func (a *API) give(w http.ResponseWriter, answer store.Answer, replayed bool) {
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	write(w, answer.Status, answer.Body)
}

// errNotAnswered says that a request was not answered before.
var errNotAnswered = errors.New("not answered before")

// outside runs something that is no queue command, such as a device's test, once under the request's key. It runs outside the
// store's writer, which must never wait for the outside world; twins wait here, and the answer is stored afterwards.
func (a *API) outside(w http.ResponseWriter, p post, do func() (status int, body []byte)) {
	if !a.takeOff(p.Context(), p.key) {
		return
	}
	defer a.land(p.key)
	ctx, cancel := context.WithTimeout(p.Context(), commandTime)
	defer cancel()
	first, _, err := a.opts.Hall.Answer(ctx, hall.Request{
		Key: p.key, Asked: p.asked, Command: func() (queue.Command, error) { return nil, errNotAnswered },
	})
	if err == nil {
		a.give(w, first, true)
		return
	}
	if !errors.Is(err, errNotAnswered) {
		a.fail(w, p.Request, err)
		return
	}
	status, body := do()
	if !remembered(status) {
		write(w, status, body)
		return
	}
	// The effect is done, whoever still listens. TurnDay is the command that does nothing while the day lasts.
	keep, cancel := context.WithTimeout(context.WithoutCancel(p.Context()), commandTime)
	defer cancel()
	answer, replayed, err := a.opts.Hall.Answer(keep, hall.Request{
		Key: p.key, Asked: p.asked, Command: func() (queue.Command, error) { return queue.TurnDay{}, nil },
		Render: func(hall.Result) (int, []byte) { return status, body },
	})
	if err != nil {
		a.fail(w, p.Request, err)
		return
	}
	a.give(w, answer, replayed)
}

// remembered reports whether an answer is given again to the same request: what would come out differently once the asker, the
// load or the machine has changed is not.
func remembered(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return false
	}
	return status < http.StatusInternalServerError
}

// takeOff waits until no request with the key is under way, and puts this one under way. It gives false if ctx ended first.
func (a *API) takeOff(ctx context.Context, key store.AnswerKey) bool {
	for {
		a.opts.Flights.mu.Lock()
		other := a.opts.Flights.byKey[key]
		if other == nil {
			a.opts.Flights.byKey[key] = make(chan struct{})
			a.opts.Flights.mu.Unlock()
			return true
		}
		a.opts.Flights.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return false
		}
	}
}

func (a *API) land(key store.AnswerKey) {
	a.opts.Flights.mu.Lock()
	defer a.opts.Flights.mu.Unlock()
	close(a.opts.Flights.byKey[key])
	delete(a.opts.Flights.byKey, key)
}

// refusal says why the queue refused, in the contract's form.
func (a *API) refusal(r *queue.Refusal) problem.Problem {
	state, _ := a.opts.Catalog.Text("state_"+string(r.State), nil)
	window := echo(string(r.Window)) // of the address, if it is unknown
	p := a.opts.Catalog.Problem(statusOf(r.Code), problem.Code(r.Code), map[string]string{
		"window": window, "state": state.Title, "seconds": strconv.Itoa(int(math.Ceil(r.After.Seconds()))),
		"queue": string(r.Queue), "people": strconv.Itoa(r.People),
	})
	if r.State != "" {
		p = p.With("state", r.State)
	}
	if r.Ticket != "" {
		p = p.With("ticket", r.Ticket)
	}
	if r.Queue != "" {
		p = p.With("queue", r.Queue).With("people", r.People)
	}
	if window != "" {
		p = p.With("window", window)
	}
	for member, at := range map[string]time.Time{"opens": r.Opens, "closes": r.Closes} {
		if !at.IsZero() {
			p = p.With(member, at.In(a.zone).Truncate(time.Second))
		}
	}
	return p
}

func statusOf(c queue.Code) int {
	switch c {
	case queue.UnknownQueue, queue.UnknownWindow, queue.UnknownTicket, queue.BookingUnknown:
		return http.StatusNotFound
	case queue.ClassInvalid, queue.ChannelInvalid, queue.BookingInvalid, queue.PersonRequired, queue.GradeInvalid, queue.TargetRequired, queue.ReasonRequired, queue.StepRepeated:
		return http.StatusUnprocessableEntity
	}
	return http.StatusConflict
}

// object reports whether a body is meant to be JSON: no picture begins with a brace.
func object(body []byte) bool {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{'
}

// Bounds of texts that people write, in characters.
const (
	maxReason       = 200
	maxRatingText   = 500
	maxReasons      = 10
	maxRatingChoice = 50
)

// decode reads a JSON object into a struct. An empty body is an empty object; a member the struct does not have is refused,
// because a misspelt member would silently mean something else.
func (a *API) decode(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if field := unknownMember(body, reflect.TypeOf(into).Elem(), ""); field != "" {
		return a.bad(fieldUnknown, "field", field)
	}
	err := json.Unmarshal(body, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		return a.bad(fieldType, "field", kind.Field)
	case errors.As(err, &syntax):
		return a.bad(jsonSyntax, "offset", strconv.FormatInt(syntax.Offset, 10))
	}
	return a.bad(jsonSyntax, "offset", "1")
}

// unknownMember gives the first member of an object, by name, that the struct type has no field for. What is not an object is
// left to the decoder.
func unknownMember(raw []byte, t reflect.Type, path string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		f, ok := t.FieldByNameFunc(func(field string) bool {
			f, _ := t.FieldByName(field)
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return tag == name
		})
		if !ok {
			return path + name
		}
		if f.Type.Kind() == reflect.Struct {
			if inner := unknownMember(members[name], f.Type, path+name+"."); inner != "" {
				return inner
			}
		}
	}
	return ""
}

// bad is a 400 with one argument, which may be the client's own text.
func (a *API) bad(code problem.Code, arg, value string) problem.Problem {
	value = echo(value)
	return a.opts.Catalog.Problem(http.StatusBadRequest, code, map[string]string{arg: value}).With(arg, value)
}

// maxEcho bounds how much of a client's text an answer repeats, in characters.
const maxEcho = 64

// echo gives the client's own text as an answer may repeat it.
func echo(s string) string {
	plain := []rune(problem.Plain(s))
	return string(plain[:min(len(plain), maxEcho)])
}

// isHidden reports whether a character works on others and is not seen itself: a control other than line breaks and tabs, or a
// mark that turns the direction of the writing. The joiner inside an emoji is none of them.
func isHidden(r rune) bool {
	return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) || unicode.Is(unicode.Bidi_Control, r)
}

// written gives what somebody wrote freely, without blanks around it, a blank alone being nothing, and with the numbers of persons masked
// before anything is made of it: facts are kept, shown and sent on.
func written(text string) string { return mask.Text(strings.TrimSpace(text)) }

// text refuses a text that people did not write: longer than it may be, or with hidden characters. Facts are kept for ever and
// go to other systems; a database or a device may choke on what a page shows as nothing.
func (a *API) text(field, text string, limit int) error {
	if strings.ContainsFunc(text, isHidden) {
		return a.bad(fieldCharacters, "field", field)
	}
	if utf8.RuneCountInString(text) <= limit {
		return nil
	}
	return a.opts.Catalog.Problem(http.StatusBadRequest, fieldTooLong, map[string]string{"field": field, "limit": strconv.Itoa(limit)}).
		With("field", field)
}
