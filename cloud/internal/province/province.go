// Package province gives the halls the province's word on citizens' codes. A hall asks with its own key; the centre asks the province
// with its key, which no hall has. Of whose code it is a hall learns a keyed digest only, and of the code nothing is kept: neither here
// nor in the database nor in the log.
package province

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"halledge/agent/kit/breaker"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/replay"
	"halledge/firmware-protocols/hallsync"
)

// Path is where halls ask.
const Path = "/edge/v1/codes"

// A hall waits 1.5 s for an answer. The province has less, and is asked again, when the question did not arrive, for as long as there is
// time left.
const (
	tryTime  = 900 * time.Millisecond
	askTime  = 1200 * time.Millisecond
	maxCode  = 2953 // bytes of a payload: the most a QR code holds
	maxPlace = 64
)

// Options of New; all are required.
type Options struct {
	Caller *gm.Caller                       // asks the province
	Key    gm.PrivateKey                    // signs what halls are told
	Halls  map[hallsync.HallID]gm.PublicKey // who may ask
	// Names gives what a hall calls whoever has a number, by some keys of its index.
	Names   func(ctx context.Context, hall hallsync.HallID, index []string, number string) ([]string, error)
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Relay answers the halls. It is safe for concurrent use.
type Relay struct {
	opts    Options
	replay  *replay.Guard[hallsync.CodeAnswer]
	breaker breaker.Breaker
	answers *prometheus.CounterVec
	took    prometheus.Histogram
}

// New gives a relay.
func New(o Options) *Relay {
	r := &Relay{
		opts: o, replay: replay.New[hallsync.CodeAnswer](),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hall_cloud_codes_total", Help: "Codes asked about, by status."}, []string{"status"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hall_cloud_codes_seconds", Help: "Time to answer a hall.", Buckets: []float64{.01, .05, .1, .3, .6, 1, 1.5},
		}),
	}
	o.Metrics.MustRegister(r.answers, r.took)
	return r
}

// Handler answers signed POSTs of halls.
func (r *Relay) Handler() http.Handler {
	return gm.NewDoor(r.opts.Key, func(name string) (gm.PublicKey, bool) {
		k, known := r.opts.Halls[hallsync.HallID(name)]
		return k, known && !k.IsZero()
	}).Handler(r.answer)
}

func (r *Relay) answer(ctx context.Context, hall string, body []byte) (int, []byte) {
	var q hallsync.CodeQuestion
	if json.Unmarshal(body, &q) != nil || string(q.Hall) != hall || q.Payload == "" || len(q.Payload) > maxCode || len(q.Place) > maxPlace || len(q.Index) > hallsync.MaxIndex ||
		q.Proof != hallsync.ProofYSS && q.Proof != hallsync.ProofYSH {
		return http.StatusBadRequest, []byte("{}")
	}
	begun := time.Now()
	a := r.resolve(ctx, q)
	took := time.Since(begun)
	r.answers.WithLabelValues(string(a.Status)).Inc()
	r.took.Observe(took.Seconds())
	r.opts.Log.Info("code asked about", "hall", hall, "place", q.Place, "kind", string(q.Proof), "purpose", string(q.Purpose),
		"status", string(a.Status), "length", len(q.Payload), "cost_ms", took.Milliseconds())
	raw, err := json.Marshal(a)
	if err != nil { // a time that JSON cannot hold, which understand refuses
		return http.StatusInternalServerError, []byte("{}")
	}
	return http.StatusOK, raw
}

// resolve asks the province unless the code was shown before: a code counts once, in all halls together.
func (r *Relay) resolve(ctx context.Context, q hallsync.CodeQuestion) hallsync.CodeAnswer {
	mark := r.replay.Mark(q.Payload)
	asker := strings.Join([]string{string(q.Hall), q.Place, string(q.Purpose)}, " ")
	first, state := r.replay.Begin(mark, asker)
	switch state {
	case replay.Used:
		return hallsync.CodeAnswer{Status: hallsync.CodeUsed}
	case replay.Again:
		return first
	}
	a := r.ask(ctx, q)
	if a.Status != hallsync.CodeGood {
		r.replay.Forget(mark) // it counted for nothing and may be shown again
		return a
	}
	number := a.Number
	a.Number = ""
	if len(q.Index) > 0 {
		var err error
		if a.Persons, err = r.opts.Names(ctx, q.Hall, q.Index, number); err != nil { // then the code is good, and nobody's
			r.opts.Log.Error("no names of a hall", "hall", q.Hall, "error", err)
		}
	}
	return r.replay.Keep(mark, asker, a, a.Expires)
}

// ask puts the question to the province, signed by the centre.
func (r *Relay) ask(ctx context.Context, q hallsync.CodeQuestion) hallsync.CodeAnswer {
	q.Index = nil
	body, err := json.Marshal(q)
	if err != nil {
		return hallsync.CodeAnswer{Status: hallsync.CodeRefused}
	}
	if !r.breaker.Allow() {
		return hallsync.CodeAnswer{Status: hallsync.CodeDown}
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	a, err := r.try(ctx, body)
	var failed *gm.CallError
	if errors.As(err, &failed) && failed.Failure == gm.Unreached {
		a, err = r.try(ctx, body)
	}
	r.breaker.Report(err == nil)
	if err == nil {
		return a
	}
	r.opts.Log.Warn("province gives no answer", "error", err)
	if errors.As(err, &failed) && failed.Failure == gm.Late {
		return hallsync.CodeAnswer{Status: hallsync.CodeSlow}
	}
	return hallsync.CodeAnswer{Status: hallsync.CodeDown}
}

func (r *Relay) try(ctx context.Context, body []byte) (hallsync.CodeAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	status, raw, err := r.opts.Caller.Call(ctx, body)
	if err != nil {
		return hallsync.CodeAnswer{}, err
	}
	return understand(status, raw)
}

// errNonsense is an answer, rightly signed, that means nothing.
var errNonsense = errors.New("province: answer that is not of its form")

// understand reads the province's answer. Whatever is not of its form is nonsense, never a yes.
func understand(status int, raw []byte) (hallsync.CodeAnswer, error) {
	var a hallsync.CodeAnswer
	if status != http.StatusOK || json.Unmarshal(raw, &a) != nil {
		return hallsync.CodeAnswer{}, errNonsense
	}
	switch a.Status {
	case hallsync.CodeGood:
		if len(a.Number) != numberLength || a.Expires.Year() > 9999 {
			return hallsync.CodeAnswer{}, errNonsense
		}
		return hallsync.CodeAnswer{Status: a.Status, Number: a.Number, Expires: a.Expires}, nil
	case hallsync.CodeExpired, hallsync.CodeUsed, hallsync.CodeRefused, hallsync.CodeNobody, hallsync.CodeBarred, hallsync.CodeBusy:
		return hallsync.CodeAnswer{Status: a.Status}, nil
	case hallsync.CodeDown, hallsync.CodeSlow: // of what stands behind it
		return hallsync.CodeAnswer{}, errors.New("province: " + string(a.Status))
	}
	return hallsync.CodeAnswer{}, errNonsense
}

// numberLength is that of an identity number and of a unified social credit code.
const numberLength = 18
